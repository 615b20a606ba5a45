import type { Barrier, CheckpointId } from '../element.ts'
import { objectsOf, type StoredSnapshot, type TaskId } from '../snapshot/snapshot.ts'
import { type Admission, initialAdmission } from './admission.ts'
import type { Acknowledged, CheckpointOrder, Requested } from './events.ts'
import { type Failover, initialFailover } from './failover.ts'
import { type Layout, layoutOf } from './layout.ts'
import { type FailedPart, global, type Policy } from './policy.ts'
import type { RestartPolicy } from './restarts.ts'
import { type Completed, type FinishedPart, type Kept, released } from './retention.ts'
import type { Stopping } from './stopping.ts'
import { memberOf, membersOf, type Vector, vectorOf, withMember } from './vector.ts'

/** All that a coordinator knows. `checkpoints.ts` has the rules. */
export interface CheckpointsState extends Kept {
  readonly policy: Policy
  readonly layout: Layout
  readonly nextId: CheckpointId
  readonly retainedCount: number
  /** By task: the last snapshots of those that have ended. */
  readonly ended: Vector<Acknowledged | undefined>
  readonly endedCount: number
  /** By region. */
  readonly standings: Vector<Standing>
  /** What the job was restored from has been dealt anew: until all regions have finished a part of their own, in one commit. */
  readonly whole: boolean
  readonly admission: Admission<Requested>
  readonly pending: Pending | undefined
  /** By task: it has ended, or the job stops, and what it wrote last is published. */
  readonly published: Vector<boolean>
  readonly unpublished: number
  readonly failover: Failover
  readonly stopping: Stopping | undefined
}

/** How a region stands between checkpoints. */
export interface Standing {
  /** The one that it finished last: what it restarts from. */
  readonly part: FinishedPart | undefined
  /** Completed checkpoints in a row in which it was carried over. */
  readonly carriedOver: number
}

/** A region's part of the pending checkpoint. */
export type PendingPart =
  | { readonly kind: 'open'; readonly missing: number }
  | { readonly kind: 'ready' | 'finished' | 'failed' }
  /** The region has ended before. */
  | { readonly kind: 'exempt' }

export interface Pending {
  readonly barrier: Barrier
  readonly requested: Requested | undefined
  /** By task. */
  readonly acknowledged: Vector<Acknowledged | undefined>
  /** By region. */
  readonly parts: Vector<PendingPart>
  readonly asked: number
  /** Parts neither ready nor failed. */
  readonly open: number
  /** Regions whose parts wait for a commit, newest first. */
  readonly ready: Ready | undefined
  readonly committing: { readonly regions: readonly number[]; readonly completes: boolean } | undefined
  readonly failed: readonly FailedPart[]
}

export interface Ready {
  readonly region: number
  readonly before: Ready | undefined
  /** With those before it. */
  readonly count: number
}

export interface InitialCheckpoints {
  /** Default `global()`. */
  readonly policy?: Policy
  /** Groups of tasks that channels join. */
  readonly connected: readonly (readonly TaskId[])[]
  /** Default 1. */
  readonly nextId?: CheckpointId
  /** Default 1. */
  readonly retainedCount?: number
  readonly minPauseMs?: number
  readonly queueMax?: number
  /** Of what has failed; default: the job fails. */
  readonly restart?: RestartPolicy
  /** Tasks restored as ended, and the parts that the job was restored from. */
  readonly ended?: ReadonlyMap<TaskId, Acknowledged>
  readonly restored?: {
    readonly checkpoint: CheckpointId
    readonly parts: readonly FinishedPart[]
    /** Their tasks are not this job's: its parallelism is another. */
    readonly dealtAnew: boolean
    /** That says that it is a completed checkpoint, if it is. */
    readonly entry?: number | undefined
    /** What is kept beside, oldest first; default: nothing. */
    readonly retained?: readonly Completed[]
  }
}

