import type { Barrier, CheckpointId } from '../element.ts'
import { SpillwayError } from '../error.ts'
import { absurd } from '../invariant.ts'
import type { CarriedOver, Part } from '../snapshot/log.ts'
import { objectsOf, type StoredSnapshot, type TaskId } from '../snapshot/snapshot.ts'
import { admission } from './admission.ts'
import {
  allEnded,
  allFinal,
  andThen,
  type CheckpointsState,
  done,
  exempt,
  groupNumber,
  hasAcknowledged,
  hasEnded,
  isDown,
  isWhole,
  lost,
  membersIn,
  namesOf,
  numberOf,
  type Pending,
  type PendingPart,
  type Ready,
  ready,
  regionOf,
  regionsDown,
  regionsOf,
  type Step,
  unneeded,
  unneededReleased,
  withEnded,
  withReady,
} from './checkpointsState.ts'
import type { Acknowledged, CheckpointEvent, CheckpointOrder, Requested } from './events.ts'
import { type FailoverEvent, failover, restartedWith } from './failover.ts'
import type { FailedPart } from './policy.ts'
import { type CheckpointReport, report } from './report.ts'
import { epochBegun, restartDue, restartsDecided } from './restarting.ts'
import { type Completed, finishedPart } from './retention.ts'
import { completedFor, drained, isStopping, published, publishedBy, refused, saved } from './stopping.ts'
import type { FailureCause } from './tolerance.ts'
import { memberOf, membersOf, vectorOf, withMember } from './vector.ts'

/**
 * Which checkpoints a job takes and what becomes of them: a transition function,
 * `(state, event, now) -> [state, orders]`.
 *
 * - One checkpoint at a time; requests wait as `admission` says. The schedule's are dropped while one is under way.
 * - A region's part is ready once all its tasks' snapshots are stored (a task that has ended is represented by its last
 *   one), and finished once a log entry names it: then its sinks publish, whatever becomes of the checkpoint. Parts that
 *   are ready close together share an entry.
 * - A part fails if a task of it declines or fails, or its time is up; what it has written is released when the checkpoint is settled. Once it is ready only
 *   the commit itself fails it, and nothing is released then: the log's entry may be there all the same (the next start tidies up).
 * - Once every part is finished or failed, the policy says what the checkpoint comes to. A completed one names for each failed
 *   region the part that it finished last; no object is copied or moved.
 * - A group of joined tasks of which one fails is restarted from its newest part, as `failover` says: its region's part fails, and
 *   while it does not run its region fails in each checkpoint at once. Otherwise the job fails.
 * - A checkpoint that is to be a savepoint, or that the job stops with, is complete only as a whole; `stopping.ts` has what follows.
 * - A region whose tasks have all ended is asked no more once such a part of it is finished; that part is never
 *   carried over. When all tasks have ended, one more checkpoint made of their last snapshots alone publishes what is left.
 *
 * Source: the life of a checkpoint as in Flink's CheckpointCoordinator; regions as in ByteDance's Regional Checkpoint.
 */
export const checkpoints = (state: CheckpointsState, event: CheckpointEvent, nowMs: number): Step => {
  switch (event.kind) {
    case 'requested':
      return requested(state, event, nowMs)
    case 'acknowledged':
      return acknowledged(state, event, nowMs)
    case 'declined':
      return declined(state, event, nowMs)
    case 'failed':
      return taskFailed(state, event, nowMs)
    case 'expired':
      return expired(state, event.checkpoint, nowMs)
    case 'commitDue':
      return isPending(state, event.checkpoint) ? goOn(state, { nowMs, due: true }) : [state, []]
    case 'committed':
      return isPending(state, event.checkpoint) ? committed(state, event, nowMs) : [state, []]
    case 'commitFailed':
      return isPending(state, event.checkpoint) ? commitFailed(state, event, nowMs) : [state, []]
    case 'published':
      return published(state, event)
    case 'drainRequested':
      return drained(state, event)
    case 'saved':
    case 'saveFailed':
      return andThen(saved(state, event), of => lastIfAllEnded(of, nowMs))
    case 'stands':
      return stands(state, event)
    case 'restartDue':
      return restartDue(state, event.task, nowMs)
    case 'epochBegun':
      return epochBegun(state, event, nowMs)
    case 'epochFailed':
      return epochFailed(state, event, nowMs)
    case 'restarted':
      return restarted(state, event, nowMs)
    case 'limited':
      return [{ ...state, policy: event.policy, admission: { ...state.admission, minPauseMs: event.minPauseMs } }, []]
    default:
      return absurd(event)
  }
}

