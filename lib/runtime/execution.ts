import {
  concat,
  defer,
  EMPTY,
  finalize,
  from,
  ignoreElements,
  interval,
  last,
  map,
  merge,
  mergeMap,
  type Observable,
  observeOn,
  of,
  queueScheduler,
  Subject,
  Subscription,
  share,
  switchMap,
  tap,
  toArray,
} from 'rxjs'
import { BufferBudget } from '../channel/budget.ts'
import { CaptureBudget } from '../channel/captureBudget.ts'
import { coordinate } from '../control/coordinate.ts'
import { serialize } from '../control/serialize.ts'
import {
  type CheckpointHistory,
  checkpointHistory,
  nothingRemembered,
  type Remembered,
  type RememberedEvent,
  remembered,
} from '../coordination/checkpointHistory.ts'
import type { Acknowledged, CheckpointOrder, CoordinateEvent } from '../coordination/events.ts'
import type { CheckpointReport } from '../coordination/report.ts'
import { finishedPart } from '../coordination/retention.ts'
import type { CheckpointId, SplitId } from '../element.ts'
import { SpillwayError } from '../error.ts'
import { connected } from '../graph/connected.ts'
import type { Plan, Stage } from '../graph/plan.ts'
import type { SourceMetrics } from '../graph/reading.ts'
import { absurd, invariant } from '../invariant.ts'
import { type Coding, codingOf } from '../snapshot/chunk.ts'
import type { StoredPart } from '../snapshot/history.ts'
import { encodedEntry } from '../snapshot/log.ts'
import { objectsOf, type RestoredTask, type TaskId } from '../snapshot/snapshot.ts'
import { deleted } from '../store/deleted.ts'
import { ifNewest } from '../store/ifNewest.ts'
import { memoryStore } from '../store/memoryStore.ts'
import type { Store } from '../store/store.ts'
import { type BufferBound, type InFlightCount, inFlightCount, restoredBound } from './bufferBound.ts'
import { copiedSnapshots } from './copiedSnapshots.ts'
import type { InputMetrics } from './debloater.ts'
import { Executor } from './executor.ts'
import type { JobEvent } from './jobEvents.ts'
import { checkAlignment, type Settings } from './options.ts'
import { Requests, type Stopped } from './requests.ts'
import { type Found, found, isWithoutInFlight, restoredAgain, restoredFor } from './restore.ts'
import type { RestoredJob } from './restoredJob.ts'
import { checkDropped, type RestorePlan, restorePlan } from './restorePlan.ts'
import type { Environment, Happening } from './run.ts'
import { savepoint } from './savepoint.ts'
import type { SinkMetrics } from './sinkOutput.ts'
import { dump, stalled } from './stalled.ts'
import type { RunningTask, TaskEvent } from './task.ts'
import { type Wiring, wired } from './wiring.ts'

/** Who hears of a start. */
export interface Listener {
  readonly onRunning: (restored: RestoredJob | undefined) => void
  /** What becomes of a savepoint's state; nothing is written yet. */
  readonly onPlanned: (plan: RestorePlan) => void
}

/**
 * One run of a job: starts it from its store, and is the loop
 * `tasks' events -> serialize(store) -> coordinate -> orders -> tasks`.
 */
