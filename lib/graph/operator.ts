import * as t from 'io-ts'
import { Observable } from 'rxjs'
import type { Key, StreamElement } from '../element.ts'
import { SpillwayError } from '../error.ts'
import type { OperatorState } from '../state/operatorState.ts'
import { KeyedCall, taskValue } from './call.ts'
import { userFunctionFailed } from './callEach.ts'
import { frozen, frozenState } from './frozen.ts'
import type { Handlers, KeyedContext, KeyedHandlers, OperatorContext, Timers, ValueState } from './handlers.ts'
import { Handling, type Opened } from './handling.ts'
import { KeyedList } from './keyedList.ts'
import { KeyedMap } from './keyedMap.ts'
import { type KeyedStream, type NoSides, type OperatorNode, type Sides, Stream } from './stream.ts'
import type { Task } from './task.ts'
import { taskList, taskUnion } from './taskList.ts'

interface Declared<S extends Sides> {
  /** The side outputs that the handlers use. */
  readonly sides?: readonly (keyof S & string)[]
  /** false: it keeps nothing between two records, so its name may occur twice in a job. */
  readonly stateful?: boolean
}

interface DeclaredOfTask<S extends Sides> extends Declared<S> {
  /** The names of union state: its tasks restart together, and take no checkpoints by region. */
  readonly unionStates?: readonly string[]
}

/** An operator of one's own: handlers over records, with state of the whole task. */
export const operator =
  <T, R = never, S extends Sides = NoSides>(
    name: string,
    open: (context: OperatorContext) => Handlers<T, R, S>,
    declared: DeclaredOfTask<S> = {},
  ): ((source: Stream<T>) => Stream<R, S>) =>
  source => {
    const { unionStates = [] } = declared
    return new Stream<R, S>(
      {
        ...{ name, inputs: [source], stateful: declared.stateful ?? true, sides: declared.sides ?? [] },
        ...(unionStates.length === 0 ? {} : { unionStates }),
      },
      handled<T, R, S>(source, (task, state) => {
        const checked = task.checks ? frozen : same
        const context: OperatorContext = {
          name: state.operator,
          subtask: task.subtask,
          checks: task.checks,
          state: {
            value: (cell, codec, initial) => inTask(task, taskValue(state, cell, codec, initial)),
            list: (list, codec) => taskList(state, { name: list, codec, checked }),
            union: (list, codec) => taskUnion(state, { name: list, codec, checked, declared: unionStates }),
          },
        }
        return { handlers: opened(state.operator, () => open(context)) }
      }),
    )
  }

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
            state: keyedStates({ task, state, call }),
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

interface Keyed {
  readonly task: Task
  readonly state: OperatorState
  readonly call: KeyedCall
}

const keyedStates = ({ task, state, call }: Keyed): KeyedContext['state'] => {
  const value = <V>(name: string, codec: t.Type<V, any>, initial: V) => inTask(task, call.value(name, codec, initial))
  const map = <K extends Key, V>(
    name: string,
    codecs: { readonly key: t.Type<K, any>; readonly value: t.Type<V, any> },
  ) => {
    const sample = state.sample(name, codecs.value)
    const own = (of: V): V => {
      sample.pass(of)
      return task.checks ? frozen(of) : of
    }
    return new KeyedMap<K, V>(call, state.map(name, codecs), { name, own })
  }
  return {
    value,
    map,
    list: (name, codec) => new KeyedList(map(name, { key: t.number, value: codec })),
    reducing: (name, codec, reduce) => {
      const cell = call.value<typeof codec._A | undefined>(name, codec as t.Type<any, any>, undefined)
      const checked = inTask(task, cell)
      return {
        get: () => checked.get(),
        add: added => {
          const before = checked.get()
          checked.set(before === undefined ? added : reduce(before, added))
        },
        clear: () => checked.clear(),
      }
    },
    aggregating: (name, { initial, add, result, type }) => {
      const accumulator = value(name, type, initial)
      return {
        get: () => result(accumulator.get()),
        add: of => accumulator.set(add(accumulator.get(), of)),
        clear: () => accumulator.clear(),
      }
    },
  }
}

const same = <V>(value: V): V => value

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
