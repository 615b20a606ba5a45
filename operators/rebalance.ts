import { type ExchangeOptions, exchangeLineage, Stream } from '../lib/index.ts'

/**
 * Deals the records to the tasks behind it in turns, a buffer each: evens out splits of different size. Order is lost.
 * @throws INVALID_OPTION
 */
export const rebalance =
  <T>(options: ExchangeOptions = {}) =>
  (source: Stream<T, any>): Stream<T> =>
    new Stream<T>(exchangeLineage({ name: 'rebalance', inputs: [source], exchange: 'rebalance' }, options), task =>
      source.in(task),
    )
