import { type Barrier, type CheckpointId, isUnaligned, timeoutMsOf } from '../element.ts'
import { absurd } from '../invariant.ts'
import { type ChannelSet, channelsIn, hasChannel, noChannels, withChannel } from './channelSet.ts'
import {
  type AbortReason,
  type AlignmentEffect,
  type AlignmentEvent,
  type Moment,
  metrics,
  startDelayMs,
} from './events.ts'

/**
 * How a task aligns barriers so that its state counts each record exactly once.
 *
 * - A checkpoint is under way from its first barrier on: taken or, if it may time out, announced. It waits for the
 *   channels that have not ended by then.
 * - Aligned: a taken barrier blocks its channel; the task begins its snapshot when the last one has been taken.
 * - Unaligned: the task begins at the first barrier; what the other channels hold and get before theirs is captured.
 * - It turns from aligned to unaligned with the first unaligned barrier taken, and once its limit is passed: when the
 *   timer is due, or when a barrier, or after one an end, is taken late. The last one missing is never late. Barriers
 *   announced by then, and from then on, move to the heads of their queues; blocked channels stay blocked.
 * - An end counts as its channel's barrier, once.
 * - A newer checkpoint ends the one under way (`subsumed`); barriers of an older or finished one do nothing.
 * - A cancel marker ends its checkpoint if that is under way or newer than any so far.
 *
 * An event costs no more than a few copies of a set of channels; beginning and ending a checkpoint touch each channel.
 *
 * Source: Flink's SingleCheckpointBarrierHandler and its states, all of the state in one value.
 */
export interface ExactlyOnceState {
  readonly kind: 'exactly-once'
  readonly channels: number
  /** Channels whose end has been taken. */
  readonly ended: ChannelSet
  /** The highest checkpoint that has been completed, or given up. */
  readonly settled: CheckpointId
  readonly underWay: UnderWay | undefined
}

interface UnderWay {
  /** The first that was known. */
  readonly barrier: Barrier
  /** `turned`: unaligned, but none of the barriers has been taken yet. `begun`: unaligned, the snapshot is taken. */
  readonly phase: 'aligned' | 'turned' | 'begun'
  /** Of the barriers known so far, when the first times out. */
  readonly limitMs: number | undefined
  /** Channels whose barrier stands in the queue, or did. */
  readonly announced: ChannelSet
  /** Channels whose barrier, or end instead of it, has been taken. */
  readonly delivered: ChannelSet
  /** So many are still to be delivered. */
  readonly missing: number
  readonly blocked: ChannelSet
  /** When the first was delivered. */
  readonly first: Moment | undefined
  /** Not an end alone. */
  readonly barrierTaken: boolean
}

type Step = readonly [ExactlyOnceState, readonly AlignmentEffect[]]

export const exactlyOnce = (state: ExactlyOnceState, event: AlignmentEvent): Step => {
  const [next, effects] = transition(state, event)
  return [next, [...timer(timerDueMs(state), timerDueMs(next)), ...effects]]
}

const transition = (state: ExactlyOnceState, event: AlignmentEvent): Step => {
  switch (event.kind) {
    case 'announced':
      return announced(state, event)
    case 'barrier':
      return barrierTaken(state, event)
    case 'end':
      return endTaken(state, event)
    case 'cancel':
      return cancelled(state, event.checkpoint)
    case 'timer':
      return state.underWay?.phase === 'aligned' ? turned(state, state.underWay) : [state, []]
    default:
      return absurd(event)
  }
}

const announced = (state: ExactlyOnceState, { channel, barrier }: { channel: number; barrier: Barrier }): Step => {
  const known = knowing(state, barrier)
  if (known === undefined || hasChannel(known.underWay.delivered, channel)) return [state, []]
  const { underWay, effects } = known
  const next = { ...known.state, underWay: { ...underWay, announced: withChannel(underWay.announced, channel) } }
  return underWay.phase === 'aligned'
    ? [next, effects]
    : [next, [...effects, { kind: 'prioritize', channel, checkpoint: barrier.checkpoint }]]
}

