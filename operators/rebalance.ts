import { Stream } from '../lib/index.ts'

/** Deals the records to the tasks behind it in turns, a buffer each: evens out splits of different size. Order is lost. */
export const rebalance =
  <T>() =>
  (source: Stream<T, any>): Stream<T> =>
    new Stream<T>({ name: 'rebalance', inputs: [source], exchange: 'rebalance' }, task => source.in(task))
