import { concatMap, forkJoin, from, map, mergeMap, type Observable, of, switchMap, toArray } from 'rxjs'
import { type CheckpointId, countRecords, type SplitId } from '../element.ts'
import { SpillwayError } from '../error.ts'
import { channelsOf } from '../graph/channelsOf.ts'
import { joins } from '../graph/joins.ts'
import type { Plan, Stage } from '../graph/plan.ts'
import type { OperatorNode } from '../graph/stream.ts'
import { checksumOf } from '../snapshot/container.ts'
import { delivered } from '../snapshot/delivered.ts'
import type { Encoding } from '../snapshot/encoding.ts'
import { readSnapshot } from '../snapshot/format.ts'
import { recordsInFrame } from '../snapshot/frame.ts'
import { checkpointOf, damagedRemedy, type LogEntry, type Part, readEntry, readPart } from '../snapshot/log.ts'
import { type DealtGenerations, dealtGenerations } from '../snapshot/redistribution/generations.ts'
import { redistributed } from '../snapshot/redistribution/redistributed.ts'
import type { Spread, SpreadInput } from '../snapshot/redistribution/spread.ts'
import type { ReadSnapshot, RestoredTask, StoredSnapshot, TaskId } from '../snapshot/snapshot.ts'
import type { Store } from '../store/store.ts'

/** What a start finds in a store. */
export interface Found {
  /** Of this start. */
  readonly epoch: number
  readonly nextEntry: number
  readonly nextCheckpoint: CheckpointId
  readonly restored: RestoredJob | undefined
  /** All that is there; what the restored part does not name belongs to nothing. */
  readonly objects: readonly string[]
  /** The numbers of all commit entries; those before the restored one's name what is no longer kept. */
  readonly commits: readonly number[]
}

export interface RestoredJob {
  readonly checkpoint: CheckpointId
  readonly entry: number
  readonly object: string
  readonly part: Part
  readonly tasks: ReadonlyMap<TaskId, RestoredTask>
  readonly recordsInFlight: number
}

/** Reads a store's log, and unless `restore` is 'none' the newest durable part. Errs with DAMAGED, STORE_FAILED. */
export const found = (
  store: Store,
  options: { restore: 'latest' | 'none'; encoding: Encoding; readsMax: number },
): Observable<Found> =>
  forkJoin({ entries: logOf(store, options.encoding), objects: store.list('') }).pipe(
    switchMap(({ entries, objects }) => {
      const commits = entries.filter(({ entry }) => entry.kind === 'commit')
      const newest = options.restore === 'none' ? undefined : commits.at(-1)
      const checkpoints = [
        ...entries.map(({ entry }) => (entry.kind === 'commit' ? entry.checkpoint : 0)),
        ...objects.map(object => checkpointOf(object) ?? 0),
      ]
      const start = {
        epoch: 1 + Math.max(0, ...entries.map(({ entry }) => entry.epoch)),
        nextEntry: 1 + Math.max(0, ...entries.map(({ n }) => n)),
        nextCheckpoint: 1 + checkpoints.reduce((largest, id) => Math.max(largest, id), 0),
        objects,
        commits: commits.map(({ n }) => n),
      }
      if (newest === undefined) return of({ ...start, restored: undefined })
      return restoredJob(store, newest as Committed, options).pipe(map(restored => ({ ...start, restored })))
    }),
  )

interface Numbered {
  readonly n: number
  readonly entry: LogEntry
}

interface Committed extends Numbered {
  readonly entry: LogEntry & { kind: 'commit' }
}

const logOf = (store: Store, encoding: Encoding): Observable<readonly Numbered[]> =>
  store.entries().pipe(
    concatMap(numbers => from(numbers)),
    concatMap(n => store.entry(n).pipe(map(bytes => ({ n, entry: readEntry(n, bytes, encoding) })))),
    toArray(),
  )