// Beginning.

const requested = (state: CheckpointsState, request: Requested, nowMs: number): Step => {
  if (allEnded(state) || allFinal(state)) return [state, []]
  if (isStopping(state)) return [state, request.request === undefined ? [] : [refused(request.request)]]
  const { timed = false, purpose } = request
  const periodic = request.request === undefined && !timed
  // One that waits already will be of the same moment.
  if (timed && state.admission.queue.some(waiting => waiting.request.timed)) return [state, []]
  if (periodic && state.pending !== undefined) return [state, []]
  const kind = purpose === undefined ? 'checkpoint' : 'savepoint'
  return admitted(state, { kind: 'requested', request, of: periodic ? 'periodic' : kind }, nowMs)
}

const admitted = (state: CheckpointsState, event: Parameters<typeof admission<Requested>>[1], nowMs: number): Step => {
  const [next, effects] = admission(state.admission, event, nowMs)
  let step: Step = [{ ...state, admission: next }, []]
  for (const effect of effects) {
    const { request } = effect.request
    if (effect.kind === 'start') step = andThen(step, of => triggered(of, effect.request, nowMs))
    else if (effect.kind === 'refuse' && request !== undefined) {
      step = andThen(step, of => [of, [{ kind: 'refuse', request, reason: effect.reason }]])
    }
  }
  return step
}

/** `request`: none for the last checkpoint of all, for which there is nobody left to trigger. */
const triggered = (state: CheckpointsState, request: Requested | undefined, nowMs: number): Step => {
  const { regions } = state.layout
  const barrier: Barrier = {
    kind: 'barrier',
    checkpoint: state.nextId,
    timestampMs: nowMs,
    alignment: request?.alignment ?? 'aligned',
    savepoint: request?.purpose !== undefined,
  }
  const down = regionsDown(state, { whole: state.whole || barrier.savepoint })
  const parts = vectorOf(regions.length, (region): PendingPart => {
    if (memberOf(state.standings, region).part?.final === true) return exempt
    if (down.has(region)) return lost
    const missing = (regions[region] ?? []).filter(task => memberOf(state.ended, task) === undefined).length
    return missing === 0 ? ready : { kind: 'open', missing }
  })
  const all = membersOf(parts)
  const pending: Pending = {
    barrier,
    requested: request,
    acknowledged: state.ended,
    parts,
    asked: all.filter(({ kind }) => kind !== 'exempt').length,
    open: all.filter(({ kind }) => kind === 'open').length,
    ready: all.reduce<Ready | undefined>(
      (before, { kind }, region) => (kind === 'ready' ? withReady(before, region) : before),
      undefined,
    ),
    committing: undefined,
    failed: all.flatMap(({ kind }, region) => (kind === 'failed' ? [asFailed(state, region, notRunning)] : [])),
  }
  const next = { ...state, nextId: state.nextId + 1, pending }
  const trigger: CheckpointOrder = {
    kind: 'trigger',
    barrier,
    asked: askedIn(next, pending),
    ...(request?.purpose?.stop === true ? { stops: true } : {}),
  }
  const orders: readonly CheckpointOrder[] = pending.open === 0 ? [] : [trigger]
  return andThen([next, orders], of => goOn(of, { nowMs }))
}

/** By region, the tasks whose snapshots are awaited. */
const askedIn = (state: CheckpointsState, { parts }: Pending): readonly (readonly TaskId[])[] =>
  membersOf(parts).flatMap(({ kind }, region) => {
    if (kind !== 'open') return []
    return [
      namesOf(
        state,
        membersIn(state.layout, region).filter(task => memberOf(state.ended, task) === undefined),
      ),
    ]
  })

// What tasks say.

