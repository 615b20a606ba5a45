import type { Barrier, CheckpointId } from '../element.ts'
import { SpillwayError } from '../error.ts'
import { absurd } from '../invariant.ts'
import type { CarriedOver, Part } from '../snapshot/log.ts'
import { objectsOf, type StoredSnapshot, type TaskId } from '../snapshot/snapshot.ts'
import { type Admission, admission, initialAdmission } from './admission.ts'
import type { Acknowledged, CheckpointEvent, CheckpointOrder, Requested } from './events.ts'
import { type Layout, layoutOf } from './layout.ts'
import { type FailedPart, global, type Policy } from './policy.ts'
import { type CheckpointReport, report } from './report.ts'
import { type Completed, type FinishedPart, finishedPart, type Kept, released } from './retention.ts'
import type { FailureCause } from './tolerance.ts'
import { memberOf, membersOf, type Vector, vectorOf, withMember } from './vector.ts'

/**
 * Which checkpoints a job takes and what becomes of them: a transition function,
 * `(state, event, now) -> [state, orders]`.
 *
 * - One checkpoint at a time; requests wait as `admission` says. The schedule's are dropped while one is under way.
 * - A region's part is ready once all its tasks' snapshots are stored (a task that has ended is represented by its last
 *   one), and finished once a log entry names it: then its sinks publish, whatever becomes of the checkpoint. Parts that
 *   are ready close together share an entry.
 * - A part fails if a task of it declines or fails, or its time is up; what it has written is released. Once it is ready only
 *   the commit itself fails it, and nothing is released then: the log's entry may be there all the same (the next start tidies up).
 * - Once every part is finished or failed, the policy says what the checkpoint comes to. A completed one names for each failed
 *   region the part that it finished last; no object is copied or moved.
 * - A region whose tasks have all ended is asked no more once such a part of it is finished; that part is never
 *   carried over. When all tasks have ended, one more checkpoint made of their last snapshots alone publishes what is left.
 *
 * Source: the life of a checkpoint as in Flink's CheckpointCoordinator; regions as in ByteDance's Regional Checkpoint.
 */
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
  /** Tasks that have ended, or have not: what they wrote last is not yet published. */
  readonly unpublished: number
}

/** How a region stands between checkpoints. */
interface Standing {
  /** The one that it finished last: what it restarts from. */
  readonly part: FinishedPart | undefined
  /** Completed checkpoints in a row in which it was carried over. */
  readonly carriedOver: number
}

/** A region's part of the pending checkpoint. */
type PendingPart =
  | { readonly kind: 'open'; readonly missing: number }
  | { readonly kind: 'ready' | 'finished' | 'failed' }
  /** The region has ended before. */
  | { readonly kind: 'exempt' }

interface Pending {
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

interface Ready {
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
  /** Tasks restored as ended, and the parts that the job was restored from. */
  readonly ended?: ReadonlyMap<TaskId, Acknowledged>
  readonly restored?: {
    readonly checkpoint: CheckpointId
    readonly parts: readonly FinishedPart[]
    /** Their tasks are not this job's: its parallelism is another. */
    readonly dealtAnew: boolean
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
  const layout = layoutOf(policy.regions(connected))
  const { tasks, regions, numberOf } = layout
  const ended = vectorOf(tasks.length, task => options.ended?.get(tasks[task] as TaskId))
  const hasEnded = (region: number) =>
    regions[region]?.every(task => options.ended?.has(tasks[task] as TaskId) === true) === true
  const partOf = new Map<number | undefined, FinishedPart>()
  if (restored?.dealtAnew === false) {
    for (const part of restored.parts) for (const task of part.tasks) partOf.set(numberOf.get(task), part)
  }
  return {
    policy,
    layout,
    nextId,
    retainedCount,
    ended,
    endedCount: options.ended?.size ?? 0,
    standings: vectorOf(regions.length, region => ({
      part: partOf.get(regions[region]?.[0]),
      carriedOver: 0,
    })),
    whole: restored?.dealtAnew ?? false,
    admission: initialAdmission({ concurrentMax: 1, minPauseMs, queueMax, unaligned: true }),
    pending: undefined,
    unpublished: regions.reduce((count, members, region) => count + (hasEnded(region) ? 0 : members.length), 0),
    retained: restored === undefined ? [] : [{ ...restored, entry: undefined }],
    known: restored?.parts ?? [],
    entries: new Set(restored?.parts.map(({ entry }) => entry)),
  }
}

export type Step = readonly [CheckpointsState, readonly CheckpointOrder[]]

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
    case 'limited':
      return [{ ...state, policy: event.policy, admission: { ...state.admission, minPauseMs: event.minPauseMs } }, []]
    default:
      return absurd(event)
  }
}

