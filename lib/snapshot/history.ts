import type { CheckpointId } from '../element.ts'
import type { Commit, LogEntry, Start, StartedFromSavepoint } from './log.ts'
import type { Piece, StoredSnapshot, TaskId } from './snapshot.ts'

/** An entry, and its number in the log. */
export type Numbered<E> = E & { readonly n: number }

/** The entries of a log that name parts, in their order. */
export const commitsIn = (log: readonly Numbered<LogEntry>[]): readonly Numbered<Commit>[] =>
  log.flatMap(entry => (entry.kind === 'commit' ? [entry] : []))

/** A finished part, as its entry holds it. */
export interface StoredPart {
  readonly checkpoint: CheckpointId
  readonly entry: number
  readonly snapshots: readonly StoredSnapshot[]
}

/** What a log says of a job. */
export interface History {
  /** That it may go on from, oldest first. */
  readonly commits: readonly Numbered<Commit>[]
  /** All that they contain is published. */
  readonly done: boolean
  /** The savepoint that the job has begun with, if it has. */
  readonly savepoint: StartedFromSavepoint | undefined
  /** It was to begin with a savepoint, but has been interrupted before the copy was whole. */
  readonly interrupted: boolean
}

/**
 * What a job may go on from: those since a start that went back to an older checkpoint, or began anew, and what that
 * start went on from. What is between has been superseded, though it may still be in the log.
 */
export const history = (log: readonly Numbered<LogEntry>[]): History => {
  const all: Numbered<Commit>[] = []
  let since = 0
  let from: Start['from'] = 'none'
  let done = false
  for (const entry of log) {
    if (entry.kind === 'commit') all.push(entry)
    if (entry.kind === 'start' && entry.from !== 'latest') [from, since] = [entry.from, entry.n]
    done = entry.kind === 'done' || (done && entry.kind === 'start' && entry.from === 'latest')
  }
  const older: readonly number[] = typeof from === 'string' ? [] : from.entries
  const commits = all.filter(({ n }) => n > since || older.includes(n))
  const savepoint = typeof from === 'string' ? undefined : from.savepoint
  return { commits, done, savepoint, interrupted: savepoint !== undefined && commits.length === 0 }
}

/**
 * Of each task the newest part that it belongs to. Regions share nothing, so any mix of their parts is consistent, as long as
 * they are of tasks that were dealt alike: what is older than another dealing has been superseded as a whole.
 */
export const newestParts = (commits: readonly Numbered<Commit>[]): readonly StoredPart[] => {
  const newest = commits.at(-1)
  const taken = new Set<TaskId>()
  const parts: StoredPart[] = []
  for (const { n, stages, checkpoint, parts: committed } of [...commits].reverse()) {
    if (JSON.stringify(stages) !== JSON.stringify(newest?.stages)) break
    for (const part of committed) {
      const snapshots = part.tasks.filter(({ task }) => !taken.has(task))
      if (snapshots.length === 0) continue
      for (const { task } of snapshots) taken.add(task)
      parts.push({ checkpoint, entry: n, snapshots })
    }
  }
  return parts
}

/** A completed checkpoint as the store has it. */
export interface StoredCheckpoint {
  readonly checkpoint: CheckpointId
  /** That says that it is complete. */
  readonly entry: number
  /** Its own, and those carried over. */
  readonly parts: readonly StoredPart[]
}

/**
 * The completed checkpoints of which all is there, or all but in-flight data, oldest first: after a power failure an entry may name
 * objects that are gone.
 */
export const completedIn = (
  commits: readonly Numbered<Commit>[],
  { objects, withoutInFlight }: { readonly objects: ReadonlySet<string>; readonly withoutInFlight: boolean },
): readonly StoredCheckpoint[] =>
  commits.flatMap(({ n, checkpoint, completes }) => {
    const parts = completes === undefined ? undefined : partsOf(commits, checkpoint)
    const isThere = ({ holds, object }: Piece) => objects.has(object) || (withoutInFlight && holds === 'inFlight')
    const isWhole = parts?.every(({ snapshots }) => snapshots.every(({ pieces }) => pieces.every(isThere)))
    return parts !== undefined && isWhole === true ? [{ checkpoint, entry: n, parts }] : []
  })

/** The parts of a completed checkpoint, its own and those carried over; undefined if it is not completed, or no longer whole. */
export const partsOf = (
  commits: readonly Numbered<Commit>[],
  checkpoint: CheckpointId,
): readonly StoredPart[] | undefined => {
  const own = commits.filter(of => of.checkpoint === checkpoint)
  const completing = own.find(({ completes }) => completes !== undefined)
  if (completing === undefined) return undefined
  const byNumber = new Map(commits.map(commit => [commit.n, commit]))
  const carriedOver = completing.completes?.carriedOver ?? []
  const parts = [
    ...own.flatMap(({ n, parts: of }) => of.map(part => ({ checkpoint, entry: n, snapshots: part.tasks }))),
    ...carriedOver.flatMap(({ task, checkpoint: id, entry }) => {
      const part = byNumber.get(entry)?.parts.find(({ tasks }) => tasks.some(of => of.task === task))
      return part === undefined ? [] : [{ checkpoint: id, entry, snapshots: part.tasks }]
    }),
  ]
  const covered = new Set(parts.flatMap(({ snapshots }) => snapshots.map(({ task }) => task)))
  const tasks = Object.values(completing.stages).reduce((sum, count) => sum + count, 0)
  return covered.size === tasks ? parts : undefined
}