const acknowledged = (state: CheckpointsState, event: Acknowledged, nowMs: number): Step => {
  const { snapshot } = event
  const task = numberOf(state, snapshot.task)
  const known = snapshot.ended ? withEnded(state, task, event) : state
  const region = regionOf(state, task)
  if (isRepeated(state, event, { task, region })) return [state, []]
  if (isDown(state, task)) return unneeded(state, [snapshot])
  const { pending } = known
  const part = pending === undefined ? exempt : memberOf(pending.parts, region)
  if (pending === undefined || part.kind !== 'open' || !belongsTo(pending, event)) {
    if (snapshot.ended) return lastIfAllEnded(known, nowMs)
    return unneeded(known, [snapshot])
  }
  const missing = part.missing - 1
  const next: Pending = {
    ...pending,
    acknowledged: withMember(pending.acknowledged, task, event),
    parts: withMember(pending.parts, region, missing === 0 ? ready : { kind: 'open', missing }),
    open: missing === 0 ? pending.open - 1 : pending.open,
    ready: missing === 0 ? withReady(pending.ready, region) : pending.ready,
  }
  const step: Step = [{ ...known, pending: next }, []]
  return missing === 0 ? andThen(step, of => goOn(of, { nowMs })) : step
}

/** What it names is in use. */
const isRepeated = (
  { pending, standings }: CheckpointsState,
  { checkpoint, snapshot }: Acknowledged,
  { task, region }: { readonly task: number; readonly region: number },
): boolean => {
  const before = pending === undefined ? undefined : memberOf(pending.acknowledged, task)
  const isSame = before?.checkpoint === checkpoint && before.snapshot.ended === snapshot.ended
  return isSame || (!snapshot.ended && memberOf(standings, region).part?.checkpoint === checkpoint)
}

/**
 * The last snapshot of a task that has ended carries the checkpoint that it would have taken next. If that is newer than
 * the pending one, the task has taken that one before, and is represented by what it took then, stored or still on its way.
 */
const belongsTo = ({ barrier }: Pending, { checkpoint, snapshot }: Acknowledged): boolean =>
  snapshot.ended ? checkpoint <= barrier.checkpoint : checkpoint === barrier.checkpoint

const declined = (
  state: CheckpointsState,
  event: Extract<CheckpointEvent, { kind: 'declined' }>,
  nowMs: number,
): Step => {
  const reason = `${event.task} declined: ${event.reason}`
  // Nothing else could ever stand for a task that has ended.
  if (event.ended) return taskFailed(state, { kind: 'failed', task: event.task, error: lastFailed(reason) }, nowMs)
  if (!isPending(state, event.checkpoint)) return [state, []]
  const region = regionOf(state, numberOf(state, event.task))
  return partsFailed(state, [region], { reason, cause: event.cause, nowMs })
}

const taskFailed = (
  state: CheckpointsState,
  { task, error }: Extract<CheckpointEvent, { kind: 'failed' }>,
  nowMs: number,
): Step => {
  const number = state.layout.numberOf.get(task)
  // Not of a task: the log is another run's.
  if (number === undefined) return [state, [{ kind: 'failJob', error }]]
  return failedOver(state, { kind: 'failed', group: state.layout.groupOf[number] as number, error }, { task, nowMs })
}

/** What becomes of a group of which a task has failed, or could not be restarted. */
const failedOver = (
  state: CheckpointsState,
  event: Extract<FailoverEvent, { kind: 'failed' | 'epochFailed' }>,
  { task, nowMs }: { readonly task: TaskId; readonly nowMs: number },
): Step => {
  const [next, effect] = failover(state.failover, event, nowMs)
  if (effect === undefined) return [state, []]
  const after = { ...state, failover: next }
  const order: CheckpointOrder =
    effect.kind === 'stop'
      ? { ...effect, tasks: restartedWith(task, state.layout), failed: task, error: event.error }
      : { kind: 'failJob', error: effect.kind === 'giveUp' ? effect.error : event.error }
  const cause = effect.kind === 'stop' ? 'region-failover' : 'task-failed'
  const failure = { reason: `${task} failed`, cause, nowMs } as const
  const { pending } = after
  const lost: Step =
    pending === undefined
      ? [after, []]
      : partsFailed({ ...after, pending }, [regionOf(state, numberOf(state, task))], failure)
  return andThen(lost, of => [of, [order]])
}

