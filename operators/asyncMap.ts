import { type AsyncCallsOptions, type AsyncFunction, checkOption, eachAsync, type Stream } from '../lib/index.ts'

/**
 * Gives the result of an asynchronous function for each record, which inherits its time: a promise's, or the first of an
 * Observable. Holds the records whose results are not out, and what comes behind them; no watermark overtakes a record.
 * Takes no more data while `inFlightMax` records are held; barriers pass, and snapshots hold the records: after a restore
 * the function is called on them again, so it may be called more than once for a record whose result comes out once.
 * Source: what may overtake what follows Flink's AsyncWaitOperator.
 * @throws INVALID_OPTION
 */
export const asyncMap = <A, B>(
  f: AsyncFunction<A, B>,
  options: AsyncCallsOptions,
): ((source: Stream<A, any>) => Stream<B>) => {
  checkOption('asyncMap', 'inFlightMax', options.inFlightMax, { atLeast: 1 })
  if (options.timeoutMs !== undefined) checkOption('asyncMap', 'timeoutMs', options.timeoutMs, { above: 0 })
  return eachAsync('asyncMap', f, options)
}