export const initialCheckpoints = (options: InitialCheckpoints): CheckpointsState => {
  const {
    policy = global(),
    connected,
    nextId = 1,
    retainedCount = 1,
    restored,
    minPauseMs = 0,
    queueMax = 1_000,
  } = options
  const layout = layoutOf(policy.regions(connected), connected)
  const { tasks, regions, numberOf } = layout
  const ended = vectorOf(tasks.length, task => options.ended?.get(tasks[task] as TaskId))
  const hasEnded = (region: number) =>
    regions[region]?.every(task => options.ended?.has(tasks[task] as TaskId) === true) === true
  const partOf = new Map<number, FinishedPart>()
  if (restored?.dealtAnew === false) {
    for (const part of restored.parts) for (const task of part.tasks) partOf.set(numberOf.get(task) as number, part)
  }
  /** None if its tasks are of several, as after a change of the policy. */
  const partOfRegion = (region: number): FinishedPart | undefined => {
    const [first, ...others] = (regions[region] ?? []).map(task => partOf.get(task))
    return others.every(other => other === first) ? first : undefined
  }
  const retained: readonly Completed[] =
    restored === undefined
      ? []
      : [
          ...(restored.retained ?? []),
          { checkpoint: restored.checkpoint, parts: restored.parts, entry: restored.entry },
        ]
  const published = vectorOf(tasks.length, task => hasEnded(layout.regionOf[task] as number))
  return {
    policy,
    layout,
    nextId,
    retainedCount,
    ended,
    endedCount: options.ended?.size ?? 0,
    standings: vectorOf(regions.length, region => ({
      part: partOfRegion(region),
      carriedOver: 0,
    })),
    whole: restored?.dealtAnew ?? false,
    admission: initialAdmission({ concurrentMax: 1, minPauseMs, queueMax, unaligned: true }),
    pending: undefined,
    published,
    unpublished: membersOf(published).filter(is => !is).length,
    failover: initialFailover(options.restart),
    stopping: undefined,
    saving: [],
    retained,
    known: retained.flatMap(({ parts }) => parts),
    unneeded: [],
    doubtful: [],
    entries: new Set(
      retained.flatMap(({ entry, parts }) => [
        ...parts.map(part => part.entry),
        ...(entry === undefined ? [] : [entry]),
      ]),
    ),
  }
}

export type Step = readonly [CheckpointsState, readonly CheckpointOrder[]]

export const andThen = ([state, orders]: Step, next: (state: CheckpointsState) => Step): Step => {
  const [after, more] = next(state)
  return [after, more.length === 0 ? orders : [...orders, ...more]]
}

export const exempt: PendingPart = { kind: 'exempt' }
export const ready: PendingPart = { kind: 'ready' }
export const done: PendingPart = { kind: 'finished' }
export const lost: PendingPart = { kind: 'failed' }

export const withEnded = (state: CheckpointsState, task: number, event: Acknowledged): CheckpointsState => ({
  ...state,
  ended: withMember(state.ended, task, event),
  endedCount: state.endedCount + (memberOf(state.ended, task) === undefined ? 1 : 0),
})

/** All that these tasks have written is. */
export const withPublished = (state: CheckpointsState, tasks: readonly TaskId[]): CheckpointsState => {
  let { published: all, unpublished } = state
  for (const task of tasks) {
    const number = numberOf(state, task)
    if (memberOf(all, number)) continue
    all = withMember(all, number, true)
    unpublished--
  }
  return unpublished === state.unpublished ? state : { ...state, published: all, unpublished }
}

/** What is being restarted may go on from where it had not ended. */
export const allEnded = ({ endedCount, layout, failover: { down } }: CheckpointsState): boolean =>
  endedCount === layout.tasks.length && down.size === 0

/** What is left to do is to publish. */
export const allFinal = ({ standings }: CheckpointsState): boolean =>
  membersOf(standings).every(({ part }) => part?.final === true)

export const hasEnded = (state: CheckpointsState, region: number): boolean =>
  membersIn(state.layout, region).every(task => memberOf(state.ended, task) !== undefined && !isDown(state, task))