const expired = (state: CheckpointsState, checkpoint: CheckpointId, nowMs: number): Step => {
  if (!isPending(state, checkpoint)) return [state, []]
  const { pending, layout } = state
  const open = membersOf(pending.parts).flatMap(({ kind }, region) => (kind === 'open' ? [region] : []))
  const missing = open.flatMap(region => membersIn(layout, region).filter(task => !hasAcknowledged(pending, task)))
  const reason = `it was not complete in time; missing: ${someOf(missing.map(task => layout.tasks[task] as TaskId))}`
  return partsFailed(state, open, { reason, cause: 'expired', nowMs })
}

interface Failure {
  readonly reason: string
  readonly cause: FailureCause
  readonly nowMs: number
}

/** Those of them that are still open; all that are not yet finished, if only a whole checkpoint will do. */
const partsFailed = (
  state: CheckpointsState & { readonly pending: Pending },
  regions: readonly number[],
  { reason, cause, nowMs }: Failure,
): Step => {
  const { pending } = state
  const isOpen = (region: number) => memberOf(pending.parts, region).kind === 'open'
  const whole = isWhole(state)
  const failing = regions.filter(
    region =>
      isOpen(region) || (whole && memberOf(pending.parts, region).kind === 'ready' && pending.committing === undefined),
  )
  if (failing.length === 0) return [state, []]
  const all = whole ? state.layout.regions.map((_, region) => region).filter(isOpen) : failing
  const withdrawn = whole ? regionsOf(pending.ready) : []
  const failed = [...all, ...withdrawn]
  let { parts } = pending
  for (const region of failed) parts = withMember(parts, region, lost)
  const next: Pending = {
    ...pending,
    parts,
    open: pending.open - all.length,
    ready: whole ? undefined : pending.ready,
    failed: [...pending.failed, ...failed.map(region => asFailed(state, region, { reason, cause }))],
  }
  const members = failed.flatMap(region => membersIn(state.layout, region))
  const written = members.flatMap(task => memberOf(pending.acknowledged, task)?.snapshot ?? [])
  const orders: readonly CheckpointOrder[] = [
    aborted(state, failed, { checkpoint: pending.barrier.checkpoint, reason }),
  ]
  const step = andThen([{ ...state, pending: next }, orders], of =>
    unneeded(
      of,
      written.filter(({ ended }) => !ended),
    ),
  )
  return andThen(step, of => goOn(of, { nowMs }))
}

const aborted = (
  state: CheckpointsState,
  regions: readonly number[],
  { checkpoint, reason }: { readonly checkpoint: CheckpointId; readonly reason: string },
): CheckpointOrder => {
  const latestFinished = new Map<TaskId, CheckpointId>()
  for (const region of regions) {
    const { part } = memberOf(state.standings, region)
    if (part === undefined) continue
    for (const task of namesOf(state, membersIn(state.layout, region))) latestFinished.set(task, part.checkpoint)
  }
  const members = regions.flatMap(region => membersIn(state.layout, region))
  return { kind: 'abort', checkpoint, tasks: namesOf(state, members), latestFinished, reason }
}

const asFailed = (
  state: CheckpointsState,
  region: number,
  { reason, cause }: Pick<Failure, 'reason' | 'cause'>,
): FailedPart => {
  const { part, carriedOver } = memberOf(state.standings, region)
  return { region, reason, cause, hasPrevious: part !== undefined, carriedOver }
}

// Commits.

/** Orders a commit if one is due; settles the checkpoint once nothing of it is left to wait for. */
const goOn = (state: CheckpointsState, { nowMs, due = false }: { nowMs: number; due?: boolean }): Step => {
  const { pending, layout } = state
  if (pending === undefined || pending.committing !== undefined) return [state, []]
  const { open, ready: newest } = pending
  if (newest !== undefined) {
    const enough = newest.count * commitsMax >= layout.regions.length
    return open === 0 || (!isWhole(state) && (due || enough)) ? commit(state, pending, regionsOf(newest)) : [state, []]
  }
  if (open > 0) return [state, []]
  const outcome = outcomeOf(state, pending)
  return outcome.kind === 'complete' ? commit(state, pending, []) : failed(state, pending, { ...outcome, nowMs })
}

