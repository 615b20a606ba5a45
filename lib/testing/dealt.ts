import type { SplitId } from '../element.ts'
import type { Subtask } from '../graph/task.ts'
import { gateState } from '../snapshot/frame.ts'
import { redistributed } from '../snapshot/redistribution/redistributed.ts'
import { unionsOf, withUnions } from '../snapshot/redistribution/unions.ts'
import type { RestoredTask } from '../snapshot/snapshot.ts'
import { type HarnessSnapshot, read } from './harnessSnapshot.ts'

export interface Dealing {
  readonly subtask: Subtask
  readonly keyGroups: number
  readonly inputs: readonly ('forward' | 'keyed')[]
  /** Of the source, if the task reads one. */
  readonly splits: readonly SplitId[]
}

/**
 * What a task is restored from: its own snapshot, or at another parallelism its share of all tasks' snapshots, dealt as the
 * runtime deals them.
 * @throws PARALLELISM_CHANGED for what belongs to a whole task
 */
export const dealt = (
  snapshots: readonly HarnessSnapshot[],
  { subtask: { index, parallelism }, keyGroups, inputs, splits }: Dealing,
): RestoredTask => {
  const own = snapshots.find(({ subtask }) => subtask.index === index)
  const tasks = snapshots.toSorted((a, b) => a.subtask.index - b.subtask.index).map(read)
  const unions = unionsOf(tasks)
  if (own?.subtask.parallelism === parallelism) {
    return snapshots.length === parallelism ? withUnions(tasks[index] as RestoredTask, unions) : read(own)
  }
  const before = checkedWhole(snapshots)
  const taskOfSplit = (split: SplitId) => (splits.includes(split) ? splits.indexOf(split) % parallelism : undefined)
  const shares = redistributed(tasks, {
    before,
    after: parallelism,
    keyGroups,
    inputs: inputs.map(exchange => ({
      exchange,
      producers: parallelism,
      joined: (from, to) => exchange === 'keyed' || from === to,
    })),
    taskOfSplit,
    generations: { before: 0, count: 1, of: () => 0, ofFrames: () => 0 },
  })
  return withUnions(withoutGenerations(shares[index] as RestoredTask), unions)
}

const checkedWhole = (snapshots: readonly HarnessSnapshot[]): number => {
  const parallelism = snapshots[0]?.subtask.parallelism ?? 0
  const found = new Set(snapshots.map(({ subtask }) => subtask.index))
  if (found.size === parallelism && snapshots.every(({ subtask }) => subtask.parallelism === parallelism)) {
    return parallelism
  }
  throw new Error(
    `a restore at another parallelism needs the snapshots of all ${parallelism} subtasks, found those of ${[...found].join(', ') || 'none'}`,
  )
}

/** Nothing before a task that stands alone has recovered data, or sends markers. */
const withoutGenerations = ({ operators, inFlight, ...task }: RestoredTask): RestoredTask => ({
  ...task,
  operators: new Map([...operators].filter(([name]) => name !== gateState.operator)),
  inFlight: inFlight.map(({ input, from, elements }) => ({ input, from, elements })),
})
