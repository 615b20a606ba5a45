import * as t from 'io-ts'
import { groupsOf } from './keyGroups.ts'

/**
 * What the records of an operator's broadcast input change: its broadcast state alone, or also the state of keys and what
 * comes out.
 */
export type BroadcastEffect = 'broadcastState' | 'keysAndResults'

/**
 * One old task's line, as a task goes on with it: that task's broadcast state, with what it had still to do with broadcast
 * records, in order, applied to it.
 *
 * At a cut the old tasks have taken different numbers of the same broadcast records. State and remaining records of one task
 * belong together: those of two must never be mixed.
 */
export interface BroadcastLine {
  /** Key groups whose state it is applied to: from `begin` up to, but not including, `end`. */
  readonly begin: number
  readonly end: number
}

/** A line that a new task goes on with. */
export interface HeldLine extends BroadcastLine {
  /** Number of the line that it goes on from. */
  readonly of: number
  /** It has that one's first key group: what belongs to no key comes out here. */
  readonly isFirst: boolean
}

/** The line of a task that is its own. */
export const lineOf = (
  task: number,
  { parallelism, groups }: { readonly parallelism: number; readonly groups: number },
): BroadcastLine => groupsOf(task, { groups, parallelism })

/**
 * By new tasks: the lines that they go on with, of an operator whose broadcast records change state of keys and results. What a
 * line has still to do with its keys is done where they are now; what it has still to emit for no key is emitted by the heir of
 * its first key group. After all that each task's lines are equal, and any of them is its own.
 *
 * Guarantees that of each line each key group is in one new task, and the first of them too. Lines of a task stand in
 * the order of their groups if `lines` do. The parallelism is not above `groups` (PARALLELISM_TOO_LARGE).
 */
export const heldLines = (
  lines: readonly BroadcastLine[],
  { parallelism, groups }: { readonly parallelism: number; readonly groups: number },
): readonly (readonly HeldLine[])[] =>
  Array.from({ length: parallelism }, (_, heir) => {
    const own = groupsOf(heir, { groups, parallelism })
    return lines.flatMap((line, of) => {
      const [begin, end] = [Math.max(own.begin, line.begin), Math.min(own.end, line.end)]
      return begin < end ? [{ of, begin, end, isFirst: begin === line.begin }] : []
    })
  })

export const broadcastLinesType: t.Type<readonly BroadcastLine[], any> = t.readonlyArray(
  t.type({ begin: t.number, end: t.number }),
)
