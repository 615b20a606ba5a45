import { Observable } from 'rxjs'
import { buffer, type Key, type StreamElement } from '../element.ts'
import { BroadcastCall } from '../graph/broadcastCall.ts'
import type { BroadcastContext, BroadcastHandlers, Out, Timers } from '../graph/handlers.ts'
import { Handling, type Unkeyed } from '../graph/handling.ts'
import { inTask, opened } from '../graph/operator.ts'
import type { BroadcastStream, KeyedStream, NoSides, OperatorNode, Sides, Stream } from '../graph/stream.ts'
import type { Task } from '../graph/task.ts'
import type { BroadcastEffect } from '../state/broadcastLines.ts'
import type { OperatorState } from '../state/operatorState.ts'
import { type FromInput, multiInput } from './multiInput.ts'

interface Declared<S extends Sides> {
  /**
   * What `broadcast` changes: broadcast state alone, or also the state of keys and what comes out. A restore at another
   * parallelism depends on it.
   */
  readonly effect: BroadcastEffect
  /** The side outputs that the handlers use. */
  readonly sides?: readonly (keyof S & string)[]
}

/**
 * An operator of a keyed stream and a broadcast one: handlers over the records of both, with state of each key, and broadcast
 * state that every task makes of the same broadcast records.
 *
 * Records of the two inputs come in no order between them. Source: Flink's KeyedBroadcastProcessFunction.
 */
export const keyedWithBroadcast = <T, K extends Key, B, R = never, S extends Sides = NoSides>(
  name: string,
  keyed: KeyedStream<T, K>,
  broadcasted: BroadcastStream<B>,
  open: (context: BroadcastContext<K>) => BroadcastHandlers<T, K, B, R, S>,
  { effect, sides = [] }: Declared<S>,
): Stream<R, S> =>
  multiInput<T | B, R, S>(
    { name, stateful: true, sides, broadcastEffect: effect },
    [keyed, broadcasted] as readonly Stream<T | B>[],
    (elements, task, node) =>
      new Observable(subscriber => {
        const state = task.open(node)
        const call = new BroadcastCall(state, effect)
        const handlers = opened(state.operator, () => open(contextOf<K>(task, state, call)))
        const of = {
          handlers: handlers as unknown as BroadcastHandlers<T | B, Key, B, R, S>,
          call,
          unkeyed: handlingBroadcast<T, K, B, R, S>(handlers, call),
        }
        const handling = new Handling<T | B, R, S>(task, node as OperatorNode, state, of, subscriber)
        return elements.subscribe({
          next: from => handling.next(told(from)),
          error: error => subscriber.error(error),
          complete: () => handling.complete(),
        })
      }),
  )

const contextOf = <K extends Key>(task: Task, state: OperatorState, call: BroadcastCall): BroadcastContext<K> => {
  let timers: Timers | undefined
  return {
    name: state.operator,
    subtask: task.subtask,
    state: {
      value: (cell, codec, initial) => {
        const value = call.keyedState(cell, codec, initial)
        return { ...inTask(task, value), keys: value.keys as () => Iterable<K> }
      },
    },
    broadcastState: { value: (cell, codec, initial) => inTask(task, call.broadcastState(cell, codec, initial)) },
    // A getter, because most operators have no timers and pay nothing for them.
    get timers() {
      timers ??= call.openTimers()
      return timers
    },
  }
}

const handlingBroadcast = <T, K extends Key, B, R, S extends Sides>(
  handlers: BroadcastHandlers<T, K, B, R, S>,
  call: BroadcastCall,
): Unkeyed<T | B, R, S> => {
  let comingOut: Out<R, S> | undefined
  return {
    begin: line => call.beginLine(line),
    record: (record, out, at) => {
      call.beginOfBroadcast()
      // The collector is the same for all.
      comingOut ??= call.outOf(out)
      return call.checked(handlers.broadcast(record as B, comingOut, at))
    },
    get lines() {
      return call.lines
    },
    delivered: () => call.delivered,
    workedOff: () => call.mergeLines(),
  }
}

/** Buffers of the broadcast input are those without keys, also in a frame; what they had before they were broadcast is dropped. */
const told = <T>({ element, input }: FromInput<T>): StreamElement<T> =>
  input === 1 && element.kind === 'buffer' && (element.keys ?? element.groups) !== undefined
    ? buffer(element.records, { ...element, keys: undefined, groups: undefined })
    : element