// Beginning.

const requested = (state: CheckpointsState, request: Requested, nowMs: number): Step => {
  if (allEnded(state)) return [state, []]
  const periodic = request.request === undefined
  if (periodic && state.pending !== undefined) return [state, []]
  return admitted(state, { kind: 'requested', request, of: periodic ? 'periodic' : 'checkpoint' }, nowMs)
}

const admitted = (state: CheckpointsState, event: Parameters<typeof admission<Requested>>[1], nowMs: number): Step => {
  const [next, effects] = admission(state.admission, event, nowMs)
  let step: Step = [{ ...state, admission: next }, []]
  for (const effect of effects) {
    const { request } = effect.request
    if (effect.kind === 'start') step = then(step, of => triggered(of, effect.request, nowMs))
    else if (effect.kind === 'refuse' && request !== undefined) {
      step = then(step, of => [of, [{ kind: 'refuse', request, reason: effect.reason }]])
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
    savepoint: false,
  }
  const parts = vectorOf(regions.length, (region): PendingPart => {
    if (memberOf(state.standings, region).part?.final === true) return exempt
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
    failed: [],
  }
  const next = { ...state, nextId: state.nextId + 1, pending }
  const orders: readonly CheckpointOrder[] = request === undefined ? [] : [{ kind: 'trigger', barrier }]
  return then([next, orders], of => goOn(of, { nowMs }))
}

// What tasks say.

const acknowledged = (state: CheckpointsState, event: Acknowledged, nowMs: number): Step => {
  const { snapshot } = event
  const task = numberOf(state, snapshot.task)
  const known = snapshot.ended ? withEnded(state, task, event) : state
  const region = regionOf(state, task)
  if (isRepeated(state, event, { task, region })) return [state, []]
  const { pending } = known
  const part = pending === undefined ? exempt : memberOf(pending.parts, region)
  if (pending === undefined || part.kind !== 'open' || !belongsTo(pending, event)) {
    if (snapshot.ended) return lastIfAllEnded(known, nowMs)
    return [known, releaseOf([snapshot])]
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
  return missing === 0 ? then(step, of => goOn(of, { nowMs })) : step
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

const withEnded = (state: CheckpointsState, task: number, event: Acknowledged): CheckpointsState => ({
  ...state,
  ended: withMember(state.ended, task, event),
  endedCount: state.endedCount + (memberOf(state.ended, task) === undefined ? 1 : 0),
})

const declined = (
  state: CheckpointsState,
  event: Extract<CheckpointEvent, { kind: 'declined' }>,
  nowMs: number,
): Step => {
  const reason = `${event.task} declined: ${event.reason}`
  // Nothing else could ever stand for a task that has ended.
  if (event.ended) return [{ ...state, pending: undefined }, [{ kind: 'failJob', error: lastFailed(reason) }]]
  if (!isPending(state, event.checkpoint)) return [state, []]
  const region = regionOf(state, numberOf(state, event.task))
  return partsFailed(state, [region], { reason, cause: event.cause, nowMs })
}

const taskFailed = (
  state: CheckpointsState,
  { task, error }: Extract<CheckpointEvent, { kind: 'failed' }>,
  nowMs: number,
): Step => {
  const failJob: CheckpointOrder = { kind: 'failJob', error }
  const number = state.layout.numberOf.get(task)
  const { pending } = state
  if (number === undefined || pending === undefined) return [state, [failJob]]
  const failure = { reason: `${task} failed`, cause: 'task-failed', nowMs } as const
  return then(partsFailed({ ...state, pending }, [regionOf(state, number)], failure), of => [of, [failJob]])
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
  const failing = regions.filter(isOpen)
  if (failing.length === 0) return [state, []]
  const all = state.whole ? state.layout.regions.map((_, region) => region).filter(isOpen) : failing
  const withdrawn = state.whole ? regionsOf(pending.ready) : []
  const failed = [...all, ...withdrawn]
  let { parts } = pending
  for (const region of failed) parts = withMember(parts, region, lost)
  const next: Pending = {
    ...pending,
    parts,
    open: pending.open - all.length,
    ready: state.whole ? undefined : pending.ready,
    failed: [...pending.failed, ...failed.map(region => asFailed(state, region, { reason, cause }))],
  }
  const members = failed.flatMap(region => membersIn(state.layout, region))
  const written = members.flatMap(task => memberOf(pending.acknowledged, task)?.snapshot ?? [])
  const orders: readonly CheckpointOrder[] = [
    { kind: 'abort', checkpoint: pending.barrier.checkpoint, tasks: namesOf(state, members), reason },
    ...releaseOf(written.filter(({ ended }) => !ended)),
  ]
  return then([{ ...state, pending: next }, orders], of => goOn(of, { nowMs }))
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
    return open === 0 || (!state.whole && (due || enough)) ? commit(state, pending, regionsOf(newest)) : [state, []]
  }
  if (open > 0) return [state, []]
  const outcome = outcomeOf(state, pending)
  return outcome.kind === 'complete' ? commit(state, pending, []) : failed(state, pending, { ...outcome, nowMs })
}

const commit = (state: CheckpointsState, pending: Pending, regions: readonly number[]): Step => {
  const completes = pending.open === 0 && outcomeOf(state, pending).kind === 'complete'
  const parts = regions.map(
    (region): Part => ({
      tasks: membersIn(state.layout, region).map(
        task => (memberOf(pending.acknowledged, task) as Acknowledged).snapshot,
      ),
    }),
  )
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
  if (parts.length > 0 && state.whole) {
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
  let { standings } = state
  let { parts } = pending
  const finished: FinishedPart[] = []
  for (const region of regions) {
    const snapshots = membersIn(state.layout, region).map(
      task => (memberOf(pending.acknowledged, task) as Acknowledged).snapshot,
    )
    const part = finishedPart({ checkpoint, entry }, snapshots)
    finished.push(part)
    standings = withMember(standings, region, { part, carriedOver: 0 })
    parts = withMember(parts, region, done)
  }
  const next: CheckpointsState & { readonly pending: Pending } = {
    ...state,
    standings,
    whole: state.whole && regions.length === 0,
    known: [...state.known, ...finished],
    entries: new Set([...state.entries, entry]),
    pending: { ...pending, parts, committing: undefined },
  }
  const tasks = namesOf(
    state,
    regions.flatMap(region => membersIn(state.layout, region)),
  )
  const orders: readonly CheckpointOrder[] =
    regions.length === 0 ? [] : [{ kind: 'publish', checkpoint, regions, tasks }]
  return then([next, orders], of => (completes ? completed(of as typeof next, { entry, nowMs }) : goOn(of, { nowMs })))
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
  const members = regions.flatMap(region => membersIn(state.layout, region))
  const abort: CheckpointOrder = { kind: 'abort', checkpoint, tasks: namesOf(state, members), reason }
  return then([{ ...state, pending: next }, [abort]], of => goOn(of, { nowMs }))
}

// The end of a checkpoint.

const completed = (
  state: CheckpointsState & { readonly pending: Pending },
  { entry, nowMs }: { readonly entry: number; readonly nowMs: number },
): Step => {
  const { pending } = state
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
  return settled({ ...state, standings, retained, pending: undefined }, { orders, pending, nowMs, how: 'completed' })
}

const failed = (state: CheckpointsState, pending: Pending, { reason, cause, nowMs }: Failure): Step => {
  const orders: readonly CheckpointOrder[] = [
    { kind: 'report', report: reported(state, pending, { nowMs, reason, cause }), ...only(pending.requested) },
  ]
  const step = settled({ ...state, pending: undefined }, { orders, pending, nowMs, how: 'failed' })
  // Nothing is left that could trigger another one: the job cannot publish what it has written.
  return isLast(state, pending) ? then(step, of => [of, [{ kind: 'failJob', error: lastFailed(reason) }]]) : step
}

interface SettledCheckpoint {
  readonly orders: readonly CheckpointOrder[]
  readonly pending: Pending
  readonly how: 'completed' | 'failed'
  readonly nowMs: number
}

const settled = (state: CheckpointsState, { orders, pending, how, nowMs }: SettledCheckpoint): Step => {
  const [kept, dead] = released(state, {
    finished: membersOf(state.standings).flatMap(({ part }) => part ?? []),
    ended: membersOf(state.ended).flatMap(of => (of === undefined ? [] : objectsOf(of.snapshot))),
  })
  const release: readonly CheckpointOrder[] =
    dead.objects.length === 0 && dead.entries.length === 0 ? [] : [{ kind: 'release', ...dead }]
  const step: Step = [{ ...state, ...kept }, [...orders, ...release]]
  if (isLast(state, pending)) return step
  return then(step, of => {
    const { requested: request } = pending
    const next: Step = request === undefined || allEnded(of) ? [of, []] : admitted(of, { kind: how, request }, nowMs)
    return then(next, after => lastIfAllEnded(after, nowMs))
  })
}

const lastIfAllEnded = (state: CheckpointsState, nowMs: number): Step => {
  if (!allEnded(state) || state.pending !== undefined || state.unpublished === 0) return [state, []]
  const isFinal = membersOf(state.standings).every(({ part }) => part?.final === true)
  return isFinal ? [state, []] : triggered(state, undefined, nowMs)
}

const lastFailed = (reason: string) =>
  new SpillwayError('CHECKPOINT_FAILED', {
    place: 'the end of the job',
    problem: `${reason}.`,
    remedy: 'Start the job again on the same store once the cause is mended: it goes on from the checkpoint before.',
  })

/** Only of a region's last part somebody waits for it. */
const published = (
  state: CheckpointsState,
  { tasks, checkpoint }: Extract<CheckpointEvent, { kind: 'published' }>,
): Step => {
  if (state.endedCount === 0) return [state, []]
  const last = tasks.filter(task => {
    const { part } = memberOf(state.standings, regionOf(state, numberOf(state, task)))
    return part?.final === true && part.checkpoint === checkpoint
  })
  if (last.length === 0) return [state, []]
  const unpublished = state.unpublished - last.length
  return [{ ...state, unpublished }, unpublished === 0 ? [{ kind: 'finished' }] : []]
}

// Small things.

const reported = (
  state: CheckpointsState,
  pending: Pending,
  { nowMs, reason, cause }: { nowMs: number; reason?: string; cause?: FailureCause },
): CheckpointReport => {
  const { checkpoint, timestampMs, alignment } = pending.barrier
  const acknowledgedBy = membersOf(pending.acknowledged).flatMap(of => of ?? [])
  return report({
    id: checkpoint,
    alignment,
    kind: acknowledgedBy.every(({ snapshot }) => snapshot.ended) && allEnded(state) ? 'final' : 'checkpoint',
    triggeredAtMs: timestampMs,
    durationMs: Math.max(0, nowMs - timestampMs),
    ...(reason === undefined || cause === undefined ? {} : { reason, cause }),
    regions: state.layout.regions.length,
    failedRegions: pending.failed.map(({ region }) => region),
    acknowledged: acknowledgedBy,
  })
}

const only = (of: Requested | undefined) => (of?.request === undefined ? {} : { request: of.request })

const releaseOf = (snapshots: readonly StoredSnapshot[]): readonly CheckpointOrder[] => {
  const objects = snapshots.flatMap(objectsOf)
  return objects.length === 0 ? [] : [{ kind: 'release', objects, entries: [] }]
}

const isPending = (
  state: CheckpointsState,
  checkpoint: CheckpointId,
): state is CheckpointsState & { readonly pending: Pending } => state.pending?.barrier.checkpoint === checkpoint

/** It was made of last snapshots alone. */
const isLast = (state: CheckpointsState, { requested: request }: Pending): boolean =>
  request === undefined && allEnded(state)

const allEnded = ({ endedCount, layout }: CheckpointsState): boolean => endedCount === layout.tasks.length

const hasEnded = (state: CheckpointsState, region: number): boolean =>
  membersIn(state.layout, region).every(task => memberOf(state.ended, task) !== undefined)

const withReady = (before: Ready | undefined, region: number): Ready => ({
  region,
  before,
  count: (before?.count ?? 0) + 1,
})

/** Oldest first. */
const regionsOf = (newest: Ready | undefined): readonly number[] => {
  const regions = new Array<number>(newest?.count ?? 0)
  for (let ready = newest; ready !== undefined; ready = ready.before) regions[ready.count - 1] = ready.region
  return regions
}

const hasAcknowledged = ({ acknowledged: all }: Pending, task: number): boolean => memberOf(all, task) !== undefined

const numberOf = ({ layout }: CheckpointsState, task: TaskId): number => layout.numberOf.get(task) as number
const regionOf = ({ layout }: CheckpointsState, task: number): number => layout.regionOf[task] as number
const membersIn = ({ regions }: Layout, region: number): readonly number[] => regions[region] as readonly number[]
const namesOf = ({ layout }: CheckpointsState, tasks: readonly number[]): readonly TaskId[] =>
  tasks.map(task => layout.tasks[task] as TaskId)

const someOf = (tasks: readonly TaskId[]): string => {
  const more = tasks.length - namedMax
  return tasks.slice(0, namedMax).join(', ') + (more > 0 ? ` and ${more} more` : '')
}

const then = ([state, orders]: Step, next: (state: CheckpointsState) => Step): Step => {
  const [after, more] = next(state)
  return [after, more.length === 0 ? orders : [...orders, ...more]]
}

const exempt: PendingPart = { kind: 'exempt' }
const ready: PendingPart = { kind: 'ready' }
const done: PendingPart = { kind: 'finished' }
const lost: PendingPart = { kind: 'failed' }

/** A commit waits until it has so large a share of the parts, unless it is due. */
const commitsMax = 16
/** In a message. */
const namedMax = 10
