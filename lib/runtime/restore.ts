import { concatMap, forkJoin, from, map, type Observable, of, switchMap, toArray } from 'rxjs'
import { type CheckpointId, countRecords, type SplitId } from '../element.ts'
import { SpillwayError } from '../error.ts'
import { channelsOf } from '../graph/channelsOf.ts'
import { joins } from '../graph/joins.ts'
import type { Plan, Stage } from '../graph/plan.ts'
import type { OperatorNode } from '../graph/stream.ts'
import { delivered } from '../snapshot/delivered.ts'
import type { Encoding } from '../snapshot/encoding.ts'
import { ownState, recordsInFrame } from '../snapshot/frame.ts'
import { completedIn, history, type Numbered, newestParts, partsOf, type StoredPart } from '../snapshot/history.ts'
import { type Commit, checkpointOf, type JobFacts, type LogEntry, readEntry, type Start } from '../snapshot/log.ts'
import { type DealtGenerations, dealtGenerations } from '../snapshot/redistribution/generations.ts'
import { redistributed } from '../snapshot/redistribution/redistributed.ts'
import type { Spread, SpreadInput } from '../snapshot/redistribution/spread.ts'
import type { RestoredTask, TaskId } from '../snapshot/snapshot.ts'
import type { Store } from '../store/store.ts'
import type { Settings } from './options.ts'
import { type ReadOptions, readSnapshots } from './readSnapshots.ts'

/** What a start finds in a store. */
export interface Found {
  /** Of this start. */
  readonly epoch: number
  readonly nextEntry: number
  readonly nextCheckpoint: CheckpointId
  /** What the start's entry says. */
  readonly from: Start['from']
  readonly restored: RestoredJob | undefined
  /** All that is there; what the restored parts do not name belongs to nothing. */
  readonly objects: readonly string[]
  /** The numbers of all commit entries; the others than the restored parts' name what is no longer kept. */
  readonly commits: readonly number[]
  /** The numbers of entries that say no more than the start's own will. */
  readonly restarts: readonly number[]
}

export interface RestoredJob extends JobFacts {
  /** The newest of the parts'. */
  readonly checkpoint: CheckpointId
  /** Each region's newest. */
  readonly parts: readonly StoredPart[]
  readonly tasks: ReadonlyMap<TaskId, RestoredTask>
  readonly recordsInFlight: number
}

export interface FindOptions {
  readonly restore: Settings['restore']
  /** The sinks of the job, that would publish again what they have published. */
  readonly sinks: readonly string[]
  readonly encoding: Encoding
  readonly readsMax: number
}

/**
 * Reads a store's log, and unless `restore` is 'none' each region's newest durable part, or those of the checkpoint that it names.
 * Errs with DAMAGED, STORE_FAILED, CHECKPOINT_NOT_FOUND, WOULD_DUPLICATE.
 */
export const found = (store: Store, options: FindOptions): Observable<Found> =>
  forkJoin({ log: logOf(store, options.encoding), objects: store.list('') }).pipe(
    switchMap(({ log, objects }) => {
      const commits = log.flatMap(entry => (entry.kind === 'commit' ? [entry] : []))
      const { parts, done } = chosen(log, options)
      const start = {
        epoch: 1 + log.reduce((largest, { epoch }) => Math.max(largest, epoch), 0),
        nextEntry: 1 + log.reduce((largest, { n }) => Math.max(largest, n), 0),
        nextCheckpoint: nextCheckpoint(log, objects),
        from: fromOf(options.restore, parts),
        objects,
        commits: commits.map(({ n }) => n),
        restarts: log.flatMap(({ n, kind }) => (kind === 'restart' ? [n] : [])),
      }
      const newest = parts.reduce((largest, { entry }) => Math.max(largest, entry), 0)
      const facts = commits.find(({ n }) => n === newest)
      if (facts === undefined) return of({ ...start, restored: undefined })
      return restoredJob(store, facts, { ...options, parts }).pipe(
        map(restored => ({ ...start, restored: done ? published(restored) : restored })),
      )
    }),
  )