const restoredJob = (
  store: Store,
  { n, entry }: Committed,
  { encoding, readsMax }: { encoding: Encoding; readsMax: number },
): Observable<RestoredJob> =>
  store.get(entry.object).pipe(
    map(bytes => readPart(entry.object, bytes, encoding)),
    switchMap(part =>
      from(part.tasks).pipe(
        mergeMap(task => restoredTask(store, task, encoding), readsMax),
        toArray(),
        map(snapshots => delivered(new Map(snapshots))),
        map(tasks => ({
          checkpoint: entry.checkpoint,
          entry: n,
          object: entry.object,
          part,
          tasks,
          recordsInFlight: [...tasks.values()].reduce((count, task) => count + recordsInFlight(task), 0),
        })),
      ),
    ),
  )

const restoredTask = (
  store: Store,
  { task, object, bytes: size, crc }: StoredSnapshot,
  encoding: Encoding,
): Observable<readonly [TaskId, ReadSnapshot]> =>
  store.get(object).pipe(
    map(bytes => {
      if (bytes.length !== size || checksumOf(bytes) !== crc) {
        throw new SpillwayError('DAMAGED', {
          place: object,
          problem: `it is not what was written for task ${task} (${bytes.length} bytes instead of ${size}, or a wrong checksum).`,
          remedy: damagedRemedy,
        })
      }
      return [task, readSnapshot(object, bytes, encoding)] as const
    }),
  )

const recordsInFlight = ({ inFlight, operators }: RestoredTask): number => {
  let records = inFlight.reduce((count, { elements }) => count + countRecords(elements), 0)
  for (const { kept } of operators.values()) records += recordsInFrame(kept) ?? 0
  return records
}

/**
 * The tasks' shares for this plan: as they are stored, or dealt anew if any stage had another number of tasks. Then all stages
 * are, so that recovered data is worked off in generations everywhere.
 * @throws STATE_NOT_MATCHED, STATE_WOULD_BE_DROPPED if the part does not belong to these pipelines; PARALLELISM_CHANGED,
 * KEY_GROUPS_CHANGED
 */
export const restoredFor = (
  restored: RestoredJob,
  { plan, keyGroups, splits }: Target,
): ReadonlyMap<TaskId, RestoredTask> => {
  const stored = checkedMatch(restored, plan)
  if (restored.part.keyGroups !== keyGroups) throw keyGroupsChanged(restored, keyGroups)
  if (plan.stages.every(({ id, parallelism }) => stored.get(id) === parallelism)) return restored.tasks
  const tasksOf = ({ id }: Stage) =>
    Array.from({ length: stored.get(id) as number }, (_, index) => restored.tasks.get(`${id}/${index}`) as RestoredTask)
  const depths = depthsOf(plan)
  const generations = dealtGenerations(
    plan.stages.map(stage => ({ id: stage.id, depth: depths.get(stage) as number, tasks: tasksOf(stage) })),
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

/** The stored number of tasks of each stage. */
const checkedMatch = (restored: RestoredJob, plan: Plan): ReadonlyMap<string, number> => {
  const stored = new Map<string, number>()
  for (const task of restored.tasks.keys()) {
    const stage = task.slice(0, task.lastIndexOf('/'))
    stored.set(stage, (stored.get(stage) ?? 0) + 1)
  }
  const place = `restoring checkpoint ${restored.checkpoint}`
  const stages = new Set(plan.stages.map(({ id }) => id))
  const [gone, added] = [[...stored.keys()].filter(id => !stages.has(id)), [...stages].filter(id => !stored.has(id))]
  if (gone.length > 0 || added.length > 0) {
    throw new SpillwayError(gone.length > 0 ? 'STATE_WOULD_BE_DROPPED' : 'STATE_NOT_MATCHED', {
      place,
      problem: `it was taken of another pipeline: stages ${list(gone)} are no longer there, stages ${list(added)} are new.`,
      remedy: 'Run the pipeline that the store belongs to, or another store, or restore: "none".',
    })
  }
  return stored
}

const keyGroupsChanged = ({ checkpoint, part }: RestoredJob, keyGroups: number) =>
  new SpillwayError('KEY_GROUPS_CHANGED', {
    place: `restoring checkpoint ${checkpoint}`,
    problem: `its keys are dealt in ${part.keyGroups} groups, and run has been given ${keyGroups}.`,
    remedy: `Give run the option keyGroups: ${part.keyGroups}, or restore: "none" on another store.`,
  })

const list = (names: readonly string[]): string => (names.length === 0 ? '(none)' : names.join(', '))