export const isDown = ({ failover: { down }, layout }: CheckpointsState, task: number): boolean =>
  down.size > 0 && down.has(layout.groupOf[task] as number)

/** Regions of which some tasks do not run; all, if only a whole checkpoint will do. */
export const regionsDown = (
  { failover: { down }, layout }: CheckpointsState,
  { whole }: { readonly whole: boolean },
): ReadonlySet<number> =>
  whole && down.size > 0
    ? new Set(layout.regions.keys())
    : new Set([...down.keys()].map(group => layout.regionOf[layout.groups[group]?.[0] as number] as number))

/** The pending checkpoint is complete only as a whole, and in one commit. */
export const isWhole = ({ whole, pending }: CheckpointsState): boolean => whole || pending?.barrier.savepoint === true

export const partKind = (state: CheckpointsState, task: TaskId): PendingPart['kind'] | undefined =>
  state.pending && memberOf(state.pending.parts, regionOf(state, numberOf(state, task))).kind

export const hasAcknowledged = ({ acknowledged: all }: Pending, task: number): boolean =>
  memberOf(all, task) !== undefined

export const groupNumber = ({ layout }: CheckpointsState, task: TaskId): number =>
  layout.groupOf[layout.numberOf.get(task) as number] as number

export const withReady = (before: Ready | undefined, region: number): Ready => ({
  region,
  before,
  count: (before?.count ?? 0) + 1,
})

/** Oldest first. */
export const regionsOf = (newest: Ready | undefined): readonly number[] => {
  const regions = new Array<number>(newest?.count ?? 0)
  for (let ready = newest; ready !== undefined; ready = ready.before) regions[ready.count - 1] = ready.region
  return regions
}

export const numberOf = ({ layout }: CheckpointsState, task: TaskId): number => layout.numberOf.get(task) as number
export const regionOf = ({ layout }: CheckpointsState, task: number): number => layout.regionOf[task] as number
export const membersIn = ({ regions }: Layout, region: number): readonly number[] =>
  regions[region] as readonly number[]
export const namesOf = ({ layout }: CheckpointsState, tasks: readonly number[]): readonly TaskId[] =>
  tasks.map(task => layout.tasks[task] as TaskId)

/** The part that the region finished last. */
export const partOf = ({ standings }: CheckpointsState, region: number): FinishedPart | undefined =>
  memberOf(standings, region).part

/** What nothing kept names any more is deleted. Not while a checkpoint is under way: its snapshots may share objects with others. */
export const unneededReleased = (state: CheckpointsState): Step => {
  const [kept, dead] = released(state, {
    finished: membersOf(state.standings).flatMap(({ part }) => part ?? []),
    ended: endedObjects(state),
  })
  const none = dead.objects.length === 0 && dead.entries.length === 0
  return [{ ...state, ...kept }, none ? [] : [{ kind: 'release', ...dead }]]
}

/**
 * Nothing durable will name these snapshots. Others that have not been heard of yet may share their objects: while a checkpoint
 * is under way these wait until it is settled.
 */
export const unneeded = (state: CheckpointsState, snapshots: readonly StoredSnapshot[]): Step => {
  const objects = snapshots.flatMap(objectsOf)
  if (objects.length === 0) return [state, []]
  if (state.pending !== undefined) return [{ ...state, unneeded: [...state.unneeded, ...objects] }, []]
  const named = new Set(state.known.flatMap(part => part.objects))
  for (const object of [...endedObjects(state), ...state.doubtful]) named.add(object)
  const unnamed = objects.filter(object => !named.has(object))
  return [state, unnamed.length === 0 ? [] : [{ kind: 'release', objects: unnamed, entries: [] }]]
}

/** Of the last snapshots that stand for their tasks. */
export const endedObjects = ({ ended }: CheckpointsState): readonly string[] =>
  membersOf(ended).flatMap(of => (of === undefined ? [] : objectsOf(of.snapshot)))