const commit = (state: CheckpointsState, pending: Pending, regions: readonly number[]): Step => {
  const completes = pending.open === 0 && outcomeOf(state, pending).kind === 'complete'
  const parts = regions.map((region): Part => ({ tasks: snapshotsOf(state, pending, region) }))
  const order: CheckpointOrder = {
    kind: 'commit',
    checkpoint: pending.barrier.checkpoint,
    parts,
    ...(completes ? { completes: { carriedOver: carriedOver(state, pending) } } : {}),
  }
  return [{ ...state, pending: { ...pending, ready: undefined, committing: { regions, completes } } }, [order]]
}

/** The parts that a completed checkpoint takes over. */
const carriedOver = (state: CheckpointsState, pending: Pending): readonly CarriedOver[] =>
  membersOf(state.standings).flatMap(({ part }, region) => {
    const { kind } = memberOf(pending.parts, region)
    const taken = kind === 'failed' || kind === 'exempt'
    const [first] = part?.tasks ?? []
    return taken && part !== undefined && first !== undefined
      ? [{ task: first, checkpoint: part.checkpoint, entry: part.entry }]
      : []
  })

/** A region's last part is never carried over: what it has to publish would wait for one that does not come. */
const outcomeOf = (state: CheckpointsState, { failed: parts, asked }: Pending) => {
  const ending = parts.find(({ region }) => hasEnded(state, region))
  if (ending !== undefined) return { kind: 'failed', reason: ending.reason, cause: ending.cause } as const
  if (parts.length > 0 && isWhole(state)) {
    const [first] = parts as readonly [FailedPart]
    return { kind: 'failed', reason: first.reason, cause: first.cause } as const
  }
  return parts.length === 0 ? ({ kind: 'complete' } as const) : state.policy.outcome({ regions: asked, failed: parts })
}

const committed = (
  state: CheckpointsState & { readonly pending: Pending },
  { entry }: Extract<CheckpointEvent, { kind: 'committed' }>,
  nowMs: number,
): Step => {
  const { pending } = state
  const { regions, completes } = pending.committing ?? { regions: [], completes: false }
  const { checkpoint } = pending.barrier
  let { parts } = pending
  for (const region of regions) parts = withMember(parts, region, done)
  const step = finished(
    { ...state, pending: { ...pending, parts, committing: undefined }, doubtful: [] },
    { checkpoint, entry, parts: new Map(regions.map(region => [region, snapshotsOf(state, pending, region)])) },
  )
  const next = andThen(step, of => (completes ? completed(of, { entry, nowMs }) : goOn(of, { nowMs })))
  return andThen(next, of => restartsDecided(of, nowMs))
}

/** Of a part that is ready. */
const snapshotsOf = ({ layout }: CheckpointsState, { acknowledged: all }: Pending, region: number) =>
  membersIn(layout, region).map(task => (memberOf(all, task) as Acknowledged).snapshot)

interface Finished {
  readonly checkpoint: CheckpointId
  readonly entry: number
  /** By region. */
  readonly parts: ReadonlyMap<number, readonly StoredSnapshot[]>
}

/** A log entry names these parts. */
const finished = (state: CheckpointsState, { checkpoint, entry, parts }: Finished): Step => {
  let { standings } = state
  const known = [...state.known]
  for (const [region, snapshots] of parts) {
    const part = finishedPart({ checkpoint, entry }, snapshots)
    known.push(part)
    standings = withMember(standings, region, { part, carriedOver: 0 })
  }
  const regions = [...parts.keys()]
  const tasks = namesOf(
    state,
    regions.flatMap(region => membersIn(state.layout, region)),
  )
  return [
    {
      ...state,
      standings,
      known,
      whole: state.whole && regions.length === 0,
      entries: new Set([...state.entries, entry]),
    },
    regions.length === 0 ? [] : [{ kind: 'publish', checkpoint, regions, tasks }],
  ]
}

