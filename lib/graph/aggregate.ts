import type * as t from 'io-ts'

/** What is made of several values, one at a time: by a window of its records, by aggregating state. Accumulators are immutable plain data. */
export interface Aggregate<in T, A, out R> {
  readonly initial: A
  add(accumulator: A, value: T): A
  result(accumulator: A): R
  /** Decodes a stored accumulator at a restore. */
  readonly type: t.Type<A, any>
}
