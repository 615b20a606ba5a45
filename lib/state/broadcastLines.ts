import { groupsOf } from './keyGroups.ts'

/**
 * What the records of an operator's broadcast input change: its broadcast state alone, or also the state of keys and what
 * comes out.
 */
export type BroadcastEffect = 'broadcastState' | 'keysAndResults'

/**
 * One old task's line, as a new task goes on with it: that task's broadcast state, with its in-flight data of the broadcast
 * input, in order, applied to it.
 *
 * At a cut the old tasks have taken different numbers of the same broadcast records. State and remaining records of one task
 * belong together: those of two must never be mixed.
 */
export interface BroadcastLine {
  /** The old task. */
  readonly of: number
  /** Key groups whose state it is applied to, from `begin` up to, but not including, `end`; none if they are equal. */
  readonly groups: { readonly begin: number; readonly end: number }
  /** Whether what it emits comes out here. */
  readonly emits: boolean
}

/**
 * The lines that each new task goes on with. After them all its broadcast states are equal, and any of them is its own.
 *
 * - `broadcastState`: one line is enough, for nothing else depends on it: that of old task 0, everywhere. At the same
 *   parallelism each task has its own.
 * - `keysAndResults`: what old task i has still to do with its keys is done where they are now, and what it has still to emit
 *   is emitted by the heir of its first key group.
 *
 * Guarantees that of each line each key group is in one new task, and that it emits in one. Neither parallelism is above
 * `groups` (PARALLELISM_TOO_LARGE).
 */
export const broadcastLines = (
  effect: BroadcastEffect,
  {
    oldParallelism,
    newParallelism,
    groups,
  }: { readonly oldParallelism: number; readonly newParallelism: number; readonly groups: number },
): readonly (readonly BroadcastLine[])[] =>
  indexes(newParallelism).map(heir => {
    const own = groupsOf(heir, { groups, parallelism: newParallelism })
    if (effect === 'broadcastState') {
      return [{ of: oldParallelism === newParallelism ? heir : 0, groups: { begin: 0, end: 0 }, emits: false }]
    }
    return indexes(oldParallelism).flatMap(of => {
      const old = groupsOf(of, { groups, parallelism: oldParallelism })
      const [begin, end] = [Math.max(own.begin, old.begin), Math.min(own.end, old.end)]
      return begin < end ? [{ of, groups: { begin, end }, emits: begin === old.begin }] : []
    })
  })

const indexes = (count: number): readonly number[] => Array.from({ length: count }, (_, i) => i)
