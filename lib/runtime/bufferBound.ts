import { countBuffers, countRecords } from '../element.ts'
import { SpillwayError } from '../error.ts'
import { consumersOf } from '../graph/joins.ts'
import type { Edge, Plan } from '../graph/plan.ts'
import type { RestoredTask } from '../snapshot/snapshot.ts'
import type { Settings } from './options.ts'

/**
 * The most buffers, and records in them, that a job's channels and snapshots hold at any time; given by `Job.buffers`.
 *
 * After a restore at another parallelism the channels that wait behind a marker are bounded by what is recovered instead.
 */
export interface BufferBound {
  /** What the writers always have in channels. */
  readonly guaranteed: number
  /** Of all pools: what the writers may have in channels without overdraft. */
  readonly pooled: number
  /** Beyond it, for what operators emit that cannot be suspended, before `OUTPUT_OVERFLOW`. */
  readonly overdraft: number
  /** Being filled: one a channel. */
  readonly filling: number
  /** What a restore has put into channels, whatever the pools have. Known from the start on, and 0 before it. */
  readonly restored: number
  /** Captured by a checkpoint and not yet written, when they are in no channel any more: one that needs more is declined. */
  readonly captured: number
  readonly buffersMax: number
  /** Of `bufferRecordsMax` records a buffer, and those that a restore has put into channels. */
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
  return { guaranteed, pooled, overdraft, filling, restored: 0, captured, buffersMax, recordsMax }
}

/** What tasks begin with in their channels. */
export interface InFlightCount {
  readonly buffers: number
  readonly records: number
}

export const inFlightCount = (tasks: Iterable<RestoredTask>): InFlightCount => {
  const elements = [...tasks].flatMap(({ inFlight }) => inFlight.flatMap(of => of.elements))
  return { buffers: countBuffers(elements), records: countRecords(elements) }
}

/**
 * The bound of a job that begins with so much in flight, or goes on with it in restarted tasks. It may be more than the pools
 * have, as the job had larger channels before, and its buffers larger ones; a checkpoint may capture it again.
 */
export const restoredBound = (bound: BufferBound, { buffers, records }: InFlightCount): BufferBound => ({
  ...bound,
  restored: bound.restored + buffers,
  captured: bound.captured + buffers,
  buffersMax: bound.buffersMax + 2 * buffers,
  recordsMax: bound.recordsMax + 2 * records,
})

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