/** The checkpoint has been settled without them; they are their regions' restart points all the same. */
const stands = (
  state: CheckpointsState,
  { checkpoint, entry, parts }: Extract<CheckpointEvent, { kind: 'stands' }>,
): Step => {
  const regionOfPart = ({ tasks: [first] }: Part) => regionOf(state, numberOf(state, (first as StoredSnapshot).task))
  return finished(state, { checkpoint, entry, parts: new Map(parts.map(part => [regionOfPart(part), part.tasks])) })
}

const commitFailed = (
  state: CheckpointsState & { readonly pending: Pending },
  { reason }: Extract<CheckpointEvent, { kind: 'commitFailed' }>,
  nowMs: number,
): Step => {
  const { pending } = state
  const { regions } = pending.committing ?? { regions: [] }
  const { checkpoint } = pending.barrier
  const cause = 'finalize'
  if (regions.length === 0) return failed({ ...state }, { ...pending, committing: undefined }, { reason, cause, nowMs })
  let { parts } = pending
  for (const region of regions) parts = withMember(parts, region, lost)
  const next: Pending = {
    ...pending,
    parts,
    committing: undefined,
    failed: [...pending.failed, ...regions.map(region => asFailed(state, region, { reason, cause }))],
  }
  const abort = aborted(state, regions, { checkpoint, reason })
  const objects = regions.flatMap(region => snapshotsOf(state, pending, region).flatMap(objectsOf))
  const doubtful = [...state.doubtful, ...objects]
  return andThen(
    andThen([{ ...state, pending: next, doubtful }, [abort]], of => goOn(of, { nowMs })),
    of => restartsDecided(of, nowMs),
  )
}

// Restarts.

const epochFailed = (
  state: CheckpointsState,
  { tasks, error }: Extract<CheckpointEvent, { kind: 'epochFailed' }>,
  nowMs: number,
): Step => {
  const [task] = tasks as readonly [TaskId]
  return failedOver(state, { kind: 'epochFailed', group: groupNumber(state, task), error }, { task, nowMs })
}

const restarted = (
  state: CheckpointsState,
  { tasks, ended }: Extract<CheckpointEvent, { kind: 'restarted' }>,
  nowMs: number,
): Step => {
  const [first] = tasks as readonly [TaskId]
  const [next] = failover(state.failover, { kind: 'started', group: groupNumber(state, first) }, nowMs)
  let after: CheckpointsState = { ...state, failover: next }
  for (const [task, last] of ended) after = withEnded(after, numberOf(state, task), last)
  // What it contains has been published at the start.
  const isFinal = memberOf(state.standings, regionOf(state, numberOf(state, first))).part?.final === true
  const step: Step = [after, []]
  return andThen(isFinal || isStopping(state) ? andThen(step, of => publishedBy(of, tasks)) : step, of =>
    lastIfAllEnded(of, nowMs),
  )
}

// The end of a checkpoint.

const completed = (
  state: CheckpointsState,
  { entry, nowMs }: { readonly entry: number; readonly nowMs: number },
): Step => {
  const pending = state.pending as Pending
  const { checkpoint } = pending.barrier
  let { standings } = state
  for (const { region } of pending.failed) {
    const { part, carriedOver: before } = memberOf(standings, region)
    standings = withMember(standings, region, { part, carriedOver: before + 1 })
  }
  const complete: Completed = { checkpoint, entry, parts: membersOf(standings).flatMap(({ part }) => part ?? []) }
  const retained = [...state.retained, complete].slice(Math.max(0, state.retained.length + 1 - state.retainedCount))
  const notified = membersOf(pending.parts).flatMap(({ kind }, region) =>
    kind === 'finished' ? membersIn(state.layout, region) : [],
  )
  const orders: readonly CheckpointOrder[] = [
    ...(notified.length === 0
      ? []
      : [{ kind: 'notify', checkpoint, tasks: namesOf(state, notified) } as const satisfies CheckpointOrder]),
    { kind: 'report', report: reported(state, pending, { nowMs }), ...only(pending.requested) },
  ]
  const { requested: request } = pending
  const next: Step = [{ ...state, standings, retained, pending: undefined }, orders]
  const step = request === undefined ? next : andThen(next, of => completedFor(of, request, complete))
  return andThen(step, of => settled(of, { pending, nowMs, how: 'completed' }))
}

