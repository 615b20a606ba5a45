import { type Draft, produce } from 'immer'
import * as t from 'io-ts'
import type { Key } from '../element.ts'
import { SpillwayError } from '../error.ts'
import { ownState } from '../snapshot/frame.ts'
import type { OperatorState } from '../state/operatorState.ts'
import type { Sample } from '../state/sample.ts'
import { ABSENT, type Entry, type Table } from '../state/table.ts'
import { Timers as TimerTable } from '../state/timers.ts'
import type { Timers, ValueState } from './handlers.ts'

/** What a handler is told about the record; one object an operator, set anew for each call. */
export class MutableAt {
  timeMs = Number.NEGATIVE_INFINITY
  watermarkMs = Number.NEGATIVE_INFINITY
  operatorWatermarkMs = Number.NEGATIVE_INFINITY
}

/** The key that a handler is being called for, and the state and timers that it sees. */
export class KeyedCall extends MutableAt {
  /** undefined: the call is about no key, or there is none. */
  key: Key | undefined
  group = 0
  /** Tells apart what is being handled: of one call there may be several keys. */
  number = 0
  readonly #state: OperatorState
  #timers: TimerTable | undefined

  constructor(state: OperatorState) {
    super()
    this.#state = state
  }

  begin(key: Key, group: number): void {
    this.key = key
    this.group = group
    this.number++
  }

  /** The call that follows is that of the whole task. */
  beginOfTask(): void {
    this.key = undefined
    this.number++
  }

  /** That of a state of this name, or of a timer. @throws NO_KEY */
  keyOf(state?: string): Key {
    if (this.key === undefined) throw noKey(this.#state.operator, state === undefined ? 'a timer' : `state ${state}`)
    return this.key
  }

  value<V>(name: string, codec: t.Type<V, any>, initial: V): ValueState<V> {
    const sample = this.#state.sample(name, codec)
    return new KeyedValue(this, this.#state.table(name, codec), { name, initial, sample })
  }

  /** The timers, if the operator has asked for any. */
  get timers(): TimerTable | undefined {
    return this.#timers
  }

  openTimers(): Timers {
    const timers = new TimerTable(this.#state.table(ownState.timers, t.readonlyArray(t.number)))
    this.#timers = timers
    return {
      at: timeMs => {
        const key = this.keyOf()
        if (timeMs === Number.NEGATIVE_INFINITY) throw noEventTime(this.#state.operator)
        timers.add(key, this.group, timeMs)
      },
      cancel: timeMs => timers.delete(this.keyOf(), timeMs),
    }
  }
}

/** One value a key; the entry is looked up once for each key being handled. */
class KeyedValue<V> implements ValueState<V> {
  readonly #call: KeyedCall
  readonly #table: Table<V>
  readonly #name: string
  readonly #initial: V
  readonly #sample: Sample<V>
  #entry: Entry<V> | undefined
  #number = -1

  constructor(
    call: KeyedCall,
    table: Table<V>,
    { name, initial, sample }: { readonly name: string; readonly initial: V; readonly sample: Sample<V> },
  ) {
    this.#call = call
    this.#table = table
    this.#name = name
    this.#initial = initial
    this.#sample = sample
  }

  get(): V {
    const entry = this.#found()
    return entry === undefined || entry.value === ABSENT ? this.#initial : (entry.value as V)
  }

  set(value: V): void {
    this.#sample.pass(value)
    let entry = this.#found()
    if (entry === undefined) {
      entry = this.#table.entry(this.#call.keyOf(this.#name), this.#call.group)
      this.#entry = entry
    }
    this.#table.set(entry, value)
  }

  update(change: (value: V) => V): V {
    const value = change(this.get())
    this.set(value)
    return value
  }

  produce(recipe: (draft: Draft<V>) => void): V {
    return this.update(value => produced(value, recipe))
  }

  clear(): void {
    const entry = this.#found()
    if (entry === undefined) return
    this.#table.remove(entry)
    this.#entry = undefined
  }

  #found(): Entry<V> | undefined {
    const { number } = this.#call
    if (this.#number !== number) {
      this.#entry = this.#table.find(this.#call.keyOf(this.#name))
      this.#number = number
    }
    return this.#entry
  }
}

/** One value of the whole task, captured as it was before a call that is suspended. */
export const taskValue = <V>(state: OperatorState, name: string, codec: t.Type<V, any>, initial: V): ValueState<V> => {
  const sample = state.sample(name, codec)
  let before: V = initial
  let changedIn = -1
  let value = initial
  const set = (next: V) => {
    sample.pass(next)
    if (changedIn !== state.calls.number) {
      changedIn = state.calls.number
      before = value
    }
    value = next
  }
  const now = () => (state.callOpen && changedIn === state.calls.number ? before : value)
  value = state.keep(name, codec, now) ?? initial
  const update = (change: (value: V) => V): V => {
    set(change(value))
    return value
  }
  return {
    get: () => value,
    set,
    update,
    produce: recipe => update(before => produced(before, recipe)),
    clear: () => set(initial),
  }
}

const noKey = (operator: string, what: string) =>
  new SpillwayError('NO_KEY', {
    place: operator,
    problem: `${what} is of a key, and is asked for where no key is being handled.`,
    remedy: 'Use keyed state and timers in record and timer alone; what each key has to do at the end, a timer does.',
  })

const noEventTime = (operator: string) =>
  new SpillwayError('NO_EVENT_TIME', {
    place: operator,
    problem: 'a timer is asked for at -Infinity, which is the time of records that have none.',
    remedy: 'Put eventTime(...) directly behind the source.',
  })

/** Immer's `produce`. */
export const produced = <V>(value: V, recipe: (draft: Draft<V>) => void): V =>
  produce(value, draft => {
    recipe(draft)
  })
