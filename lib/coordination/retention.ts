import type { CheckpointId } from '../element.ts'
import { objectsOf, type StoredSnapshot, type TaskId } from '../snapshot/snapshot.ts'

/** A region's part that a log entry names. */
export interface FinishedPart {
  readonly checkpoint: CheckpointId
  /** The number of the entry. */
  readonly entry: number
  readonly tasks: readonly TaskId[]
  /** That it names. */
  readonly objects: readonly string[]
  /** All its tasks had ended. */
  readonly final: boolean
}

/** Without the snapshots themselves: the small ones are in the entry. */
export const finishedPart = (
  at: { readonly checkpoint: CheckpointId; readonly entry: number },
  snapshots: readonly StoredSnapshot[],
): FinishedPart => ({
  checkpoint: at.checkpoint,
  entry: at.entry,
  tasks: snapshots.map(({ task }) => task),
  objects: snapshots.flatMap(objectsOf),
  final: snapshots.every(({ ended }) => ended),
})

/** A checkpoint that is kept, and the parts that it is made of: its own, and those carried over. */
export interface Completed {
  readonly checkpoint: CheckpointId
  /** The entry that says so; none for what a job was restored from, if it was no completed checkpoint. */
  readonly entry: number | undefined
  readonly parts: readonly FinishedPart[]
}

/** A completed checkpoint of which a savepoint is being made. */
export interface Saving {
  readonly request: number
  readonly of: Completed
}

/** What is in the store, as far as it may be deleted some time. */
export interface Kept {
  /** Completed checkpoints that are kept, oldest first. */
  readonly retained: readonly Completed[]
  /** Those of which savepoints are being made. */
  readonly saving: readonly Saving[]
  /** Finished parts whose objects are in the store. */
  readonly known: readonly FinishedPart[]
  /** Objects of snapshots that belong to no finished part; others may share them. */
  readonly unneeded: readonly string[]
  /** Objects of parts whose commit has failed: until the next one succeeds, the entry may stand all the same. */
  readonly doubtful: readonly string[]
  /** Of the log, by their numbers. */
  readonly entries: ReadonlySet<number>
}

export interface Released {
  readonly objects: readonly string[]
  readonly entries: readonly number[]
}

/**
 * What is deleted once a checkpoint is settled: a part lives as long as its region has finished no later one, or a checkpoint
 * that is kept, or of which a savepoint is being made, is made of it; an object as long as such a part, a task that has ended, or a
 * commit in doubt names it; an entry as long as a part that it names, or the checkpoint that it completes, is kept.
 */
export const released = (
  { retained, saving, known, unneeded, doubtful, entries }: Kept,
  { finished, ended }: { readonly finished: readonly FinishedPart[]; readonly ended: readonly string[] },
): readonly [Kept, Released] => {
  const kept = [...retained, ...saving.map(({ of }) => of)]
  const alive = new Set([...finished, ...kept.flatMap(({ parts }) => parts)])
  const dead = known.filter(part => !alive.has(part))
  const named = new Set([...ended, ...doubtful])
  const needed = new Set(kept.flatMap(({ entry }) => entry ?? []))
  for (const { objects, entry } of alive) {
    needed.add(entry)
    for (const object of objects) named.add(object)
  }
  const dying = new Set([...unneeded, ...dead.flatMap(part => part.objects)].filter(of => !named.has(of)))
  return [
    { retained, saving, known: [...alive], unneeded: [], doubtful, entries: needed },
    { objects: [...dying], entries: [...entries].filter(entry => !needed.has(entry)) },
  ]
}
