import { Observable } from 'rxjs'
import type { Key, StreamElement } from '../element.ts'
import { SpillwayError } from '../error.ts'
import type { OperatorState } from '../state/operatorState.ts'
import { KeyedCall, taskValue } from './call.ts'
import { userFunctionFailed } from './callEach.ts'
import { frozen, frozenState } from './frozen.ts'
import type { Handlers, KeyedContext, KeyedHandlers, OperatorContext, Timers, ValueState } from './handlers.ts'
import { Handling, type Opened } from './handling.ts'
import { KeyedMap } from './keyedMap.ts'
import { type KeyedStream, type NoSides, type OperatorNode, type Sides, Stream } from './stream.ts'
import type { Task } from './task.ts'

interface Declared<S extends Sides> {
  /** The side outputs that the handlers use. */
  readonly sides?: readonly (keyof S & string)[]
  /** false: it keeps nothing between two records, so its name may occur twice in a job. */
  readonly stateful?: boolean
}

/** An operator of one's own: handlers over records, with state of the whole task. */
export const operator =
  <T, R = never, S extends Sides = NoSides>(
    name: string,
    open: (context: OperatorContext) => Handlers<T, R, S>,
    declared: Declared<S> = {},
  ): ((source: Stream<T>) => Stream<R, S>) =>
  source =>
    new Stream<R, S>(
      { name, inputs: [source], stateful: declared.stateful ?? true, sides: declared.sides ?? [] },
      handled<T, R, S>(source, (task, state) => {
        const context: OperatorContext = {
          name: state.operator,
          subtask: task.subtask,
          checks: task.checks,
          state: { value: (cell, codec, initial) => inTask(task, taskValue(state, cell, codec, initial)) },
        }
        return { handlers: opened(state.operator, () => open(context)) }
      }),
    )

/** An operator of one's own on a keyed stream: handlers over records and event-time timers, with state of each key. */
export const keyedOperator =
  <T, K extends Key, R = never, S extends Sides = NoSides>(
    name: string,
    open: (context: KeyedContext) => KeyedHandlers<T, K, R, S>,
    declared: Declared<S> = {},
  ): ((source: KeyedStream<T, K>) => Stream<R, S>) =>
  source =>
    new Stream<R, S>(
      { name, inputs: [source], stateful: declared.stateful ?? true, sides: declared.sides ?? [] },
      handled<T, R, S>(source, (task, state) => {
        const call = new KeyedCall(state)
        let timers: Timers | undefined
        const handlers = opened(state.operator, () =>
          open({
            name: state.operator,
            subtask: task.subtask,
            state: {
              value: (cell, codec, initial) => inTask(task, call.value(cell, codec, initial)),
              map: (cell, codecs) =>
                new KeyedMap(call, state.map(cell, codecs), {
                  name: cell,
                  own: value => (task.checks ? frozen(value) : value),
                }),
            },
            // A getter, because most operators have no timers and pay nothing for them.
            get timers() {
              timers ??= call.openTimers()
              return timers
            },
          }),
        )
        return { handlers: handlers as unknown as KeyedHandlers<T, Key, R, S>, call }
      }),
    )

export const inTask = <V>(task: Task, state: ValueState<V>): ValueState<V> => (task.checks ? frozenState(state) : state)

/** What the function gives that opens an operator's handlers. @throws USER_FUNCTION_FAILED */
export const opened = <H>(name: string, open: () => H): H => {
  try {
    return open()
  } catch (error) {
    throw error instanceof SpillwayError ? error : userFunctionFailed(name, 'being opened', error)
  }
}

const handled =
  <T, R, S extends Sides>(source: Stream<T>, open: (task: Task, state: OperatorState) => Opened<T, R, S>) =>
  (task: Task, node: OperatorNode): Observable<StreamElement<R>> =>
    new Observable(subscriber => {
      const state = task.open(node)
      const handling = new Handling(task, node, state, open(task, state), subscriber)
      return source.in(task).subscribe({
        next: element => handling.next(element),
        error: error => subscriber.error(error),
        complete: () => handling.complete(),
      })
    })
