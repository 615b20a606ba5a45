import { concatMap, forkJoin, from, map, type Observable, of, switchMap, toArray } from 'rxjs'
import type { CheckpointId } from '../element.ts'
import { SpillwayError } from '../error.ts'
import type { Plan, Stage } from '../graph/plan.ts'
import type { Coding } from '../snapshot/chunk.ts'
import {
  commitsIn,
  completedIn,
  history,
  type Numbered,
  newestParts,
  type StoredCheckpoint,
  type StoredPart,
} from '../snapshot/history.ts'
import { type Commit, checkpointOf, type LogEntry, type Start } from '../snapshot/log.ts'
import { type DealtGenerations, dealtGenerations } from '../snapshot/redistribution/generations.ts'
import { redistributed } from '../snapshot/redistribution/redistributed.ts'
import type { RestoredTask, TaskId } from '../snapshot/snapshot.ts'
import type { Store } from '../store/store.ts'
import { type FoundSavepoint, foundSavepoint, type Imported, imported, isGoneOnWith } from './importSavepoint.ts'
import { isMoved, matchedByName, operatorsGone } from './matchByName.ts'
import type { FromSavepoint, Settings } from './options.ts'
import type { ReadOptions } from './readSnapshots.ts'
import { entryOf, logOf, newestOf, type RestoredJob, restoredJob, withoutPublished } from './restoredJob.ts'
import { spreadOf, type Target } from './spreadOf.ts'

/** What a start finds in a store. */
export interface Found {
  /** Of this start. */
  readonly epoch: number
  readonly nextEntry: number
  readonly nextCheckpoint: CheckpointId
  /** What the start's entry says. */
  readonly from: Start['from']
  readonly restored: RestoredJob | undefined
  /** A savepoint that is to be copied into the store: the start's entry says that it goes on from the copy. */
  readonly imported: Imported | undefined
  /** What the restored state may have that the pipelines have not. */
  readonly allowDropped: readonly string[]
  /** The entry that says that what is restored is a completed checkpoint, if it is one. */
  readonly completedBy: number | undefined
  /** Completed checkpoints that are kept beside what is restored, oldest first. */
  readonly retained: readonly StoredCheckpoint[]
  /** All that is there; what neither the restored parts nor those of what is kept name belongs to nothing. */
  readonly objects: readonly string[]
  /** The numbers of all commit entries; the others than those of what is restored and kept name what is no longer needed. */
  readonly commits: readonly number[]
  /** The numbers of entries that say no more than the start's own will. */
  readonly restarts: readonly number[]
}

export interface FindOptions {
  readonly restore: Settings['restore']
  /** Completed checkpoints that are kept, with what is restored. */
  readonly retainedCount: number
  /** The sinks of the job, that would publish again what they have published. */
  readonly sinks: readonly string[]
  readonly encoding: Coding
  readonly readsMax: number
}

/**
 * Reads a store's log, and unless `restore` is 'none' each region's newest durable part, or those of the checkpoint that it names.
 * Errs with DAMAGED, FORMAT_UNKNOWN, STORE_FAILED, CHECKPOINT_NOT_FOUND, WOULD_DUPLICATE.
 */
