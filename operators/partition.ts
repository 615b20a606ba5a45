import { type ExchangeOptions, exchangeLineage, type Partitioner, Stream } from '../lib/index.ts'

/**
 * Sends each record to the task behind it whose number the partitioner gives, from 0 up to, but not including, `channels`.
 * What is kept by key, or is to be read at another parallelism, belongs behind `keyBy`.
 * @throws INVALID_OPTION
 */
export const partition =
  <T>(partitioner: Partitioner<T>, options: ExchangeOptions = {}) =>
  (source: Stream<T, any>): Stream<T> =>
    new Stream<T>(
      exchangeLineage({ name: 'partition', inputs: [source], exchange: 'custom', partitioner }, options),
      task => source.in(task),
    )
