import type { Draft } from 'immer'
import type * as t from 'io-ts'
import type { Key } from '../element.ts'
import type { Aggregate } from './aggregate.ts'
import type { NoSides, Sides } from './stream.ts'
import type { Subtask } from './task.ts'

/** What a handler gives its results to. They inherit time and lateness note of the record (or timer) being handled. */
export interface Out<in R, S extends Sides = NoSides> {
  /** Cannot be suspended: a handler with many results for one record returns an iterable instead. */
  emit(record: R): void
  /** Gives the result a time of its own, in ms since the epoch, and no lateness note. */
  emitAt(timeMs: number, record: R): void
  side<N extends keyof S & string>(name: N, record: S[N]): void
}

/**
 * Results beyond those emitted. An iterable may be left between two results while the output is full, and the snapshot
 * taken then makes a restored run call the handler again and skip the results already delivered: it must be deterministic.
 */
// biome-ignore lint/suspicious/noConfusingVoidType: a handler that returns nothing has no results
export type Results<R> = void | (Iterable<R> & object) | Resumable<R>

/**
 * Results that can begin anywhere: a restore asks for those from the first that has not been delivered, instead of
 * skipping as many. Made by `resumable`.
 */
export class Resumable<out R> {
  readonly from: (delivered: number) => Iterable<R> & object

  constructor(from: (delivered: number) => Iterable<R> & object) {
    this.from = from
  }
}

/**
 * What a handler returns whose results can begin at number `from`, which is 0 but for a call that a restore repeats.
 *
 * The handler itself is called again with state and timers as they were before it; what it did while it gave the results
 * before `from` is not. So it changes state before it returns, or with the last result. To a side output counts as a result.
 */
export const resumable = <R>(results: (from: number) => Iterable<R> & object): Resumable<R> => new Resumable(results)

export interface At {
  /** Event time in ms since the epoch; -Infinity where the stream has none. */
  readonly timeMs: number
  /** What the record is late against: the larger of its own split's watermark when it was read and the operator's. */
  readonly watermarkMs: number
  /** The operator's own watermark. */
  readonly operatorWatermarkMs: number
}

export interface KeyedAt<out K extends Key> extends At {
  readonly key: K
}

/** Whatever is not handled is forwarded. */
export interface Handlers<in T, R, S extends Sides = NoSides> {
  record(record: T, out: Out<R, S>, at: At): Results<R>
  /** The watermark has advanced; it is forwarded afterwards. */
  watermark?(timeMs: number, out: Out<R, S>): void
  /** All input has been taken. */
  end?(out: Out<R, S>): Results<R>
}

export interface KeyedHandlers<in T, K extends Key, R, S extends Sides = NoSides> {
  record(record: T, out: Out<R, S>, at: KeyedAt<K>): Results<R>
  /** A timer of this key is due: the watermark has reached `timeMs`. */
  timer?(timeMs: number, out: Out<R, S>, at: KeyedAt<K>): Results<R>
  /** The watermark has advanced, timers that are due have fired; it is forwarded afterwards. Of no key: state is out of reach (NO_KEY). */
  watermark?(timeMs: number, out: Out<R, S>): void
  /** All input has been taken. Of no key: state is out of reach (NO_KEY). */
  end?(out: Out<R, S>): Results<R>
}

export interface BroadcastHandlers<in T, K extends Key, in B, R, S extends Sides = NoSides>
  extends KeyedHandlers<T, K, R, S> {
  /**
   * A record of the broadcast input, in every task. It alone may change broadcast state, by the record and broadcast state
   * alone, so that it is equal in all tasks. Of no key: `state.keys()` gives one after the other.
   */
  broadcast(record: B, out: Out<R, S>, at: At): Results<R>
}

/** State of the key being handled. Values are immutable: `set` another, never change one. */
export interface ValueState<V> {
  get(): V
  set(value: V): void
  /** Sets and returns what `change` makes of the value. */
  update(change: (value: V) => V): V
  /** The same by an Immer recipe that changes a draft: for deep values, where some microseconds a call do not matter. */
  produce(recipe: (draft: Draft<V>) => void): V
  /** Back to the initial value, which takes no room. */
  clear(): void
}

/** Values in their order. They are immutable. */
export interface ListState<V> {
  /** Not changed any more, whatever comes later. */
  get(): readonly V[]
  add(value: V): void
  /** In the place of all. */
  set(values: readonly V[]): void
  clear(): void
}

/** One value, made of all that have been added. */
export interface ReducingState<V> {
  /** undefined: nothing has been added. */
  get(): V | undefined
  add(value: V): void
  clear(): void
}