export const found = (store: Store, options: FindOptions): Observable<Found> =>
  forkJoin({
    log: logOf(store, { encoding: options.encoding, withoutInFlight: isWithoutInFlight(options.restore) }),
    objects: store.list(''),
    savepoint: savepointOf(options),
  }).pipe(
    switchMap(({ log, objects, savepoint }) => {
      const commits = commitsIn(log)
      const base = {
        epoch: 1 + log.reduce((largest, { epoch }) => Math.max(largest, epoch), 0),
        nextEntry: 1 + log.reduce((largest, { n }) => Math.max(largest, n), 0),
        nextCheckpoint: nextCheckpoint(log, objects),
        objects,
        commits: commits.map(({ n }) => n),
        restarts: log.flatMap(({ n, kind }) => (kind === 'restart' ? [n] : [])),
      }
      const begun = history(log)
      if (savepoint !== undefined && !isGoneOnWith(begun, savepoint)) {
        if (begun.commits.length > 0 && !savepoint.acceptDuplicates) throw hasGoneOn(store, savepoint, options.sinks)
        return imported(savepoint, base, options)
      }
      const restore = isFromSavepoint(options.restore) ? 'latest' : options.restore
      if (restore === 'latest' && begun.interrupted) throw interrupted(store)
      const withoutInFlight = isWithoutInFlight(restore)
      const there = completedIn(commits, { objects: new Set(objects), withoutInFlight })
      const { parts, done } = chosen(log, there, { restore, sinks: options.sinks })
      const retained = retainedBeside(parts, { log, there, retainedCount: options.retainedCount })
      const start = {
        ...base,
        from: fromOf(restore, [...retained.flatMap(of => of.parts), ...parts]),
        completedBy: there.find(({ checkpoint }) => checkpoint === newestOf(parts))?.entry,
        retained,
        imported: undefined,
        allowDropped: savepoint?.identity.allowDropped ?? begun.savepoint?.allowDropped ?? [],
      }
      const newest = parts.reduce((largest, { entry }) => Math.max(largest, entry), 0)
      const facts = commits.find(({ n }) => n === newest)
      if (facts === undefined) return of({ ...start, restored: undefined })
      const publishedIn = new Set(
        commits.flatMap(({ n, savepoint: of }) => (of?.published === true || done ? [n] : [])),
      )
      const { encoding, readsMax } = options
      const lastResort = typeof restore === 'string' ? there.at(-1)?.checkpoint : restore.checkpoint
      const reading = { encoding, readsMax, withoutInFlight, lastResort }
      return restoredJob(store, facts, { ...reading, parts }).pipe(
        map(restored => ({ ...start, restored: withoutPublished(restored, publishedIn) })),
      )
    }),
  )

const savepointOf = ({ restore, encoding }: FindOptions): Observable<FoundSavepoint | undefined> =>
  isFromSavepoint(restore) ? foundSavepoint(restore, encoding) : of(undefined)

const isFromSavepoint = (restore: Settings['restore']): restore is FromSavepoint =>
  typeof restore === 'object' && 'savepoint' in restore

export const isWithoutInFlight = (restore: Settings['restore']): boolean =>
  typeof restore === 'object' && 'checkpoint' in restore && restore.withoutInFlightData === true

interface Chosen {
  readonly parts: readonly StoredPart[]
  /** All that they contain is published. */
  readonly done: boolean
}

const chosen = (
  log: readonly Numbered<LogEntry>[],
  there: readonly StoredCheckpoint[],
  {
    restore,
    sinks,
  }: { readonly restore: Exclude<Settings['restore'], FromSavepoint>; readonly sinks: readonly string[] },
): Chosen => {
  if (restore === 'none') return { parts: [], done: false }
  if (restore === 'latest') {
    const { commits, done } = history(log)
    return { parts: newestParts(commits), done }
  }
  const { checkpoint, acceptDuplicates = false } = restore
  const commits = commitsIn(log)
  const found = there.find(of => of.checkpoint === checkpoint)
  if (found === undefined) throw notThere(checkpoint, there)
  const newer = commits.filter(of => of.checkpoint > checkpoint && of.parts.length > 0).at(-1)
  if (newer !== undefined && !acceptDuplicates) {
    throw wouldDuplicate({ checkpoint, newer: newer.checkpoint, sinks })
  }
  return { parts: found.parts, done: false }
}

/** Older than what is restored, and not superseded; one fewer than are kept, as what is restored is one. */
const retainedBeside = (
  parts: readonly StoredPart[],
  {
    log,
    there,
    retainedCount,
  }: {
    readonly log: readonly Numbered<LogEntry>[]
    readonly there: readonly StoredCheckpoint[]
    readonly retainedCount: number
  },
): readonly StoredCheckpoint[] => {
  const valid = new Set(history(log).commits.map(({ n }) => n))
  const older = there.filter(of => valid.has(of.entry) && parts.some(({ checkpoint }) => checkpoint > of.checkpoint))
  return older.slice(Math.max(0, older.length - (retainedCount - 1)))
}

