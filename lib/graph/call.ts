import { type Draft, produce } from 'immer'
import * as t from 'io-ts'
import type { Key } from '../element.ts'
import { ownState } from '../snapshot/frame.ts'
import type { OperatorState } from '../state/operatorState.ts'
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
  key: Key = 0
  group = 0
  readonly #state: OperatorState
  #timers: TimerTable | undefined

  constructor(state: OperatorState) {
    super()
    this.#state = state
  }

  begin(key: Key, group: number): void {
    this.key = key
    this.group = group
  }

  value<V>(name: string, codec: t.Type<V, any>, initial: V): ValueState<V> {
    return new KeyedValue(this, this.#state.table(name, codec), initial)
  }

  /** Tells calls apart: `calls.begin()` comes before each. */
  get number(): number {
    return this.#state.calls.number
  }

  /** The timers, if the operator has asked for any. */
  get timers(): TimerTable | undefined {
    return this.#timers
  }

  openTimers(): Timers {
    const timers = new TimerTable(this.#state.table(ownState.timers, t.readonlyArray(t.number)))
    this.#timers = timers
    return {
      at: timeMs => timers.add(this.key, this.group, timeMs),
      cancel: timeMs => timers.delete(this.key, timeMs),
    }
  }
}

/** One value a key; the entry is looked up once a call. */
class KeyedValue<V> implements ValueState<V> {
  readonly #call: KeyedCall
  readonly #table: Table<V>
  readonly #initial: V
  #entry: Entry<V> | undefined
  #number = -1

  constructor(call: KeyedCall, table: Table<V>, initial: V) {
    this.#call = call
    this.#table = table
    this.#initial = initial
  }

  get(): V {
    const entry = this.#found()
    return entry === undefined || entry.value === ABSENT ? this.#initial : (entry.value as V)
  }

  set(value: V): void {
    let entry = this.#found()
    if (entry === undefined) {
      entry = this.#table.entry(this.#call.key, this.#call.group)
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
    const { number, key } = this.#call
    if (this.#number !== number) {
      this.#entry = this.#table.find(key)
      this.#number = number
    }
    return this.#entry
  }
}

/** One value of the whole task, captured as it was before a call that is suspended. */
export const taskValue = <V>(state: OperatorState, name: string, codec: t.Type<V, any>, initial: V): ValueState<V> => {
  let before: V = initial
  let changedIn = -1
  let value = initial
  const set = (next: V) => {
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

const produced = <V>(value: V, recipe: (draft: Draft<V>) => void): V =>
  produce(value, draft => {
    recipe(draft)
  })
