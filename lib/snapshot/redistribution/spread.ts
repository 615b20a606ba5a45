import type { SplitId } from '../../element.ts'
import type { BroadcastEffect } from '../../state/broadcastLines.ts'
import { subtaskOf } from '../../state/keyGroups.ts'
import type { DealtGenerations } from './generations.ts'

/** How a stage was spread over tasks when a checkpoint was taken, and how it is to be. */
export interface Spread {
  readonly before: number
  readonly after: number
  readonly keyGroups: number
  /** A source has none. */
  readonly inputs: readonly SpreadInput[]
  /** Its operator with broadcast state, to which all its broadcast inputs go. */
  readonly broadcast?: { readonly operator: string; readonly effect: BroadcastEffect } | undefined
  /** The new task of a split; undefined if the source has it no longer. */
  readonly taskOfSplit: (split: SplitId) => number | undefined
  readonly generations: DealtGenerations
}

/** An input of the stage, as it is to be. */
export interface SpreadInput {
  readonly exchange: 'forward' | 'keyed' | 'rebalance' | 'rescale' | 'broadcast' | 'global' | 'custom'
  /** Tasks of the stage that it comes from. */
  readonly producers: number
  /** There is a channel between these two. */
  readonly joined: (from: number, to: number) => boolean
  /** Of a custom exchange: the task of each record. */
  readonly tasksOf?: (records: readonly unknown[]) => readonly number[]
}

/** The new task that owns a key group. */
export const ownerOfGroup = (group: number, { keyGroups, after }: Spread): number =>
  subtaskOf(group, { groups: keyGroups, parallelism: after })

/** The new task that does what has no key and was left undone by an old task: its heir, the same for all stages, as for splits and transactions. */
export const heirOf = (old: number, { after }: Spread): number => old % after
