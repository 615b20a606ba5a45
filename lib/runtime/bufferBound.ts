import { SpillwayError } from '../error.ts'
import { consumersOf } from '../graph/joins.ts'
import type { Edge, Plan } from '../graph/plan.ts'
import type { Settings } from './options.ts'

/** The most buffers, and records in them, that a job's channels hold at any time; given by `Job.buffers`. */
export interface BufferBound {
  /** What the writers always have in channels. */
  readonly guaranteed: number
  /** Of all pools: what the writers may have in channels without overdraft. */
  readonly pooled: number
  /** Beyond it, for what operators emit that cannot be suspended, before `OUTPUT_OVERFLOW`. */
  readonly overdraft: number
  /** Being filled: one a channel. */
  readonly filling: number
  /** Captured by a checkpoint and not yet written, when they are in no channel any more. */
  readonly captured: number
  readonly buffersMax: number
  /** `buffersMax` buffers of `bufferRecordsMax` records. */
  readonly recordsMax: number
}

/**
 * What the channels of a plan hold at the most.
 *
 * @throws BUDGET_TOO_SMALL if `channels.budgetBuffers` is less than the guarantees of all writers
 */
export const bufferBound = (plan: Plan, { channels }: Settings): BufferBound => {
  const writers = plan.edges.flatMap(channelsOfWriters)
  const sum = (of: (channelsOfOne: number) => number) =>
    writers.reduce((total, channelsOfOne) => total + of(channelsOfOne), 0)
  const guaranteed = sum(() => guaranteedBuffers(channels))
  const budget = channels.budgetBuffers ?? Math.max(defaultBudgetBuffers, guaranteed)
  if (guaranteed > budget) throw tooSmall(guaranteed, budget)
  const pooled = Math.min(
    budget,
    sum(channelsOfOne => maxBuffers(channelsOfOne, channels)),
  )
  const overdraft = sum(channelsOfOne => overdraftBuffers(channelsOfOne, channels))
  const filling = sum(channelsOfOne => channelsOfOne)
  const captured = pooled + overdraft
  const buffersMax = pooled + overdraft + filling + captured
  const recordsMax = buffersMax * channels.bufferRecordsMax
  return { guaranteed, pooled, overdraft, filling, captured, buffersMax, recordsMax }
}

/** How many channels each of its producer's tasks writes to. */
const channelsOfWriters = ({ exchange, from: { parallelism: producers }, to }: Edge): readonly number[] =>
  Array.from({ length: producers }, (_, from) => {
    const { first, end } = consumersOf(exchange, { from, producers, consumers: to.parallelism })
    return end - first
  })

/** A writer can always fill one channel. */
export const guaranteedBuffers = ({ buffersMax }: Settings['channels']): number => buffersMax

export const maxBuffers = (channels: number, { buffersMax }: Settings['channels']): number => channels * buffersMax

/**
 * A batch that has been begun may finish the buffer of each channel and begin another, which a flush then sends; what is
 * emitted in a loop may bring some more.
 */
export const overdraftBuffers = (channels: number, { overdraftBuffersMax }: Settings['channels']): number =>
  overdraftBuffersMax + 2 * channels + pendingBuffersMax

/** For what is emitted in a loop, beyond the overdraft. */
const pendingBuffersMax = 64

/** Four million records in buffers of 256. */
const defaultBudgetBuffers = 16_384

const tooSmall = (guaranteed: number, budget: number) =>
  new SpillwayError('BUDGET_TOO_SMALL', {
    place: 'channels.budgetBuffers',
    problem: `its writers need ${guaranteed} buffers to go on at all, and the job has ${budget}.`,
    remedy: `Give at least ${guaranteed}, or lower channels.buffersMax or the parallelism.`,
  })