interface Chosen {
  readonly parts: readonly StoredPart[]
  /** All that they contain is published. */
  readonly done: boolean
}

const chosen = (
  log: readonly Numbered<LogEntry>[],
  { restore, sinks }: Pick<FindOptions, 'restore' | 'sinks'>,
): Chosen => {
  if (restore === 'none') return { parts: [], done: false }
  if (restore === 'latest') {
    const { commits, done } = history(log)
    return { parts: newestParts(commits), done }
  }
  const { checkpoint, acceptDuplicates = false } = restore
  const commits = log.flatMap(entry => (entry.kind === 'commit' ? [entry] : []))
  const parts = partsOf(commits, checkpoint)
  if (parts === undefined) throw notThere(checkpoint, completedIn(commits))
  const newer = commits.filter(of => of.checkpoint > checkpoint && of.parts.length > 0).at(-1)
  if (newer !== undefined && !acceptDuplicates) {
    throw wouldDuplicate({ checkpoint, newer: newer.checkpoint, sinks })
  }
  return { parts, done: false }
}

/** Their sinks are not asked to publish again: what they had written may have been taken away since. */
const published = (restored: RestoredJob): RestoredJob => ({
  ...restored,
  tasks: new Map(
    [...restored.tasks].map(([id, task]) => [
      id,
      {
        ...task,
        operators: new Map(
          [...task.operators].map(([name, { kept, ...of }]) => {
            const { [ownState.transactions]: _, ...others } = kept
            return [name, { ...of, kept: others }]
          }),
        ),
      },
    ]),
  ),
})

const fromOf = (restore: Settings['restore'], parts: readonly StoredPart[]): Start['from'] =>
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