/** A result, of an accumulator of all that has been added. */
export interface AggregatingState<in T, out R> {
  /** Where nothing has been added, that of the initial accumulator. */
  get(): R
  add(value: T): void
  clear(): void
}

/** A list of which a restore gives every task that of all others too: what all of them have to know. */
export interface UnionState<V> extends ListState<V> {
  /**
   * What all tasks of the operator had at the checkpoint that the job goes on from, in the order of the tasks, at whatever parallelism; empty
   * in a job that begins. The list itself begins with the task's own share of it, so that nothing is written twice.
   */
  readonly restored: readonly V[]
}

/**
 * A map of the key being handled, as a `Map`; its entries are kept one by one, so that a change costs, and is stored, as one
 * entry, however large the map is. Values are immutable.
 */
export interface MapState<K extends Key, V> {
  readonly size: number
  get(key: K): V | undefined
  has(key: K): boolean
  set(key: K, value: V): void
  /** Sets and returns what `change` makes of the value; undefined: there is none. */
  update(key: K, change: (value: V | undefined) => V): V
  /** Whether there was one. */
  delete(key: K): boolean
  /** In the order in which the keys were first set, also after a restore; so with `values` and `entries`. */
  keys(): Iterable<K>
  values(): Iterable<V>
  entries(): Iterable<readonly [K, V]>
  /** Takes time for the entries of this key. */
  clear(): void
}

/** Event-time timers of the key being handled; a time is registered once, however often it is asked for. */
export interface Timers {
  at(timeMs: number): void
  cancel(timeMs: number): void
}

export interface OperatorContext {
  /** The operator's name, for its errors. */
  readonly name: string
  readonly subtask: Subtask
  /** The job's option: whether the operator is to check what it is costly to check. */
  readonly checks: boolean
  readonly state: {
    /** State of the whole task. The value's codec decodes it at a restore. At another parallelism it is refused (PARALLELISM_CHANGED). */
    value<V>(name: string, codec: t.Type<V, any>, initial: V): ValueState<V>
    /**
     * A list of the whole task, of which another parallelism gives each new task a part: element i of all tasks' lists, one behind the other,
     * goes to task i mod parallelism. For up to some thousands of values: each snapshot writes all of them. Source: Flink's operator list state.
     */
    list<V>(name: string, codec: t.Type<V, any>): ListState<V>
    /** A list as above, which the operator declares as one of its `unionStates`. Source: Flink's union list state. */
    union<V>(name: string, codec: t.Type<V, any>): UnionState<V>
  }
}

export interface KeyedContext {
  /** The operator's name, for its errors. */
  readonly name: string
  readonly subtask: Subtask
  readonly state: {
    /** State of each key. The value's codec decodes it at a restore. */
    value<V>(name: string, codec: t.Type<V, any>, initial: V): ValueState<V>
    /** A map of each key. `key` checks, and `value` decodes, at a restore. Keys are stored as they are. */
    map<K extends Key, V>(
      name: string,
      codecs: { readonly key: t.Type<K, any>; readonly value: t.Type<V, any> },
    ): MapState<K, V>
    /** A list of each key. Adding a value costs, and is stored, as one, however long the list is; `get` takes time for all of it. */
    list<V>(name: string, codec: t.Type<V, any>): ListState<V>
    /** A value of each key that `reduce` makes of it and what is added. */
    reducing<V>(name: string, codec: t.Type<V, any>, reduce: (value: V, added: V) => V): ReducingState<V>
    /** An accumulator of each key, such as `mean(of)` of `spillway/operators`. */
    aggregating<T, A, R>(name: string, aggregate: Aggregate<T, A, R>): AggregatingState<T, R>
  }
  readonly timers: Timers
}

/** State of each key, and the keys that have a value. */
export interface KeyedState<V, out K extends Key> extends ValueState<V> {
  /**
   * In `broadcast` alone: the keys of this task that have a value, in an order that depends on nothing but them. While one is
   * given it is the key being handled: of all state and timers.
   */
  keys(): Iterable<K>
}

export interface BroadcastContext<K extends Key> {
  /** The operator's name, for its errors. */
  readonly name: string
  readonly subtask: Subtask
  readonly state: {
    /** State of each key. The value's codec decodes it at a restore. */
    value<V>(name: string, codec: t.Type<V, any>, initial: V): KeyedState<V, K>
  }
  readonly broadcastState: {
    /** State that every task has alike. `broadcast` changes it, the others read it (BROADCAST_STATE). */
    value<V>(name: string, codec: t.Type<V, any>, initial: V): ValueState<V>
  }
  readonly timers: Timers
}