const fromOf = (restore: Exclude<Settings['restore'], FromSavepoint>, parts: readonly StoredPart[]): Start['from'] =>
  typeof restore === 'string'
    ? restore
    : { checkpoint: restore.checkpoint, entries: [...new Set(parts.map(({ entry }) => entry))] }

/** No id is used again, whatever has been deleted since. */
const nextCheckpoint = (log: readonly Numbered<LogEntry>[], objects: readonly string[]): CheckpointId => {
  const ids = log.flatMap(entry => {
    if (entry.kind === 'commit') return [entry.checkpoint]
    return entry.kind === 'start' ? [entry.nextCheckpoint - 1] : []
  })
  return (
    1 + [...ids, ...objects.map(object => checkpointOf(object) ?? 0)].reduce((largest, id) => Math.max(largest, id), 0)
  )
}

const notThere = (checkpoint: CheckpointId, there: readonly StoredCheckpoint[]) =>
  new SpillwayError('CHECKPOINT_NOT_FOUND', {
    place: `restoring checkpoint ${checkpoint}`,
    problem: `the store has no such completed checkpoint, or no longer all of it. It has ${there.map(of => of.checkpoint).join(', ') || 'none'}.`,
    remedy: "Name one of those, or give restore: 'latest'. checkpoints.retainedCount says how many are kept.",
  })

const wouldDuplicate = ({
  checkpoint,
  newer,
  sinks,
}: {
  readonly checkpoint: CheckpointId
  readonly newer: CheckpointId
  readonly sinks: readonly string[]
}) =>
  new SpillwayError('WOULD_DUPLICATE', {
    place: `restoring checkpoint ${checkpoint}`,
    problem: `${sinks.join(', ')} may have published what came after it, up to checkpoint ${newer}, and would publish that again.`,
    remedy: "Give restore: 'latest', or accept it: restore: { checkpoint, acceptDuplicates: true }.",
  })

const hasGoneOn = (store: Store, { store: from }: FoundSavepoint, sinks: readonly string[]) =>
  new SpillwayError('WOULD_DUPLICATE', {
    place: `restoring the savepoint in ${from.name}`,
    problem: `${store.name} has checkpoints that do not come from it, and ${sinks.join(', ')} may publish again what these contain.`,
    remedy:
      "Give run a store that is new, or restore: 'latest', or accept it: restore: { savepoint, acceptDuplicates: true }.",
  })

const interrupted = (store: Store) =>
  new SpillwayError('CHECKPOINT_NOT_FOUND', {
    place: store.name,
    problem: 'the job was to begin with a savepoint, and was interrupted before it had all of it.',
    remedy: 'Give restore: { savepoint } once more.',
  })

/** What these entries name, read again while the job runs: the newest parts of these tasks, or of all. */
export const restoredAgain = (
  store: Store,
  {
    entries,
    tasks,
    ...options
  }: ReadOptions & {
    readonly entries: readonly number[]
    readonly tasks?: ReadonlySet<TaskId>
  },
): Observable<RestoredJob> =>
  from(entries).pipe(
    concatMap(n => entryOf(store, n, options)),
    toArray(),
    switchMap(log => {
      const commits = commitsIn(log)
      const parts = newestParts(commits).map(part => ({
        ...part,
        snapshots: part.snapshots.filter(({ task }) => tasks?.has(task) !== false),
      }))
      const publishedIn = new Set(commits.flatMap(({ n, savepoint }) => (savepoint?.published === true ? [n] : [])))
      return restoredJob(store, commits.at(-1) as Commit, { ...options, parts }).pipe(
        map(restored => withoutPublished(restored, publishedIn)),
      )
    }),
  )

/**
 * The tasks' shares for this plan: as they are stored, or dealt anew if any stage had another number of tasks. Then all stages
 * are, so that recovered data is worked off in generations everywhere. A region that has never finished a part has none. Operators
 * of a savepoint are found by their names.
 * @throws STATE_NOT_MATCHED, STATE_WOULD_BE_DROPPED if the parts do not belong to these pipelines; PARALLELISM_CHANGED,
 * KEY_GROUPS_CHANGED
 */
