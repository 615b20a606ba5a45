import { BroadcastStream, type ExchangeOptions, exchangeLineage, type Stream } from '../lib/index.ts'

/**
 * Sends each record to every task behind it, in the order in which each task before it sends them. What is one record
 * becomes as many as there are tasks: meant for few records that all must know, such as rules.
 * @throws INVALID_OPTION
 */
export const broadcast =
  <T>(options: ExchangeOptions = {}) =>
  (source: Stream<T, any>): BroadcastStream<T> =>
    new BroadcastStream<T>(
      exchangeLineage({ name: 'broadcast', inputs: [source], exchange: 'broadcast' }, options),
      task => source.in(task),
    )