const barrierTaken = (state: ExactlyOnceState, event: { channel: number; barrier: Barrier } & Moment): Step => {
  const { channel, barrier } = event
  const known = knowing(state, barrier)
  if (known === undefined || hasChannel(known.underWay.delivered, channel)) return [state, []]
  const underWay = { ...delivered(known.underWay, event), barrierTaken: true }
  return after(known.effects, barrierDelivered(known.state, underWay, event))
}

const barrierDelivered = (
  state: ExactlyOnceState,
  underWay: UnderWay,
  { channel, barrier, ...now }: { channel: number; barrier: Barrier } & Moment,
): Step => {
  if (underWay.phase === 'begun') return finishedIfWhole(state, underWay, now)
  if (underWay.phase === 'turned' || isUnaligned(barrier)) return finishedIfBegun(turned(state, underWay), now)
  if (underWay.missing === 0) return begunAligned(state, underWay, now)
  const blocking = { ...underWay, blocked: withChannel(underWay.blocked, channel) }
  const block = { kind: 'block', channel } as const
  return isLate(blocking, now) ? after([block], turned(state, blocking)) : [{ ...state, underWay: blocking }, [block]]
}

const endTaken = (state: ExactlyOnceState, event: { channel: number } & Moment): Step => {
  const next = { ...state, ended: withChannel(state.ended, event.channel) }
  if (next.underWay === undefined || hasChannel(next.underWay.delivered, event.channel)) return [next, []]
  const underWay = delivered(next.underWay, event)
  if (underWay.phase === 'begun') return finishedIfWhole(next, underWay, event)
  if (underWay.missing === 0) return begunAligned(next, underWay, event)
  return underWay.phase === 'aligned' && underWay.barrierTaken && isLate(underWay, event)
    ? turned(next, underWay)
    : [{ ...next, underWay }, []]
}

const cancelled = (state: ExactlyOnceState, checkpoint: CheckpointId): Step => {
  const { underWay } = state
  if (underWay?.barrier.checkpoint === checkpoint) return givenUp(state, underWay, 'cancelled')
  if (checkpoint <= state.settled || (underWay !== undefined && checkpoint < underWay.barrier.checkpoint)) {
    return [state, []]
  }
  const dropped = underWay === undefined ? [] : drop(underWay)
  return [
    { ...state, settled: checkpoint, underWay: undefined },
    [...dropped, { kind: 'abort', checkpoint, reason: 'cancelled' }],
  ]
}

/** The barrier's checkpoint is under way with it, unless it is an older or a finished one. */
const knowing = (
  state: ExactlyOnceState,
  barrier: Barrier,
): { state: ExactlyOnceState; underWay: UnderWay; effects: readonly AlignmentEffect[] } | undefined => {
  const { underWay } = state
  if (barrier.checkpoint <= (underWay === undefined ? state.settled : underWay.barrier.checkpoint - 1)) return undefined
  if (underWay?.barrier.checkpoint === barrier.checkpoint) {
    const limitMs = earlier(underWay.limitMs, limitOf(barrier))
    return { state, underWay: { ...underWay, limitMs }, effects: [] }
  }
  const [settled, effects] = underWay === undefined ? [state, []] : givenUp(state, underWay, 'subsumed')
  return { state: settled, underWay: newUnderWay(state, barrier), effects }
}

const newUnderWay = ({ channels, ended }: ExactlyOnceState, barrier: Barrier): UnderWay => ({
  barrier,
  phase: 'aligned',
  limitMs: limitOf(barrier),
  announced: noChannels(channels),
  delivered: noChannels(channels),
  missing: channels - ended.count,
  blocked: noChannels(channels),
  first: undefined,
  barrierTaken: false,
})

const delivered = (underWay: UnderWay, { channel, nowMs, buffers }: { channel: number } & Moment): UnderWay => ({
  ...underWay,
  delivered: withChannel(underWay.delivered, channel),
  missing: underWay.missing - 1,
  first: underWay.first ?? { nowMs, buffers },
})

