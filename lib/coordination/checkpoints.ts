import type { Barrier, CheckpointId } from '../element.ts'
import { SpillwayError } from '../error.ts'
import { absurd } from '../invariant.ts'
import type { StoredSnapshot, TaskId } from '../snapshot/snapshot.ts'
import type { Acknowledged, CheckpointEvent, CheckpointOrder, Requested } from './events.ts'
import { type CheckpointReport, report } from './report.ts'

/**
 * Which checkpoints a job takes and what becomes of them: a transition function,
 * `(state, event, now) -> [state, orders]`.
 *
 * - One checkpoint at a time. A user's request waits for the one under way; the schedule's is dropped, another follows.
 * - A checkpoint is committed once every task's snapshot is stored; a task that has ended is represented by its last one.
 * - It fails if a task declines or its time is up; what it has written is released. Once it is being committed only the
 *   commit itself fails it, and nothing is released: the log's entry may be there all the same (the next start tidies up).
 * - When all tasks have ended, one more checkpoint made of their last snapshots alone publishes what is left.
 */
export interface CheckpointsState {
  readonly tasks: readonly TaskId[]
  readonly nextId: CheckpointId
  readonly retainedCount: number
  /** Last snapshots of tasks that have ended. */
  readonly ended: ReadonlyMap<TaskId, Acknowledged>
  readonly pending: Pending | undefined
  /** Users' requests that wait, each for a checkpoint of its own. */
  readonly waiting: readonly Requested[]
  /** Completed checkpoints that are kept, oldest first. */
  readonly retained: readonly Completed[]
  /** The last checkpoint of all, durable: who has still to publish it. */
  readonly publishing: { readonly checkpoint: CheckpointId; readonly missing: ReadonlySet<TaskId> } | undefined
}

interface Pending {
  readonly barrier: Barrier
  readonly acknowledged: ReadonlyMap<TaskId, Acknowledged>
  readonly committing: boolean
  readonly request?: number
}

/** What keeps objects alive. */
export interface Completed {
  readonly checkpoint: CheckpointId
  readonly objects: readonly string[]
  readonly entry: number
}

export const initialCheckpoints = (options: {
  tasks: readonly TaskId[]
  nextId: CheckpointId
  retainedCount: number
  /** Tasks restored as ended, and the checkpoint that the job was restored from. */
  ended?: ReadonlyMap<TaskId, Acknowledged>
  restored?: Completed | undefined
}): CheckpointsState => ({
  tasks: options.tasks,
  nextId: options.nextId,
  retainedCount: options.retainedCount,
  ended: options.ended ?? new Map(),
  pending: undefined,
  waiting: [],
  retained: options.restored === undefined ? [] : [options.restored],
  publishing: undefined,
})

type Step = readonly [CheckpointsState, readonly CheckpointOrder[]]

export const checkpoints = (state: CheckpointsState, event: CheckpointEvent, nowMs: number): Step => {
  switch (event.kind) {
    case 'requested':
      return requested(state, event, nowMs)
    case 'acknowledged':
      return acknowledged(state, event, nowMs)
    case 'declined': {
      const reason = `${event.task} declined: ${event.reason}`
      // Nothing else could ever stand for a task that has ended.
      if (event.ended) return [{ ...state, pending: undefined }, [{ kind: 'failJob', error: lastFailed(reason) }]]
      return undecided(state, event.checkpoint) ? failed(state, state.pending, { reason, nowMs }) : [state, []]
    }
    case 'expired': {
      if (!undecided(state, event.checkpoint)) return [state, []]
      const reason = `it was not complete in time; missing: ${someOf(missing(state, state.pending))}`
      return failed(state, state.pending, { reason, nowMs })
    }
    case 'committed':
      return isPending(state, event.checkpoint) ? completed(state, state.pending, { ...event, nowMs }) : [state, []]
    case 'commitFailed':
      return isPending(state, event.checkpoint) ? failed(state, state.pending, { ...event, nowMs }) : [state, []]
    case 'published':
      return published(state, event.task, event.checkpoint)
    case 'failed':
      return [{ ...state, pending: undefined }, [{ kind: 'failJob', error: event.error }]]
    default:
      return absurd(event)
  }
}

