import type { CheckpointId } from '../element.ts'
import { absurd } from '../invariant.ts'
import { type AtLeastOnceState, atLeastOnce } from './atLeastOnce.ts'
import { noChannels } from './channelSet.ts'
import type { AlignmentEffect, AlignmentEvent } from './events.ts'
import { type ExactlyOnceState, exactlyOnce } from './exactlyOnce.ts'

/** How often a task's state may count a record after a restore. */
export type Guarantee = 'exactly-once' | 'at-least-once'

/** How a task aligns the barriers of its channels: a transition function, `(state, event) -> [state, effects]`. */
export type AlignmentState = ExactlyOnceState | AtLeastOnceState

export const initialAlignment = (channels: number, guarantee: Guarantee = 'exactly-once'): AlignmentState => {
  const ended = noChannels(channels)
  switch (guarantee) {
    case 'exactly-once':
      return { kind: guarantee, channels, ended, settled: 0, underWay: undefined }
    case 'at-least-once':
      return { kind: guarantee, channels, ended, newest: 0, underWay: [] }
    default:
      return absurd(guarantee)
  }
}

export const alignment = (
  state: AlignmentState,
  event: AlignmentEvent,
): readonly [AlignmentState, readonly AlignmentEffect[]] =>
  state.kind === 'exactly-once' ? exactlyOnce(state, event) : atLeastOnce(state, event)

/** The newest checkpoint under way, some of whose barriers have not been taken. */
export const pendingCheckpoint = ({ underWay }: AlignmentState): CheckpointId | undefined => {
  const newest = underWay !== undefined && 'length' in underWay ? underWay.at(-1) : underWay
  return newest?.barrier.checkpoint
}
