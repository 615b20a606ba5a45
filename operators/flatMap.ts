import { operator, type Stream } from '../lib/index.ts'

/**
 * Gives all results of each record's projection, in order; they inherit its time. An iterable is left between two results
 * while the output is full, and is part of the snapshot by what it has delivered, so it must give the same results again.
 */
export const flatMap = <A, B>(project: (record: A) => Iterable<B> & object): ((source: Stream<A, any>) => Stream<B>) =>
  operator<A, B>('flatMap', () => ({ record: record => project(record) }), { stateful: false })