const failed = (state: CheckpointsState, pending: Pending, { reason, cause, nowMs }: Failure): Step => {
  const orders: readonly CheckpointOrder[] = [
    { kind: 'report', report: reported(state, pending, { nowMs, reason, cause }), ...only(pending.requested) },
  ]
  const step = andThen([{ ...state, pending: undefined }, orders], of => settled(of, { pending, nowMs, how: 'failed' }))
  // Nothing is left that could trigger another one: the job cannot publish what it has written.
  return isLast(state, pending) ? andThen(step, of => [of, [{ kind: 'failJob', error: lastFailed(reason) }]]) : step
}

interface SettledCheckpoint {
  readonly pending: Pending
  readonly how: 'completed' | 'failed'
  readonly nowMs: number
}

const settled = (state: CheckpointsState, { pending, how, nowMs }: SettledCheckpoint): Step => {
  const step = unneededReleased(state)
  if (isLast(state, pending)) return step
  return andThen(step, of => {
    const { requested: request } = pending
    const next: Step = request === undefined || allEnded(of) ? [of, []] : admitted(of, { kind: how, request }, nowMs)
    return andThen(next, after => lastIfAllEnded(after, nowMs))
  })
}

const lastIfAllEnded = (state: CheckpointsState, nowMs: number): Step => {
  if (!allEnded(state) || state.pending !== undefined || state.unpublished === 0 || isStopping(state))
    return [state, []]
  return allFinal(state) ? [state, []] : triggered(state, undefined, nowMs)
}

const lastFailed = (reason: string) =>
  new SpillwayError('CHECKPOINT_FAILED', {
    place: 'the end of the job',
    problem: `${reason}.`,
    remedy: 'Start the job again on the same store once the cause is mended: it goes on from the checkpoint before.',
  })

// Small things.

const reported = (
  state: CheckpointsState,
  pending: Pending,
  { nowMs, reason, cause }: { nowMs: number; reason?: string; cause?: FailureCause },
): CheckpointReport => {
  const { checkpoint, timestampMs, alignment, savepoint } = pending.barrier
  const acknowledgedBy = membersOf(pending.acknowledged).flatMap(of => of ?? [])
  const isFinal = acknowledgedBy.every(({ snapshot }) => snapshot.ended) && allEnded(state)
  return report({
    id: checkpoint,
    alignment,
    kind: isFinal ? 'final' : savepoint ? 'savepoint' : 'checkpoint',
    triggeredAtMs: timestampMs,
    durationMs: Math.max(0, nowMs - timestampMs),
    ...(reason === undefined || cause === undefined ? {} : { reason, cause }),
    regions: state.layout.regions.length,
    failedRegions: pending.failed.map(({ region }) => region),
    acknowledged: acknowledgedBy,
    missing: reason === undefined ? [] : missingIn(state, pending),
  })
}

/** Of regions that were asked. */
const missingIn = ({ layout }: CheckpointsState, pending: Pending): readonly TaskId[] =>
  layout.tasks.filter(
    (_, task) =>
      !hasAcknowledged(pending, task) && memberOf(pending.parts, layout.regionOf[task] as number).kind !== 'exempt',
  )

const only = (of: Requested | undefined) => (of?.request === undefined ? {} : { request: of.request })

const isPending = (
  state: CheckpointsState,
  checkpoint: CheckpointId,
): state is CheckpointsState & { readonly pending: Pending } => state.pending?.barrier.checkpoint === checkpoint

/** It was made of last snapshots alone. */
const isLast = (state: CheckpointsState, { requested: request }: Pending): boolean =>
  request === undefined && allEnded(state)

const someOf = (tasks: readonly TaskId[]): string => {
  const more = tasks.length - namedMax
  return tasks.slice(0, namedMax).join(', ') + (more > 0 ? ` and ${more} more` : '')
}

const notRunning = { reason: 'it is being restarted', cause: 'region-failover' } as const

/** A commit waits until it has so large a share of the parts, unless it is due. */
const commitsMax = 16
/** In a message. */
const namedMax = 10
