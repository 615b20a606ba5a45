import { type ExchangeOptions, exchangeLineage, Stream } from '../lib/index.ts'

/**
 * Sends all records to the first task behind it, in the order in which each task before it sends them; the others get none.
 * @throws INVALID_OPTION
 */
export const global =
  <T>(options: ExchangeOptions = {}) =>
  (source: Stream<T, any>): Stream<T> =>
    new Stream<T>(exchangeLineage({ name: 'global', inputs: [source], exchange: 'global' }, options), task =>
      source.in(task),
    )