const notThere = (checkpoint: CheckpointId, there: readonly CheckpointId[]) =>
  new SpillwayError('CHECKPOINT_NOT_FOUND', {
    place: `restoring checkpoint ${checkpoint}`,
    problem: `the store has no such completed checkpoint, or no longer all of it. It has ${there.length === 0 ? 'none' : there.join(', ')}.`,
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

/** What these entries name, read again while the job runs: the newest parts of these tasks, or of all. */
export const restoredAgain = (
  store: Store,
  {
    entries,
    tasks,
    encoding,
    readsMax,
  }: {
    readonly entries: readonly number[]
    readonly tasks?: ReadonlySet<TaskId>
    readonly encoding: Encoding
    readonly readsMax: number
  },
): Observable<RestoredJob> =>
  from(entries).pipe(
    concatMap(n => entryOf(store, n, encoding)),
    toArray(),
    switchMap(log => {
      const commits = log.flatMap(entry => (entry.kind === 'commit' ? [entry] : []))
      const parts = newestParts(commits).map(part => ({
        ...part,
        snapshots: part.snapshots.filter(({ task }) => tasks?.has(task) !== false),
      }))
      return restoredJob(store, commits.at(-1) as Commit, { parts, encoding, readsMax })
    }),
  )

export const logOf = (store: Store, encoding: Encoding): Observable<readonly Numbered<LogEntry>[]> =>
  store.entries().pipe(
    concatMap(numbers => from(numbers)),
    concatMap(n => entryOf(store, n, encoding)),
    toArray(),
  )

const entryOf = (store: Store, n: number, encoding: Encoding): Observable<Numbered<LogEntry>> =>
  store.entry(n).pipe(map(bytes => ({ ...readEntry(n, bytes, encoding), n })))

const restoredJob = (
  store: Store,
  { keyGroups, stages }: JobFacts,
  { parts, ...options }: ReadOptions & { readonly parts: readonly StoredPart[] },
): Observable<RestoredJob> =>
  readSnapshots(
    store,
    parts.flatMap(({ entry, snapshots }) => snapshots.map(snapshot => ({ entry, snapshot }))),
    options,
  ).pipe(
    map(delivered),
    map(tasks => ({
      keyGroups,
      stages,
      checkpoint: parts.reduce((largest, { checkpoint }) => Math.max(largest, checkpoint), 0),
      parts,
      tasks,
      recordsInFlight: [...tasks.values()].reduce((count, task) => count + recordsInFlight(task), 0),
    })),
  )

const recordsInFlight = ({ inFlight, operators }: RestoredTask): number => {
  let records = inFlight.reduce((count, { elements }) => count + countRecords(elements), 0)
  for (const { kept } of operators.values()) records += recordsInFrame(kept) ?? 0
  return records
}

/**
 * The tasks' shares for this plan: as they are stored, or dealt anew if any stage had another number of tasks. Then all stages
 * are, so that recovered data is worked off in generations everywhere. A region that has never finished a part has none.
 * @throws STATE_NOT_MATCHED, STATE_WOULD_BE_DROPPED if the parts do not belong to these pipelines; PARALLELISM_CHANGED,
 * KEY_GROUPS_CHANGED
 */
export const restoredFor = (
  restored: RestoredJob,
  { plan, keyGroups, splits }: Target,
): ReadonlyMap<TaskId, RestoredTask> => {
  checkMatch(restored, plan)
  if (restored.keyGroups !== keyGroups) throw keyGroupsChanged(restored, keyGroups)
  if (!isDealtAnew(restored, plan)) return restored.tasks
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

/** Some stage had another number of tasks. */
export const isDealtAnew = ({ stages }: JobFacts, plan: Plan): boolean =>
  plan.stages.some(({ id, parallelism }) => stages[id] !== parallelism)

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

/** What a restored job is to run as. */
export interface Target {
  readonly plan: Plan
  readonly keyGroups: number
  readonly splits: ReadonlyMap<Stage, readonly SplitId[]>
}

const spreadOf = (
  { inputs, nodes, parallelism: after }: Stage,
  {
    before,
    keyGroups,
    splits,
    generations,
  }: Pick<Spread, 'before' | 'keyGroups' | 'generations'> & { readonly splits: readonly SplitId[] },
): Spread => {
  const taskOf = new Map(splits.map((split, i) => [split, i % after]))
  const broadcast = nodes.flatMap(({ name, lineage: { broadcastEffect: effect } }) =>
    effect === undefined ? [] : [{ operator: name, effect }],
  )[0]
  return {
    before,
    after,
    keyGroups,
    inputs: inputs.map(({ exchange, from: { parallelism: producers }, stream: { node } }) => ({
      exchange,
      producers,
      joined: (from, to) => joins(exchange, { from, to, producers, consumers: after }),
      ...customOf(node, after),
    })),
    broadcast,
    taskOfSplit: split => taskOf.get(split),
    generations,
  }
}

const customOf = ({ name, lineage: { partitioner } }: OperatorNode, channels: number): Pick<SpreadInput, 'tasksOf'> =>
  partitioner === undefined ? {} : { tasksOf: records => channelsOf({ name, partitioner, channels }, records) }

const checkMatch = ({ stages: stored, checkpoint }: RestoredJob, plan: Plan): void => {
  const place = `restoring checkpoint ${checkpoint}`
  const stages = new Set(plan.stages.map(({ id }) => id))
  const gone = Object.keys(stored).filter(id => !stages.has(id))
  const added = [...stages].filter(id => stored[id] === undefined)
  if (gone.length > 0 || added.length > 0) {
    throw new SpillwayError(gone.length > 0 ? 'STATE_WOULD_BE_DROPPED' : 'STATE_NOT_MATCHED', {
      place,
      problem: `it was taken of another pipeline: stages ${list(gone)} are no longer there, stages ${list(added)} are new.`,
      remedy: 'Run the pipeline that the store belongs to, or another store, or restore: "none".',
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
