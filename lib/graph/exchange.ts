import { SpillwayError } from '../error.ts'
import type { Lineage } from './stream.ts'

/**
 * How a stream's elements are dealt to the tasks behind it:
 *
 * - `forward` (the default): task i to task i; does not cut the pipeline
 * - `keyed`: a record to the owner of its key group
 * - `rebalance`: to all in turns, a buffer each
 * - `rescale`: in turns to a group of them, each producer its own group
 * - `broadcast`: each record to all
 * - `global`: all to the first
 * - `custom`: where the partitioner says
 *
 * All keep the order of what one producer sends to one consumer. Source: the names and meanings are Flink's.
 */
export type Exchange = 'forward' | 'keyed' | 'rebalance' | 'rescale' | 'broadcast' | 'global' | 'custom'

export interface ExchangeOptions {
  /** Tasks of the stage that begins behind it; default the job's. */
  readonly parallelism?: number
  /**
   * Barriers on it are always aligned, also those of unaligned checkpoints, and with it on all inputs of the stage behind:
   * nothing of what is in its channels is ever part of a snapshot. Default false.
   */
  readonly alignedOnly?: boolean
}

/**
 * The lineage of a stream that exchanges.
 * @throws INVALID_OPTION
 */
export const exchangeLineage = (
  lineage: Pick<Lineage, 'name' | 'inputs' | 'partitioner'> & { readonly exchange: Exchange },
  { parallelism, alignedOnly = false }: ExchangeOptions,
): Lineage => {
  checkParallelism(lineage.name, parallelism)
  return { ...lineage, alignedOnly, ...(parallelism === undefined ? {} : { parallelism }) }
}

/** @throws INVALID_OPTION */
export const checkParallelism = (name: string, parallelism: number | undefined): void => {
  if (parallelism === undefined || (Number.isSafeInteger(parallelism) && parallelism >= 1)) return
  throw new SpillwayError('INVALID_OPTION', {
    place: `${name}, option parallelism`,
    problem: `expected a whole number of at least 1, found ${String(parallelism)}.`,
    remedy: 'Give the number of tasks behind it, or leave it out to have as many as the job says.',
  })
}