const requested = (state: CheckpointsState, request: Requested, nowMs: number): Step => {
  if (allEnded(state)) return [state, []]
  if (state.pending !== undefined) {
    return [request.request === undefined ? state : { ...state, waiting: [...state.waiting, request] }, []]
  }
  const barrier: Barrier = {
    kind: 'barrier',
    checkpoint: state.nextId,
    timestampMs: nowMs,
    alignment: request.alignment,
    savepoint: false,
  }
  const pending: Pending = { barrier, acknowledged: state.ended, committing: false, ...only(request.request) }
  return [{ ...state, nextId: state.nextId + 1, pending }, [{ kind: 'trigger', barrier }]]
}

const acknowledged = (state: CheckpointsState, event: Acknowledged, nowMs: number): Step => {
  const { task, ended, object } = event.snapshot
  const known = ended ? { ...state, ended: new Map(state.ended).set(task, event) } : state
  const { pending } = known
  if (pending === undefined || pending.committing || !belongsTo(pending, event)) {
    const orders: CheckpointOrder[] = ended ? [] : [{ kind: 'release', objects: [object], entries: [] }]
    return after(orders, finalIfAllEnded(known, nowMs))
  }
  const all = new Map(pending.acknowledged).set(task, event)
  return committedIfWhole({ ...known, pending: { ...pending, acknowledged: all } })
}

/**
 * The last snapshot of a task that has ended carries the checkpoint that it would have taken next. If that is newer than
 * the pending one, the task has taken that one before, and is represented by what it took then, stored or still on its way.
 */
const belongsTo = ({ barrier }: Pending, { checkpoint, snapshot }: Acknowledged): boolean =>
  snapshot.ended ? checkpoint <= barrier.checkpoint : checkpoint === barrier.checkpoint

const committedIfWhole = (state: CheckpointsState): Step => {
  const { pending } = state
  if (pending === undefined || missing(state, pending).length > 0) return [state, []]
  const { checkpoint } = pending.barrier
  const tasks = [...pending.acknowledged.values()].map(({ snapshot }) => snapshot)
  return [{ ...state, pending: { ...pending, committing: true } }, [{ kind: 'commit', checkpoint, tasks }]]
}

const completed = (
  state: CheckpointsState,
  pending: Pending,
  { entry, object, nowMs }: { entry: number; object: string; nowMs: number },
): Step => {
  const { checkpoint } = pending.barrier
  const objects = [object, ...[...pending.acknowledged.values()].map(({ snapshot }) => snapshot.object)]
  const kept = [...state.retained, { checkpoint, objects, entry }]
  const retained = kept.slice(-state.retainedCount)
  const retired = kept.slice(0, -state.retainedCount)
  const final = isFinal(state, pending)
  const settled: CheckpointsState = {
    ...state,
    retained,
    pending: undefined,
    publishing: final ? { checkpoint, missing: new Set(state.tasks) } : state.publishing,
  }
  const orders: CheckpointOrder[] = [
    { kind: 'notify', checkpoint },
    { kind: 'report', report: reported(state, pending, { nowMs }), ...only(pending.request) },
    ...released(settled, retired),
  ]
  return final ? [settled, orders] : after(orders, next(settled, nowMs))
}

interface Failure {
  readonly reason: string
  readonly nowMs: number
  /** The commit may have taken place all the same. */
  readonly inDoubt?: boolean
}

const failed = (state: CheckpointsState, pending: Pending, { reason, nowMs, inDoubt = false }: Failure): Step => {
  const { checkpoint } = pending.barrier
  const settled: CheckpointsState = { ...state, pending: undefined }
  const written = inDoubt ? [] : [...pending.acknowledged.values()].map(({ snapshot }) => snapshot)
  const orders: CheckpointOrder[] = [
    { kind: 'abort', checkpoint, reason },
    { kind: 'report', report: reported(state, pending, { nowMs, reason }), ...only(pending.request) },
    ...released(settled, [{ checkpoint, objects: written.filter(unlessEnded).map(({ object }) => object), entry: 0 }]),
  ]
  // Nothing is left that could trigger another one: the job cannot publish what it has written.
  if (isFinal(state, pending)) return [settled, [...orders, { kind: 'failJob', error: lastFailed(reason) }]]
  return after(orders, next(settled, nowMs))
}