export class Execution {
  /** Completes when the job is done; errs with what failed it. */
  readonly outcome$ = new Subject<never>()
  readonly reports$ = new Subject<CheckpointReport>()
  readonly #jobEvents$ = new Subject<JobEvent>()
  /** By task: the last of its events. */
  readonly #standings = new Map<TaskId, JobEvent>()
  readonly #environment: Environment
  readonly #plan: Plan
  #settings: Settings
  #buffers: BufferBound
  /** Without what restarted tasks have begun with. */
  #buffersAtStart: BufferBound
  readonly #store: Store
  readonly #encoding: Coding
  readonly #onRunning: Listener['onRunning']
  readonly #onPlanned: Listener['onPlanned']
  readonly #executor: Executor
  readonly #orders$ = new Subject<CheckpointOrder>()
  readonly #events$ = new Subject<
    | TaskEvent
    | Extract<
        CoordinateEvent,
        { kind: 'requested' | 'drainRequested' | 'saved' | 'saveFailed' | 'configured' | 'restarted' }
      >
  >()
  readonly #running = new Subscription()
  #debloating = Subscription.EMPTY
  readonly requests = new Requests({
    tell: event => {
      if (!this.#begun || this.#ended) return false
      this.#events$.next(event)
      return true
    },
    save: (of, to) => savepoint(this.#store, { of, to, encoding: this.#encoding, readsMax }),
  })
  /** Its sources are to end where they are. */
  #draining = false
  /** What it has ended with, if it was stopped. */
  stopped: Stopped | undefined
  readonly #budget: BufferBudget
  readonly #captures: CaptureBudget
  #tasks: readonly RunningTask[] = []
  #taskOf: ReadonlyMap<TaskId, RunningTask> = new Map()
  #splits: ReadonlyMap<Stage, readonly SplitId[]> = new Map()
  /** The log entries of the parts that the job was started from. */
  #startedFrom: readonly number[] = []
  /** What these may have that the pipelines have not. */
  #allowDropped: readonly string[] = []
  /** By the first task of each group that is being restarted. */
  readonly #restarting = new Map<TaskId, Subscription>()
  /** By the first task of each group that has been restarted: what it began with. */
  readonly #restartedWith = new Map<TaskId, InFlightCount>()
  #remembered: Remembered
  /** While tasks are being told: those that have published at once. */
  #publishing: { readonly checkpoint: CheckpointId; readonly done: TaskId[] } | undefined
  #begun = false
  #ended = false

  constructor(
    environment: Environment,
    plan: Plan,
    settings: Settings,
    buffers: BufferBound,
    { onRunning, onPlanned }: Listener,
  ) {
    this.#environment = environment
    this.#plan = plan
    this.#settings = settings
    this.#buffers = buffers
    this.#buffersAtStart = buffers
    this.#budget = new BufferBudget({ buffersMax: buffers.pooled, guaranteed: buffers.guaranteed })
    this.#captures = new CaptureBudget(buffers.captured)
    this.#remembered = nothingRemembered(settings.checkpoints.historyCount)
    this.#store = settings.store ?? memoryStore()
    const { encoding, compression, oldCompressions } = settings.checkpoints
    this.#encoding = codingOf(encoding, { compression, oldCompressions })
    this.#onRunning = onRunning
    this.#onPlanned = onPlanned
    const { scheduler, clock, nextSlice, choose, sliceTurnsMax } = environment
    const { flushMs } = settings.channels
    const onIdle = settings.checks ? () => this.#checkIdle() : () => {}
    this.#executor = new Executor({ scheduler, clock, nextSlice, choose, sliceTurnsMax, flushMs, sliceMs, onIdle })
  }

  start(): void {
    this.#running.add(
      this.#found()
        .pipe(switchMap(start => this.#prepared(start)))
        .subscribe({
          next: start => this.#begin(start),
          error: error => this.#end(error),
        }),
    )
  }

  /** What would become of a savepoint's state, instead of a start; undefined if there is none. Writes nothing. */
  planned(): Observable<RestorePlan | undefined> {
    return this.#found().pipe(
      map(start => {
        const { restored } = this.#built(start)
        return restored?.isSavepoint === true ? this.#restorePlan(restored, this.#tasks) : undefined
      }),
      finalize(() => {
        for (const task of this.#tasks) task.stop()
      }),
    )
  }

  #found(): Observable<Found> {
    return this.#splitsRead().pipe(
      switchMap(() =>
        found(this.#store, {
          restore: this.#settings.restore,
          retainedCount: this.#settings.checkpoints.retainedCount,
          sinks: this.#plan.stages.flatMap(({ pipelines }) => pipelines.map(({ name }) => name)),
          encoding: this.#encoding,
          readsMax,
        }),
      ),
    )
  }

