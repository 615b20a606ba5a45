import type { SplitId } from '../../element.ts'
import { subtaskOf } from '../../state/keyGroups.ts'

/** How a stage was spread over tasks when a checkpoint was taken, and how it is to be. */
export interface Spread {
  readonly before: number
  readonly after: number
  readonly keyGroups: number
  /** The exchange before each of the stage's inputs; a source has none. */
  readonly inputs: readonly ('keyed' | 'rebalance' | 'forward')[]
  /** The new task of a split; undefined if the source has it no longer. */
  readonly taskOfSplit: (split: SplitId) => number | undefined
}

/** The new task that owns a key group. */
export const ownerOfGroup = (group: number, { keyGroups, after }: Spread): number =>
  subtaskOf(group, { groups: keyGroups, parallelism: after })

/** The new task that does what has no key and was left undone by an old task: its heir, the same for all stages, as for splits and transactions. */
export const heirOf = (old: number, { after }: Spread): number => old % after