/** Unaligned from here on; begins if a barrier has been taken. */
const turned = (state: ExactlyOnceState, underWay: UnderWay): Step => {
  const { checkpoint } = underWay.barrier
  const prioritize =
    underWay.phase === 'turned'
      ? []
      : channelsIn(underWay.announced)
          .filter(channel => !hasChannel(underWay.delivered, channel))
          .map(channel => ({ kind: 'prioritize', channel, checkpoint }) as const)
  return underWay.barrierTaken
    ? after(prioritize, begunUnaligned(state, underWay))
    : [{ ...state, underWay: { ...underWay, phase: 'turned' } }, prioritize]
}

const begunUnaligned = (state: ExactlyOnceState, underWay: UnderWay): Step => {
  const { first, blocked } = underWay
  const barrier: Barrier = { ...underWay.barrier, alignment: 'unaligned', savepoint: false }
  const capture: AlignmentEffect[] = []
  for (let channel = 0; channel < state.channels; channel++) {
    if (hasChannel(state.ended, channel) || hasChannel(blocked, channel)) continue
    capture.push({ kind: 'capture', channel, checkpoint: barrier.checkpoint })
  }
  const delayMs = startDelayMs(first as Moment, barrier)
  return [
    { ...state, underWay: { ...underWay, barrier, phase: 'begun' } },
    [{ kind: 'begin', barrier, alignment: 'unaligned', startDelayMs: delayMs }, ...capture],
  ]
}

const begunAligned = (state: ExactlyOnceState, underWay: UnderWay, now: Moment): Step => {
  const { barrier, first } = underWay
  const delayMs = startDelayMs(first as Moment, barrier)
  const begin = { kind: 'begin', barrier, alignment: 'aligned', startDelayMs: delayMs } as const
  return after([begin], finishedIfWhole(state, underWay, now))
}

const finishedIfBegun = ([state, effects]: Step, now: Moment): Step =>
  state.underWay === undefined ? [state, effects] : after(effects, finishedIfWhole(state, state.underWay, now))

const finishedIfWhole = (state: ExactlyOnceState, underWay: UnderWay, last: Moment): Step => {
  if (underWay.missing > 0) return [{ ...state, underWay }, []]
  const { barrier, first } = underWay
  return [
    { ...state, settled: barrier.checkpoint, underWay: undefined },
    [
      { kind: 'aligned', checkpoint: barrier.checkpoint, ...metrics(barrier, { first: first as Moment, last }) },
      ...unblock(underWay),
    ],
  ]
}

const givenUp = (state: ExactlyOnceState, underWay: UnderWay, reason: AbortReason): Step => {
  const { checkpoint } = underWay.barrier
  return [
    { ...state, settled: checkpoint, underWay: undefined },
    [...drop(underWay), { kind: 'abort', checkpoint, reason }],
  ]
}

const drop = (underWay: UnderWay): AlignmentEffect[] =>
  underWay.phase === 'begun'
    ? [...unblock(underWay), { kind: 'drop', checkpoint: underWay.barrier.checkpoint }]
    : unblock(underWay)

const unblock = ({ blocked }: UnderWay): AlignmentEffect[] =>
  channelsIn(blocked).map(channel => ({ kind: 'unblock', channel }) as const)

const isLate = ({ limitMs }: UnderWay, { nowMs }: Moment): boolean => limitMs !== undefined && nowMs > limitMs

const limitOf = (barrier: Barrier): number | undefined => {
  const timeoutMs = timeoutMsOf(barrier)
  return timeoutMs === undefined ? undefined : barrier.timestampMs + timeoutMs
}

const earlier = (a: number | undefined, b: number | undefined): number | undefined =>
  a === undefined || b === undefined ? (a ?? b) : Math.min(a, b)

/** The limit is of no use once the checkpoint has turned. */
const timerDueMs = ({ underWay }: ExactlyOnceState): number | undefined =>
  underWay?.phase === 'aligned' ? underWay.limitMs : undefined

const timer = (beforeMs: number | undefined, afterMs: number | undefined): readonly AlignmentEffect[] => {
  if (beforeMs === afterMs) return []
  return [afterMs === undefined ? { kind: 'stopTimer' } : { kind: 'startTimer', dueMs: afterMs }]
}

const after = (effects: readonly AlignmentEffect[], [state, more]: Step): Step => [state, [...effects, ...more]]