  cancel(): void {
    this.#end(
      new SpillwayError('CANCELLED', {
        place: 'the job',
        problem: 'it has been cancelled.',
        remedy: 'Run it again on the same store to go on from its newest checkpoint.',
      }),
    )
  }

  /** From the next checkpoint on; before the job runs, from its start. */
  configure(settings: Settings): void {
    this.#settings = settings
    if (!this.#begun || this.#ended) return
    this.#configured()
    this.#debloat()
  }

  #configured(): void {
    this.#events$.next({ kind: 'configured', schedule: this.#settings.checkpoints })
  }

  /** First how each task stands. */
  get jobEvents$(): Observable<JobEvent> {
    return defer(() => concat(of(...this.#standings.values()), this.#jobEvents$))
  }

  get checkpointHistory(): CheckpointHistory {
    return checkpointHistory(this.#remembered)
  }

  /** What channels and snapshots hold at the most. */
  get buffers(): BufferBound {
    return this.#buffers
  }

  /** By task; of those whose buffers are debloated. */
  inputs(): readonly (InputMetrics & { readonly task: string; readonly input: number })[] {
    return this.#tasks.flatMap(task => task.inputMetrics.map((of, input) => ({ task: task.id, input, ...of })))
  }

  /** By task and sink. */
  sinks(): readonly (SinkMetrics & { readonly task: string })[] {
    return this.#tasks.flatMap(task => task.sinkMetrics.map(of => ({ task: task.id, ...of })))
  }

  /** By task; of those that read a source. */
  sources(): readonly (SourceMetrics & { readonly task: string })[] {
    return this.#tasks.flatMap(({ id, sourceMetrics }) => (sourceMetrics ? [{ task: id, ...sourceMetrics }] : []))
  }

  #debloat(): void {
    const { debloat } = this.#settings.channels
    this.#debloating.unsubscribe()
    for (const task of this.#tasks) task.debloat(debloat)
    if (debloat === undefined) return
    this.#debloating = interval(debloat.periodMs, this.#environment.scheduler).subscribe(() => {
      for (const task of this.#tasks) task.debloat(debloat)
    })
    this.#running.add(this.#debloating)
  }

  /** The splits of each source, asked for once. */
  #splitsRead(): Observable<unknown> {
    const sources = this.#plan.stages.filter(({ source }) => source !== undefined)
    return from(sources).pipe(
      mergeMap(stage =>
        defer(() => from(stage.source!.splits())).pipe(
          map(all => [stage, all] as const),
          last(),
        ),
      ),
      toArray(),
      tap(all => {
        this.#splits = new Map(all)
      }),
    )
  }

  /** Builds the tasks and checks that they fit, before anything is written; then takes the log and brings the sinks up. */
  #prepared(read: Found): Observable<Found> {
    const start = this.#built(read)
    const { restored } = start
    this.#allowDropped = start.allowDropped
    if (restored?.isSavepoint === true) this.#onPlanned(this.#restorePlan(restored, this.#tasks))
    this.#checkRestored(this.#tasks, restored)
    return concat(this.#logTaken(start), recovered(this.#tasks), this.#leftoversDeleted(start), of(start))
  }

  /** Errors of tasks come first. */
  #built(read: Found): Found {
    const start = { ...read, restored: read.restored && this.#spread(read.restored) }
    this.#buffersAtStart = restoredBound(this.#buffers, inFlightCount(start.restored?.tasks.values() ?? []))
    this.#buffers = this.#buffersAtStart
    this.#captures.buffersMax = this.#buffers.captured
    this.#startedFrom = [...new Set(start.restored?.parts.map(({ entry }) => entry))].sort((a, b) => a - b)
    this.#tasks = this.#made({ epoch: start.epoch, restored: start.restored, isWanted: () => true })
    this.#taskOf = new Map(this.#tasks.map(task => [task.id, task]))
    checkBuilt(this.#tasks)
    return start
  }

  #restorePlan(restored: RestoredJob, tasks: readonly RunningTask[]): RestorePlan {
    return restorePlan(
      restored,
      tasks.flatMap(({ stateFates }) => stateFates),
    )
  }

  /** Nothing that is restored is left unclaimed, but for what may be dropped. */
  #checkRestored(tasks: readonly RunningTask[], restored: RestoredJob | undefined): void {
    if (restored?.isSavepoint !== true) return checkClaimed(tasks)
    checkDropped(this.#restorePlan(restored, tasks), { allowDropped: this.#allowDropped })
  }

  #made({ epoch, restored, isWanted }: Pick<Wiring, 'epoch' | 'isWanted'> & { restored: RestoredJob | undefined }) {
    return wired({
      plan: this.#plan,
      settings: this.#settings,
      encoding: this.#encoding,
      budget: this.#budget,
      captures: this.#captures,
      environment: this.#environment,
      executor: this.#executor,
      epoch,
      splits: this.#splits,
      restored,
      report: event => this.#heard(event),
      isWanted,
    })
  }

  #spread(restored: RestoredJob): RestoredJob {
    return restoredFor(restored, { plan: this.#plan, keyGroups: this.#settings.keyGroups, splits: this.#splits })
  }

  /**
   * Appends the start's entry: the next append of an older run meets it. Such a run may have gone on since the log was read,
   * and have deleted its entry of that number again.
   */
  #logTaken({ epoch, nextEntry, from, nextCheckpoint, imported }: Found): Observable<never> {
    const entry = encodedEntry({ kind: 'start', epoch, from, nextCheckpoint }, this.#encoding)
    const taken$ = concat(this.#store.append(nextEntry, entry), ifNewest(this.#store, nextEntry))
    if (imported === undefined) return taken$.pipe(ignoreElements())
    const copied$ = copiedSnapshots(imported.snapshots, { ...imported, to: this.#store, readsMax })
    const commit = encodedEntry(imported.commit, this.#encoding)
    return concat(copied$, taken$, this.#store.append(nextEntry + 1, commit)).pipe(ignoreElements())
  }

  /** What earlier starts wrote, and nothing that is restored or kept names. */
  #leftoversDeleted({ restored, completedBy, retained, objects, commits, restarts }: Found): Observable<never> {
    if (this.#settings.restore === 'none') return EMPTY
    const parts = [...(restored?.parts ?? []), ...retained.flatMap(of => of.parts)]
    const entries = new Set<number | undefined>([
      ...parts.map(({ entry }) => entry),
      completedBy,
      ...retained.map(({ entry }) => entry),
    ])
    const named = new Set(parts.flatMap(({ snapshots }) => snapshots.flatMap(objectsOf)))
    return deleted(this.#store, {
      entries: [...commits.filter(n => !entries.has(n)), ...restarts],
      objects: objects.filter(object => !named.has(object)),
      atATimeMax: readsMax,
    })
  }

  #begin({ epoch, nextEntry, nextCheckpoint, restored, imported, completedBy, retained }: Found): void {
    const { scheduler } = this.#environment
    const ended = endedBefore(restored)
    // An order is never carried out inside the event that caused it.
    const obeyed$ = this.#orders$.pipe(observeOn(queueScheduler), share())
    const observe = (happening: Happening) => this.#environment.observe?.(happening)
    this.#running.add(obeyed$.pipe(tap(order => observe(order))).subscribe(order => this.#obey(order)))
    this.#running.add(
      merge(obeyed$, this.#events$)
        .pipe(
          serialize<Exclude<CoordinateEvent, { kind: 'expired' }>>({
            store: this.#store,
            encoding: this.#encoding,
            scheduler: this.#executor.background,
            writesMax,
            inlineBytesMax: this.#settings.checkpoints.inlineBytesMax,
            tasksPerFile: this.#settings.checkpoints.tasksPerFile,
            incremental: this.#settings.checkpoints.incremental,
            epoch,
            job: {
              keyGroups: this.#settings.keyGroups,
              stages: Object.fromEntries(this.#plan.stages.map(({ id, parallelism }) => [id, parallelism])),
            },
            nextEntry: nextEntry + (imported === undefined ? 1 : 2),
          }),
          tap(event => observe(event)),
          coordinate({
            ...this.#settings.checkpoints,
            // What it asks for at once would come before the tasks have been started.
            schedule: undefined,
            checkAlignment: alignment =>
              checkAlignment('checkpoints.schedule', { alignment, guarantee: this.#settings.checkpoints.guarantee }),
            restart: this.#settings.restart,
            scheduler,
            connected: connected(this.#plan),
            nextId: nextCheckpoint,
            ended,
            ...(restored === undefined ? {} : { restored: restoredParts(restored, { completedBy, retained }) }),
          }),
        )
        .subscribe({
          next: order => this.#orders$.next(order),
          error: error => this.#end(error),
          complete: () => this.#end(),
        }),
    )
    this.#begun = true
    this.#onRunning(restored)
    if (restored !== undefined) this.#remember({ kind: 'restored', checkpoint: restored.checkpoint })
    this.#started(this.#tasks, 0)
    if (this.#settings.checkpoints.schedule !== undefined) this.#configured()
    if (this.#settings.channels.debloat !== undefined) this.#debloat()
    if (ended.size === this.#tasks.length) this.#end()
  }

  #obey(order: CheckpointOrder): void {
    if (this.#settings.checks) this.#checkBound()
    this.#running.add(this.requests.told(order)?.subscribe())
    switch (order.kind) {
      case 'trigger':
        this.#remember({ kind: 'triggered', checkpoint: order.barrier.checkpoint })
        for (const task of this.#tasks) task.trigger(order.barrier, { stops: order.stops === true })
        return
      case 'drain':
        this.#draining = true
        for (const task of this.#tasks) task.drain()
        return
      case 'resume':
        for (const task of this.#tasks) task.resume()
        return
      case 'publish':
        return this.#publish(order)
      case 'abort':
        for (const id of order.tasks) this.#taskOf.get(id)?.abort(order.checkpoint, order.latestFinished.get(id))
        return
      case 'report':
        if (this.#settings.checks) this.#checkCaptures(order.report)
        this.#remember({ kind: 'reported', report: order.report })
        this.reports$.next(order.report)
        return
      case 'stop':
        return this.#stop(order)
      case 'restart':
        return this.#restart(order)
      case 'failJob':
        return this.#end(order.error)
      case 'finished':
        // The loop ends once the store has carried out what it has been ordered.
        this.#events$.complete()
        return this.#orders$.complete()
      case 'commit':
      case 'beginEpoch':
      case 'notify':
      case 'refuse':
      case 'release':
      case 'save':
        return
      default:
        return absurd(order)
    }
  }

  #remember(event: RememberedEvent): void {
    this.#remembered = remembered(this.#remembered, event)
  }

  #tells<K extends JobEvent['kind']>(
    kind: K,
    task: TaskId,
    of: Omit<Extract<JobEvent, { kind: K }>, 'kind' | 'task' | 'atMs'>,
  ): void {
    const event = { kind, task, atMs: this.#environment.scheduler.now(), ...of } as unknown as JobEvent
    this.#standings.set(task, event)
    this.#jobEvents$.next(event)
  }

  #started(tasks: readonly RunningTask[], attempt: number): void {
    for (const task of tasks) {
      if (task.endedBefore) this.#tells('taskFinished', task.id, {})
      else this.#tells('taskRunning', task.id, { attempt })
      task.start()
      if (this.#draining) task.drain()
    }
  }

  #stop({ tasks, failed, attempt, restartInMs }: CheckpointOrder & { kind: 'stop' }): void {
    this.#restarting.get(tasks[0] as TaskId)?.unsubscribe()
    for (const id of tasks) {
      this.#taskOf.get(id)?.stop()
      this.#tells('taskRestarting', id, { failed, attempt, restartInMs })
    }
  }

  /** What goes wrong is a failure of these tasks, which the coordinator has to decide on again. */
  #restart({ tasks, epoch, attempt, from: part }: CheckpointOrder & { kind: 'restart' }): void {
    const first = tasks[0] as TaskId
    const isWanted = new Set(tasks)
    const restarting = this.#restored(part, isWanted)
      .pipe(
        switchMap(restored => {
          this.#beginsWith(first, inFlightCount(shareOf(restored, tasks)))
          const made = this.#made({ epoch, restored, isWanted: id => isWanted.has(id) })
          this.#replaced(made)
          checkBuilt(made)
          this.#checkRestored(made, restored)
          return concat(recovered(made), of({ made, restored }))
        }),
      )
      .subscribe({
        next: ({ made, restored }) => this.#restarted(made, { restored, attempt }),
        error: error => {
          this.#tells('taskFailed', first, { error })
          this.#events$.next({ kind: 'failed', task: first, error })
        },
      })
    this.#restarting.set(first, restarting)
    this.#running.add(restarting)
  }

  /** Of tasks that have finished no part in this run: what the job was started from. */
  #restored(
    part: { readonly entry: number } | undefined,
    tasks: ReadonlySet<TaskId>,
  ): Observable<RestoredJob | undefined> {
    const reading = (entries: readonly number[]) => {
      // What has been left out at the start does not come back.
      const isOfStart = entries.every(entry => this.#startedFrom.includes(entry))
      const withoutInFlight = isOfStart && isWithoutInFlight(this.#settings.restore)
      return { entries, encoding: this.#encoding, readsMax, withoutInFlight }
    }
    if (part !== undefined) return restoredAgain(this.#store, { ...reading([part.entry]), tasks })
    if (this.#startedFrom.length === 0) return of(undefined)
    return restoredAgain(this.#store, reading(this.#startedFrom)).pipe(map(of => this.#spread(of)))
  }

  #beginsWith(group: TaskId, count: InFlightCount): void {
    this.#restartedWith.set(group, count)
    this.#buffers = [...this.#restartedWith.values()].reduce(restoredBound, this.#buffersAtStart)
    this.#captures.buffersMax = this.#buffers.captured
  }

  #replaced(made: readonly RunningTask[]): void {
    const taskOf = new Map(this.#taskOf)
    for (const task of made) taskOf.set(task.id, task)
    this.#taskOf = taskOf
    this.#tasks = [...taskOf.values()]
  }

  #restarted(
    made: readonly RunningTask[],
    { restored, attempt }: { readonly restored: RestoredJob | undefined; readonly attempt: number },
  ): void {
    if (restored !== undefined) this.#remember({ kind: 'restored', checkpoint: restored.checkpoint })
    this.#started(made, attempt)
    const { debloat } = this.#settings.channels
    if (debloat !== undefined) for (const task of made) task.debloat(debloat)
    const ids = new Set(made.map(({ id }) => id))
    const ended = new Map([...endedBefore(restored)].filter(([task]) => ids.has(task)))
    this.#events$.next({ kind: 'restarted', tasks: [...ids], ended })
  }

  #heard(event: TaskEvent): void {
    const publishing = this.#publishing
    if (event.kind === 'published' && event.checkpoint === publishing?.checkpoint) publishing.done.push(...event.tasks)
    else {
      if (event.kind === 'snapshot') this.#environment.observe?.(event)
      if (event.kind === 'snapshot' && event.ended) this.#tells('taskFinished', event.task, {})
      if (event.kind === 'failed') this.#tells('taskFailed', event.task, { error: event.error })
      this.#events$.next(event)
    }
  }

  /** What is published at once is one event, however many tasks there are. */
  #publish({ checkpoint, tasks }: CheckpointOrder & { kind: 'publish' }): void {
    const done: TaskId[] = []
    this.#publishing = { checkpoint, done }
    for (const id of tasks) this.#taskOf.get(id)?.publish(checkpoint)
    this.#publishing = undefined
    if (done.length > 0) this.#events$.next({ kind: 'published', tasks: done, checkpoint })
  }

  /** With nothing to do, nothing could be done: otherwise nobody has woken who could do it, and it may wait for ever. */
  #checkIdle(): void {
    const why = stalled(this.#tasks, this.#budget)
    this.#claimed(why === undefined, () => {
      const stands = this.#tasks.map(({ stand }) => stand)
      return `an idle job waits for the world outside. STALLED: ${why}\n${dump(stands, this.#budget)}`
    })
    this.#checkBound()
  }

  /** What channels hold, what is being filled and what snapshots hold is within the bound that is stated. */
  #checkBound(): void {
    const { buffersMax } = this.#buffers
    const held = this.#captures.held + this.#tasks.reduce((sum, { buffersHeld }) => sum + buffersHeld, 0)
    this.#claimed(held <= buffersMax, () => `${held} buffers held are within the job's bound of ${buffersMax}`)
  }

  /** A snapshot that is written holds nothing any more; of a completed checkpoint all are, and the next has not begun. */
  #checkCaptures({ id, outcome }: CheckpointReport): void {
    const { held } = this.#captures
    this.#claimed(
      outcome !== 'completed' || held === 0,
      () => `checkpoint ${id}, completed, holds none of ${held} buffers`,
    )
  }

  #claimed(holds: boolean, claim: () => string): void {
    try {
      invariant(holds, claim)
    } catch (error) {
      this.#end(error)
    }
  }

  #end(error?: unknown): void {
    if (this.#ended) return
    this.#ended = true
    this.#executor.stop()
    for (const task of this.#tasks) task.stop()
    this.#running.unsubscribe()
    const { completed, restored } = this.#remembered.latest
    this.stopped = this.requests.ended(completed?.id ?? restored)
    if (error === undefined) this.outcome$.complete()
    else this.outcome$.error(error)
    this.reports$.complete()
    this.#jobEvents$.complete()
  }
}

/** Brings sinks up: before a task has been started. */
const recovered = (tasks: readonly RunningTask[]): Observable<never> =>
  from(tasks).pipe(
    mergeMap(task => task.recovered()),
    ignoreElements(),
  )

const shareOf = (restored: RestoredJob | undefined, tasks: readonly TaskId[]): readonly RestoredTask[] =>
  tasks.flatMap(task => restored?.tasks.get(task) ?? [])

const restoredParts = (restored: RestoredJob, { completedBy, retained }: Pick<Found, 'completedBy' | 'retained'>) => ({
  checkpoint: restored.checkpoint,
  entry: completedBy,
  parts: finishedParts(restored.parts),
  dealtAnew: restored.dealtAnew,
  retained: retained.map(({ parts, ...of }) => ({ ...of, parts: finishedParts(parts) })),
})

const finishedParts = (parts: readonly StoredPart[]) => parts.map(({ snapshots, ...at }) => finishedPart(at, snapshots))

/** Tasks restored as ended are represented by the snapshot that they were restored from. */
const endedBefore = (restored: RestoredJob | undefined): ReadonlyMap<string, Acknowledged> =>
  new Map(
    (restored?.parts.flatMap(({ snapshots }) => snapshots) ?? [])
      .filter(({ task }) => restored?.tasks.get(task)?.ended === true)
      .map(snapshot => [
        snapshot.task,
        {
          kind: 'acknowledged',
          checkpoint: restored!.checkpoint,
          snapshot,
          sizes: { stateBytes: 0, inFlightBytes: 0, inFlightRecords: 0 },
          times: noTimes,
        },
      ]),
  )

const noTimes = {
  ...{ startDelayMs: 0, alignmentMs: 0, processedDuringAlignment: 0 },
  ...{ syncMs: 0, begunAtMs: 0, wholeAtMs: 0, asyncMs: 0 },
}

const checkBuilt = (tasks: readonly RunningTask[]): void => {
  for (const task of tasks) if (task.failure !== undefined) throw task.failure.error
}

const checkClaimed = (tasks: readonly RunningTask[]): void => {
  for (const task of tasks) {
    const [first] = task.unclaimed()
    if (first === undefined) continue
    throw new SpillwayError('STATE_WOULD_BE_DROPPED', {
      place: `restoring ${task.id}`,
      problem: `the store has state of operator ${first}, which the pipeline no longer has.`,
      remedy: 'Give the operator its old name by named(...), or use another store, or restore: "none".',
    })
  }
}

/** Snapshots being written, and objects being read, at the same time. */
const writesMax = 16
const readsMax = 16
const sliceMs = 2
