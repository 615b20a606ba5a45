import type { Barrier, CheckpointId } from '../element.ts'
import { absurd } from '../invariant.ts'
import { type ChannelSet, hasChannel, noChannels, withChannel } from './channelSet.ts'
import { type AlignmentEffect, type AlignmentEvent, type Moment, metrics, startDelayMs } from './events.ts'

/**
 * How a task tracks barriers where its state may count a record more than once: nothing is blocked, overtaken or captured.
 *
 * - The task begins a checkpoint with its last barrier; that drops the older ones under way.
 * - An end counts as its channel's barrier for all under way; the newest that is complete thereby begins.
 * - A cancel marker ends its checkpoint, if that is under way or newer than any so far, and each older one under way.
 * - At most 50 are under way: one more drops the oldest.
 *
 * Source: Flink's CheckpointBarrierTracker.
 */
export interface AtLeastOnceState {
  readonly kind: 'at-least-once'
  readonly channels: number
  /** Channels whose end has been taken. */
  readonly ended: ChannelSet
  /** The newest checkpoint heard of. */
  readonly newest: CheckpointId
  /** Oldest first. */
  readonly underWay: readonly Tracked[]
}

interface Tracked {
  readonly barrier: Barrier
  /** Channels whose barrier, or end instead of it, has been taken. */
  readonly delivered: ChannelSet
  /** So many are still to be delivered. */
  readonly missing: number
  /** When the first was delivered. */
  readonly first: Moment
}

const underWayMax = 50

type Step = readonly [AtLeastOnceState, readonly AlignmentEffect[]]

export const atLeastOnce = (state: AtLeastOnceState, event: AlignmentEvent): Step => {
  switch (event.kind) {
    case 'announced':
    case 'timer':
      return [state, []]
    case 'barrier':
      return barrierTaken(state, event)
    case 'end':
      return endTaken(state, event)
    case 'cancel':
      return cancelled(state, event.checkpoint)
    default:
      return absurd(event)
  }
}

const barrierTaken = (
  state: AtLeastOnceState,
  { channel, barrier, nowMs, buffers }: { channel: number; barrier: Barrier } & Moment,
): Step => {
  const now = { nowMs, buffers }
  const known = state.newest >= barrier.checkpoint ? state : tracking(state, { barrier, now })
  const underWay = known.underWay.map(tracked =>
    tracked.barrier.checkpoint === barrier.checkpoint ? delivered(tracked, channel) : tracked,
  )
  return begunIfComplete({ ...known, underWay }, now)
}

const tracking = (state: AtLeastOnceState, { barrier, now }: { barrier: Barrier; now: Moment }): AtLeastOnceState => {
  const { channels, ended, underWay } = state
  const tracked = { barrier, delivered: noChannels(channels), missing: channels - ended.count, first: now }
  return { ...state, newest: barrier.checkpoint, underWay: [...underWay.slice(1 - underWayMax), tracked] }
}

const endTaken = (state: AtLeastOnceState, { channel, nowMs, buffers }: { channel: number } & Moment): Step => {
  const ended = withChannel(state.ended, channel)
  const underWay = state.underWay.map(tracked => delivered(tracked, channel))
  return begunIfComplete({ ...state, ended, underWay }, { nowMs, buffers })
}

const cancelled = (state: AtLeastOnceState, checkpoint: CheckpointId): Step => {
  const aborted = state.underWay.map(idOf).filter(id => id <= checkpoint)
  if (checkpoint > state.newest) aborted.push(checkpoint)
  return [
    {
      ...state,
      newest: Math.max(state.newest, checkpoint),
      underWay: state.underWay.filter(tracked => idOf(tracked) > checkpoint),
    },
    aborted.map(id => ({ kind: 'abort', checkpoint: id, reason: 'cancelled' }) as const),
  ]
}

const delivered = (tracked: Tracked, channel: number): Tracked =>
  hasChannel(tracked.delivered, channel)
    ? tracked
    : { ...tracked, delivered: withChannel(tracked.delivered, channel), missing: tracked.missing - 1 }

const begunIfComplete = (state: AtLeastOnceState, last: Moment): Step => {
  const complete = state.underWay.findLast(({ missing }) => missing === 0)
  if (complete === undefined) return [state, []]
  const { barrier, first } = complete
  const { checkpoint } = barrier
  return [
    { ...state, underWay: state.underWay.filter(tracked => idOf(tracked) > checkpoint) },
    [
      { kind: 'begin', barrier, alignment: 'aligned', startDelayMs: startDelayMs(first, barrier) },
      { kind: 'aligned', checkpoint, ...metrics(barrier, { first, last }) },
    ],
  ]
}

const idOf = ({ barrier }: Tracked): CheckpointId => barrier.checkpoint