export const restoredFor = (restored: RestoredJob, target: Target): RestoredJob => {
  const { plan, keyGroups } = target
  if (restored.keyGroups !== keyGroups) throw keyGroupsChanged(restored, keyGroups)
  if (isMoved(restored, plan)) {
    const gone = operatorsGone(restored, plan)
    return { ...restored, tasks: matchedByName(restored, target), dealtAnew: true, gone }
  }
  checkMatch(restored, plan)
  const isOther = plan.stages.some(({ id, parallelism }) => restored.stages[id] !== parallelism)
  const tasks = isOther ? dealt(restored, target) : restored.tasks
  // What a savepoint has and the pipelines have not is left behind with it, as a whole.
  if (restored.isSavepoint) return { ...restored, tasks, dealtAnew: true, gone: operatorsGone(restored, plan) }
  return { ...restored, tasks, dealtAnew: isOther }
}

const dealt = (restored: RestoredJob, { plan, keyGroups, splits }: Target): ReadonlyMap<TaskId, RestoredTask> => {
  const tasksOf = ({ id }: Stage) =>
    Array.from({ length: restored.stages[id] as number }, (_, index) => restored.tasks.get(`${id}/${index}`) ?? nothing)
  const depths = depthsOf(plan)
  const generations = dealtGenerations(
    plan.stages.map(stage => ({
      id: stage.id,
      depth: depths.get(stage) as number,
      framesFirst: stage.inputs.some(({ exchange }) => exchange === 'custom'),
      tasks: tasksOf(stage),
    })),
  )
  return new Map(
    plan.stages.flatMap(stage => {
      const tasks = tasksOf(stage)
      const spread = spreadOf(stage, {
        before: tasks.length,
        keyGroups,
        splits: splits.get(stage) ?? [],
        generations: generations.get(stage.id) as DealtGenerations,
      })
      return redistributed(tasks, spread).map((share, index) => [`${stage.id}/${index}`, share] as const)
    }),
  )
}

const nothing: RestoredTask = { ended: false, operators: new Map(), inFlight: [] }

/** By stages: how many lead to it, one behind the other, at the most. */
const depthsOf = ({ stages }: Plan): ReadonlyMap<Stage, number> => {
  const depths = new Map<Stage, number>()
  const depthOf = (stage: Stage): number => {
    const depth = depths.get(stage) ?? stage.inputs.reduce((most, { from }) => Math.max(most, 1 + depthOf(from)), 0)
    depths.set(stage, depth)
    return depth
  }
  stages.forEach(depthOf)
  return depths
}

const checkMatch = ({ stages: stored, checkpoint }: RestoredJob, plan: Plan): void => {
  const place = `restoring checkpoint ${checkpoint}`
  const stages = new Set(plan.stages.map(({ id }) => id))
  const gone = Object.keys(stored).filter(id => !stages.has(id))
  const added = [...stages].filter(id => stored[id] === undefined)
  if (gone.length > 0 || added.length > 0) {
    throw new SpillwayError(gone.length > 0 ? 'STATE_WOULD_BE_DROPPED' : 'STATE_NOT_MATCHED', {
      place,
      problem: `it was taken of another pipeline: stages ${list(gone)} are no longer there, stages ${list(added)} are new.`,
      remedy:
        'Run the pipeline that the store belongs to, and stop it with a savepoint: into another pipeline only that can be restored. Or restore: "none".',
    })
  }
}

const keyGroupsChanged = ({ checkpoint, keyGroups: stored }: RestoredJob, keyGroups: number) =>
  new SpillwayError('KEY_GROUPS_CHANGED', {
    place: `restoring checkpoint ${checkpoint}`,
    problem: `its keys are dealt in ${stored} groups, and run has been given ${keyGroups}.`,
    remedy: `Give run the option keyGroups: ${stored}, or restore: "none" on another store.`,
  })

const list = (names: readonly string[]): string => (names.length === 0 ? '(none)' : names.join(', '))
