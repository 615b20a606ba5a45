import { type ExchangeOptions, exchangeLineage, Stream } from '../lib/index.ts'

/**
 * Deals the records of each task to its own group of the tasks behind it, a buffer each in turns: few channels, and of as
 * many tasks as before it one each, so that their order stays.
 * @throws INVALID_OPTION
 */
export const rescale =
  <T>(options: ExchangeOptions = {}) =>
  (source: Stream<T, any>): Stream<T> =>
    new Stream<T>(exchangeLineage({ name: 'rescale', inputs: [source], exchange: 'rescale' }, options), task =>
      source.in(task),
    )
