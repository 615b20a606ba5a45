import { concatMap, from, map, type Observable, toArray } from 'rxjs'
import { type CheckpointId, countRecords } from '../element.ts'
import { delivered } from '../snapshot/delivered.ts'
import { ownState, recordsInFrame } from '../snapshot/frame.ts'
import type { Numbered, StoredPart } from '../snapshot/history.ts'
import { type Commit, type JobFacts, type LogEntry, readEntry } from '../snapshot/log.ts'
import { type Unions, unionsOf } from '../snapshot/redistribution/unions.ts'
import type { ReadSnapshot, RestoredTask, TaskId } from '../snapshot/snapshot.ts'
import { type LeftOut, withoutInFlight } from '../snapshot/withoutInFlight.ts'
import type { RestoredOperator } from '../state/operatorState.ts'
import type { Store } from '../store/store.ts'
import { type ReadOptions, readSnapshots } from './readSnapshots.ts'

/** Parts of a store, read. */
export interface RestoredJob extends JobFacts {
  /** The newest of the parts'. */
  readonly checkpoint: CheckpointId
  /** Each region's newest. */
  readonly parts: readonly StoredPart[]
  readonly tasks: ReadonlyMap<TaskId, RestoredTask>
  /** Of its operators; dealing the tasks anew leaves them as they are. */
  readonly unions: Unions
  readonly recordsInFlight: number
  /** The in-flight data that it was to be restored without. */
  readonly leftOut?: readonly LeftOut[]
  /** It is a savepoint: operators are found by their names, wherever they are now. */
  readonly isSavepoint: boolean
  /** Its tasks are not those that were stored: some stage has another number of them, or it is a savepoint. */
  readonly dealtAnew: boolean
  /** Of a savepoint: the operators that the pipelines do not have, with their state in each task. */
  readonly gone: ReadonlyMap<string, readonly RestoredOperator[]>
}

/** What is in these parts. Errs with DAMAGED, OBJECT_NOT_FOUND, STORE_FAILED. */
export const restoredJob = (
  store: Store,
  { keyGroups, stages, savepoint }: JobFacts & Pick<Commit, 'savepoint'>,
  { parts, ...options }: ReadOptions & { readonly parts: readonly StoredPart[] },
): Observable<RestoredJob> =>
  readSnapshots(
    store,
    parts.flatMap(({ entry, snapshots }) => snapshots.map(snapshot => ({ entry, snapshot }))),
    options,
  ).pipe(
    map(read => (options.withoutInFlight === true ? leavingOut(read) : { tasks: delivered(read) })),
    map(({ tasks, ...others }) => ({
      ...others,
      keyGroups,
      stages,
      checkpoint: newestOf(parts),
      parts,
      tasks,
      unions: unionsOf(inOrder(stages, tasks)),
      recordsInFlight: [...tasks.values()].reduce((count, task) => count + recordsInFlight(task), 0),
      isSavepoint: savepoint !== undefined,
      dealtAnew: false,
      gone: new Map(),
    })),
  )

export const newestOf = (parts: readonly StoredPart[]): CheckpointId =>
  parts.reduce((largest, { checkpoint }) => Math.max(largest, checkpoint), 0)

const leavingOut = (read: ReadonlyMap<TaskId, ReadSnapshot>) => {
  const all = Array.from(read, ([task, snapshot]) => [task, ...withoutInFlight(task, snapshot)] as const)
  return {
    tasks: delivered(new Map(all.map(([task, snapshot]) => [task, snapshot]))),
    leftOut: all.flatMap(([, , leftOut]) => leftOut),
  }
}

/** Stage by stage, by their numbers. */
const inOrder = (stages: JobFacts['stages'], tasks: ReadonlyMap<TaskId, RestoredTask>): readonly RestoredTask[] =>
  Object.entries(stages).flatMap(([id, parallelism]) =>
    Array.from({ length: parallelism }, (_, index) => `${id}/${index}`).flatMap(name => tasks.get(name) ?? []),
  )

const recordsInFlight = ({ inFlight, operators }: RestoredTask): number => {
  let records = inFlight.reduce((count, { elements }) => count + countRecords(elements), 0)
  for (const { kept } of operators.values()) records += recordsInFrame(kept) ?? 0
  return records
}

/**
 * Of parts in these entries sinks are not asked to publish again: what they had written may have been taken away since.
 */
export const withoutPublished = (restored: RestoredJob, publishedIn: ReadonlySet<number>): RestoredJob => {
  const ofThese = new Set(
    restored.parts.flatMap(({ entry, snapshots }) => (publishedIn.has(entry) ? snapshots.map(({ task }) => task) : [])),
  )
  if (ofThese.size === 0) return restored
  const tasks = [...restored.tasks].map(
    ([id, task]) => [id, ofThese.has(id) ? withoutTransactions(task) : task] as const,
  )
  return { ...restored, tasks: new Map(tasks) }
}

const withoutTransactions = (task: RestoredTask): RestoredTask => ({
  ...task,
  operators: new Map(
    [...task.operators].map(([name, { kept, ...of }]) => {
      const { [ownState.transactions]: _, ...others } = kept
      return [name, { ...of, kept: others }]
    }),
  ),
})

export const logOf = (store: Store, options: EntryOptions): Observable<readonly Numbered<LogEntry>[]> =>
  store.entries().pipe(
    concatMap(numbers => from(numbers)),
    concatMap(n => entryOf(store, n, options)),
    toArray(),
  )

type EntryOptions = Pick<ReadOptions, 'encoding' | 'withoutInFlight'>

export const entryOf = (
  store: Store,
  n: number,
  { encoding, withoutInFlight: isWithout }: EntryOptions,
): Observable<Numbered<LogEntry>> =>
  store.entry(n).pipe(map(bytes => ({ ...readEntry(n, bytes, encoding, { withoutInFlight: isWithout }), n })))