const lastFailed = (reason: string) =>
  new SpillwayError('CHECKPOINT_FAILED', {
    place: 'the end of the job',
    problem: `${reason}.`,
    remedy: 'Start the job again on the same store once the cause is mended: it goes on from the checkpoint before.',
  })

/** What comes after a checkpoint that is settled: the last one of all, or what has been asked for meanwhile. */
const next = (state: CheckpointsState, nowMs: number): Step => {
  if (allEnded(state)) return finalIfAllEnded(state, nowMs)
  const [first, ...waiting] = state.waiting
  return first === undefined ? [state, []] : requested({ ...state, waiting }, first, nowMs)
}

const finalIfAllEnded = (state: CheckpointsState, nowMs: number): Step => {
  if (!allEnded(state) || state.pending !== undefined || state.publishing !== undefined) return [state, []]
  const barrier: Barrier = {
    kind: 'barrier',
    checkpoint: state.nextId,
    timestampMs: nowMs,
    alignment: 'aligned',
    savepoint: false,
  }
  const pending: Pending = { barrier, acknowledged: state.ended, committing: false }
  return committedIfWhole({ ...state, nextId: state.nextId + 1, pending })
}

const published = (state: CheckpointsState, task: TaskId, checkpoint: CheckpointId): Step => {
  const { publishing } = state
  if (publishing === undefined || publishing.checkpoint !== checkpoint) return [state, []]
  const left = new Set(publishing.missing)
  left.delete(task)
  return [{ ...state, publishing: { checkpoint, missing: left } }, left.size === 0 ? [{ kind: 'finished' }] : []]
}

/** Objects that nothing kept names; entries of checkpoints that are no longer kept. */
const released = (state: CheckpointsState, retired: readonly Completed[]): CheckpointOrder[] => {
  const alive = new Set([
    ...state.retained.flatMap(({ objects }) => objects),
    ...[...state.ended.values()].map(({ snapshot }) => snapshot.object),
  ])
  const objects = retired.flatMap(old => old.objects).filter(object => !alive.has(object))
  const entries = retired.map(({ entry }) => entry).filter(entry => entry > 0)
  return objects.length === 0 && entries.length === 0 ? [] : [{ kind: 'release', objects, entries }]
}

const reported = (
  state: CheckpointsState,
  pending: Pending,
  { nowMs, reason }: { nowMs: number; reason?: string },
): CheckpointReport => {
  const { checkpoint, timestampMs, alignment } = pending.barrier
  return report({
    id: checkpoint,
    alignment,
    kind: isFinal(state, pending) ? 'final' : 'checkpoint',
    triggeredAtMs: timestampMs,
    durationMs: Math.max(0, nowMs - timestampMs),
    ...(reason === undefined ? {} : { reason }),
    acknowledged: [...pending.acknowledged.values()],
  })
}

const only = (request: number | undefined) => (request === undefined ? {} : { request })

const isPending = (
  state: CheckpointsState,
  checkpoint: CheckpointId,
): state is CheckpointsState & { readonly pending: Pending } => state.pending?.barrier.checkpoint === checkpoint

/** The pending checkpoint can still fail: once its commit is under way only that decides, because it may have taken place. */
const undecided = (
  state: CheckpointsState,
  checkpoint: CheckpointId,
): state is CheckpointsState & { readonly pending: Pending } =>
  isPending(state, checkpoint) && !state.pending.committing

const isFinal = (state: CheckpointsState, { acknowledged: all }: Pending): boolean =>
  state.tasks.every(task => all.get(task)?.snapshot.ended === true)

const allEnded = (state: CheckpointsState): boolean => state.ended.size === state.tasks.length

const missing = (state: CheckpointsState, pending: Pending): readonly TaskId[] =>
  state.tasks.filter(task => !pending.acknowledged.has(task))

const someOf = (tasks: readonly TaskId[]): string => {
  const more = tasks.length - namedMax
  return tasks.slice(0, namedMax).join(', ') + (more > 0 ? ` and ${more} more` : '')
}

/** In a message. */
const namedMax = 10

const unlessEnded = ({ ended }: StoredSnapshot): boolean => !ended

const after = (orders: readonly CheckpointOrder[], [state, more]: Step): Step => [state, [...orders, ...more]]
