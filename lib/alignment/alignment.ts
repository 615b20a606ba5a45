import type { Barrier, CheckpointId } from '../element.ts'

/**
 * How a task aligns the barriers of its channels: a transition function, `(state, event) -> [state, effects]`.
 *
 * Rules (those of Flink's barrier handler):
 * - aligned: a taken barrier blocks its channel; the task begins its snapshot when the last one has been taken.
 * - unaligned: the task begins at the first barrier; what the other channels hold and get before theirs is captured.
 * - an end counts as its channel's barrier, once; later checkpoints do not wait for the channel.
 * - a barrier of a newer checkpoint ends the one under way (`subsumed`); one of an older or finished one does nothing.
 * - a cancel marker ends its checkpoint if that is under way or newer than any so far.
 */
export interface AlignmentState {
  readonly channels: number
  /** Channels whose end has been taken. */
  readonly ended: ReadonlySet<number>
  /** The highest checkpoint that has been completed, or given up. */
  readonly settled: CheckpointId
  readonly underWay: UnderWay | undefined
}

interface UnderWay {
  readonly barrier: Barrier
  /** Channels whose barrier, or end instead of it, has been taken. */
  readonly delivered: ReadonlySet<number>
  readonly blocked: ReadonlySet<number>
  /** Unaligned: the snapshot has been taken, and data before the missing barriers is being captured. */
  readonly begun: boolean
}

export type AlignmentEvent =
  | { readonly kind: 'barrier'; readonly channel: number; readonly barrier: Barrier }
  | { readonly kind: 'cancel'; readonly checkpoint: CheckpointId }
  | { readonly kind: 'end'; readonly channel: number }

export type AlignmentEffect =
  | { readonly kind: 'block'; readonly channel: number }
  | { readonly kind: 'unblock'; readonly channel: number }
  /** The task takes its snapshot now. */
  | { readonly kind: 'begin'; readonly barrier: Barrier; readonly alignment: 'aligned' | 'unaligned' }
  | { readonly kind: 'capture'; readonly channel: number; readonly checkpoint: CheckpointId }
  /** No channel captures for it any more. */
  | { readonly kind: 'drop'; readonly checkpoint: CheckpointId }
  /** All barriers have been taken: the in-flight data is whole. */
  | { readonly kind: 'aligned'; readonly checkpoint: CheckpointId }
  | { readonly kind: 'abort'; readonly checkpoint: CheckpointId; readonly reason: AbortReason }

export type AbortReason = 'subsumed' | 'cancelled'

export const initialAlignment = (channels: number): AlignmentState => ({
  channels,
  ended: new Set(),
  settled: 0,
  underWay: undefined,
})

type Step = readonly [AlignmentState, readonly AlignmentEffect[]]

export const alignment = (state: AlignmentState, event: AlignmentEvent): Step => {
  switch (event.kind) {
    case 'barrier':
      return barrierTaken(state, event.channel, event.barrier)
    case 'cancel':
      return cancelled(state, event.checkpoint)
    case 'end':
      return endTaken(state, event.channel)
  }
}

const barrierTaken = (state: AlignmentState, channel: number, barrier: Barrier): Step => {
  const { checkpoint } = barrier
  if (checkpoint <= state.settled) return [state, []]
  const { underWay } = state
  if (underWay !== undefined && checkpoint < underWay.barrier.checkpoint) return [state, []]
  if (underWay === undefined || checkpoint > underWay.barrier.checkpoint) {
    const [settled, effects] = underWay === undefined ? [state, []] : givenUp(state, underWay, 'subsumed')
    const next = { barrier, delivered: new Set<number>(), blocked: new Set<number>(), begun: false }
    return after(effects, delivered({ ...settled, underWay: next }, next, channel, barrier))
  }
  return delivered(state, underWay, channel, barrier)
}

const delivered = (state: AlignmentState, underWay: UnderWay, channel: number, barrier: Barrier): Step => {
  const next = { ...underWay, delivered: with_(underWay.delivered, channel) }
  if (next.begun) return finishedIfWhole(state, next, [])
  if (isUnaligned(barrier)) return begunUnaligned(state, next, barrier)
  if (isWhole(state, next)) return begunAligned(state, next)
  return [{ ...state, underWay: { ...next, blocked: with_(next.blocked, channel) } }, [{ kind: 'block', channel }]]
}

const begunUnaligned = (state: AlignmentState, underWay: UnderWay, barrier: Barrier): Step => {
  const { checkpoint } = barrier
  const begun = { ...underWay, barrier, begun: true }
  const open = Array.from({ length: state.channels }, (_, channel) => channel).filter(
    channel => !state.ended.has(channel) && !begun.blocked.has(channel),
  )
  return finishedIfWhole(state, begun, [
    { kind: 'begin', barrier, alignment: 'unaligned' },
    ...open.map(channel => ({ kind: 'capture', channel, checkpoint }) as const),
  ])
}

const begunAligned = (state: AlignmentState, underWay: UnderWay): Step =>
  finished(state, underWay, [{ kind: 'begin', barrier: underWay.barrier, alignment: 'aligned' }])

const endTaken = (state: AlignmentState, channel: number): Step => {
  const ended = { ...state, ended: with_(state.ended, channel) }
  const { underWay } = ended
  if (underWay === undefined) return [ended, []]
  const next = { ...underWay, delivered: with_(underWay.delivered, channel) }
  if (next.begun) return finishedIfWhole(ended, next, [])
  return isWhole(ended, next) ? begunAligned(ended, next) : [{ ...ended, underWay: next }, []]
}

const cancelled = (state: AlignmentState, checkpoint: CheckpointId): Step => {
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

const givenUp = (state: AlignmentState, underWay: UnderWay, reason: AbortReason): Step => {
  const { checkpoint } = underWay.barrier
  return [
    { ...state, settled: checkpoint, underWay: undefined },
    [...drop(underWay), { kind: 'abort', checkpoint, reason }],
  ]
}

const finishedIfWhole = (state: AlignmentState, underWay: UnderWay, effects: readonly AlignmentEffect[]): Step =>
  isWhole(state, underWay) ? finished(state, underWay, effects) : [{ ...state, underWay }, effects]

const finished = (state: AlignmentState, underWay: UnderWay, effects: readonly AlignmentEffect[]): Step => {
  const { checkpoint } = underWay.barrier
  return [
    { ...state, settled: checkpoint, underWay: undefined },
    [...effects, { kind: 'aligned', checkpoint }, ...unblock(underWay)],
  ]
}

const drop = (underWay: UnderWay): AlignmentEffect[] => {
  const { begun, barrier } = underWay
  return begun ? [...unblock(underWay), { kind: 'drop', checkpoint: barrier.checkpoint }] : unblock(underWay)
}

const unblock = ({ blocked }: UnderWay): AlignmentEffect[] =>
  [...blocked].map(channel => ({ kind: 'unblock', channel }) as const)

/** Every channel has delivered its barrier, or has ended. */
const isWhole = (state: AlignmentState, { delivered }: UnderWay): boolean => {
  for (let channel = 0; channel < state.channels; channel++) {
    if (!delivered.has(channel) && !state.ended.has(channel)) return false
  }
  return true
}

const isUnaligned = ({ alignment: kind, savepoint }: Barrier): boolean => kind === 'unaligned' && !savepoint

const with_ = (set: ReadonlySet<number>, member: number): ReadonlySet<number> => new Set(set).add(member)

const after = (effects: readonly AlignmentEffect[], [state, more]: Step): Step => [state, [...effects, ...more]]
