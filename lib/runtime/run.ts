import { asyncScheduler, firstValueFrom, merge, type Observable, ReplaySubject, type SchedulerLike } from 'rxjs'
import type { Halves } from '../channel/channel.ts'
import type { CheckpointHistory } from '../coordination/checkpointHistory.ts'
import type { CheckpointOrder, CoordinateEvent } from '../coordination/events.ts'
import { global } from '../coordination/policy.ts'
import type { CheckpointReport } from '../coordination/report.ts'
import type { Alignment, CheckpointId } from '../element.ts'
import { SpillwayError } from '../error.ts'
import { checkGuarantee } from '../graph/checkGuarantee.ts'

import { checkRegional } from '../graph/checkRegional.ts'
import { connected } from '../graph/connected.ts'
import { type Plan, plan } from '../graph/plan.ts'
import type { SourceMetrics } from '../graph/reading.ts'
import type { AtMostOnce, Pipeline } from '../graph/stream.ts'
import { type LeftOut, summaryOf } from '../snapshot/withoutInFlight.ts'
import type { Store } from '../store/store.ts'

import { type BufferBound, bufferBound } from './bufferBound.ts'
import type { InputMetrics } from './debloater.ts'
import { Execution } from './execution.ts'
import { explained } from './explainRegions.ts'
import type { JobEvent } from './jobEvents.ts'
import {
  type ChangedOptions,
  changed,
  checkAlignment,
  debloatOption,
  type RunOptions,
  type Settings,
  settings,
} from './options.ts'
import { notRunning, type Stopped } from './requests.ts'
import type { RestoredJob } from './restoredJob.ts'
import type { RestorePlan } from './restorePlan.ts'
import type { Savepoint } from './savepoint.ts'
import type { SinkMetrics } from './sinkOutput.ts'
import type { TaskDoing, TaskEvent } from './task.ts'
import { transactionTimeouts } from './transactionTimeouts.ts'

/** A job that `run` has started. */
export interface Job {
  /**
   * Resolves when all input has been processed and published, or the job has stopped: then with what it has ended with. Rejects with
   * what failed the job, or `CANCELLED`.
   */
  readonly done: Promise<Stopped | undefined>
  /** The current status, and every later one. */
  readonly status$: Observable<JobStatus>
  /** What is allowed, but hardly meant; known as soon as the job has been started. */
  readonly warnings: readonly Warning[]
  /** The most buffers and records that the job's channels and snapshots hold at any time; what is restored counts once it runs. */
  readonly buffers: BufferBound
  /** What became of each checkpoint from now on. */
  readonly checkpoints$: Observable<CheckpointReport>
  /** What has become of this run's checkpoints: counts, the newest reports, and how their figures are distributed. */
  checkpointHistory(): CheckpointHistory
  /** The last that has happened to each of the job's tasks, then what happens to them; completes with the job. */
  readonly events$: Observable<JobEvent>
  /**
   * Takes a checkpoint now, or after the one under way.
   * Rejects with `NOT_RUNNING` before the job runs and once it has ended, with `INVALID_OPTION` for an alignment that is none
   * or that the job's guarantee does not allow.
   */
  triggerCheckpoint(options?: { alignment?: Alignment }): Promise<CheckpointReport>
  /** Size and speed of the inputs of tasks whose buffers are debloated. */
  inputs(): readonly (InputMetrics & { readonly task: string; readonly input: number })[]
  /** What each task has read of its source in this run, and what the source has dropped; also once the job has ended. */
  sources(): readonly (SourceMetrics & { readonly task: string })[]
  /** What the tasks' sinks have not yet published, and what has kept them from it. */
  sinks(): readonly (SinkMetrics & { readonly task: string })[]
  /**
   * Changes settings of the running job, from the next checkpoint on, and returns those now in effect. The checkpoint under
   * way keeps what it was triggered with; another interval counts from the last trigger. Before the job runs they hold from
   * its start; once it has ended they change nothing.
   * @throws UNKNOWN_OPTION for what cannot change, INVALID_OPTION
   */
  configure(options: ChangedOptions): ChangedOptions
  /**
   * Makes a savepoint: a checkpoint of the user's own, in a store that is new or empty, which no retention touches. It is aligned, has
   * all that a restore needs, and names nothing outside the store but sinks' transactions; the job goes on meanwhile.
   * Rejects with `NOT_RUNNING`, `NOT_EMPTY`, `CHECKPOINT_REFUSED`; with `SAVEPOINT_FAILED` if its checkpoint fails, under a regional
   * policy if any part does, or it cannot be written.
   */
  savepoint(to: Store): Promise<Savepoint>
  /**
   * Ends the job: nothing is read behind a last checkpoint, and all up to it is published. With `savepoint` it is also made into one,
   * whose sinks have nothing left to publish. With `drain` the sources end where they are instead, so that windows fire and `end`
   * handlers are called; such a job has nothing to go on with. Resolves with `done`. If it cannot stop it goes on, and this
   * rejects, as `savepoint` does.
   */
  stop(options?: StopOptions): Promise<Stopped>
  /** Stops the job where it is; the store keeps its newest part. Resolves when nothing runs any more. */
  cancel(): Promise<void>
}

export interface StopOptions {
  readonly savepoint?: Store
  /** Default false. */
  readonly drain?: boolean
}

export interface Warning {
  /**
   * `ONE_REGION`: the policy is regional, but all tasks are one region, so the job runs with `global()`. `TRANSACTION_TIMEOUT`: a
   * sink's outside may give up what a checkpoint contains before it is published.
   */
  readonly code: 'ONE_REGION' | 'TRANSACTION_TIMEOUT'
  readonly message: string
}

export type JobStatus =
  /** `plan`: what becomes of a savepoint's state; nothing is written yet. */
  | { readonly kind: 'starting'; readonly plan?: RestorePlan }
  | { readonly kind: 'running'; readonly resumedFrom?: ResumedFrom }
  | { readonly kind: 'done' }
  | { readonly kind: 'stopped'; readonly stopped: Stopped }
  | { readonly kind: 'failed'; readonly error: unknown }
  | { readonly kind: 'cancelled' }

/** The checkpoint that the job goes on from. */
export interface ResumedFrom {
  readonly checkpoint: CheckpointId
  /** Records that had been in channels, or suspended in operators. */
  readonly recordsInFlight: number
  /** Records that have been left out, if it was to be restored without in-flight data. */
  readonly leftOut?: readonly LeftOut[]
  readonly message: string
  /** Of a savepoint: what has become of its state. */
  readonly plan?: RestorePlan
}

/** The host: time, macrotasks, which ready task is next, and what joins tasks. Simulation gives its own. */
export interface Environment {
  readonly scheduler: SchedulerLike
  /** Monotonic, ms. */
  readonly clock: () => number
  /** Runs it as a macrotask of its own. */
  readonly nextSlice: (slice: () => void) => void
  /** Of so many tasks, the first `urgent` of which have an unaligned barrier to take. */
  readonly choose: (tasks: number, urgent: number) => number
  readonly sliceTurnsMax: number
  /** A new channel between two tasks; without it both halves are one queue. Credits of a link come on top of `Job.buffers`. */
  readonly channel?: <T>() => Halves<T>
  /** Sees what happens, as it happens. What it throws at a doing of a task (`built`, `turn`, `begun`) fails that task. */
  readonly observe?: (happening: Happening) => void
}

/** What happens in a run: doings of its tasks, and all events and orders of its loop. */
export type Happening = TaskDoing | TaskEvent | CoordinateEvent | CheckpointOrder

/**
 * Runs pipelines as one job, on this thread, and goes on from the store's newest part if there is one.
 *
 * @throws UNKNOWN_OPTION, INVALID_OPTION, BUDGET_TOO_SMALL, NO_PIPELINE, NO_SOURCE, DUPLICATE_NAME, SIDE_NOT_READ,
 * EVENT_TIME_NOT_PER_SPLIT, AT_MOST_ONCE_SOURCE, PARALLELISM_CONFLICT, PARALLELISM_TOO_LARGE, NOT_REGIONAL
 * at once; what only the start can find out (a missing file, a store that does not match) rejects `done` before anything
 * is written
 */
export const run: {
  (pipelines: readonly Pipeline[], options: AcceptingLoss): Job
  // `| []`: what is written out is a tuple, as an array of both kinds would be one of plain pipelines.
  (pipelines: readonly ExactlyOncePipeline[] | [], options?: RunOptions): Job
  (pipeline: Pipeline, options: AcceptingLoss): Job
  // Last, so that the compiler's message speaks of one pipeline: for a stream without into(...), and for accepting loss.
  (pipeline: ExactlyOncePipeline, options?: RunOptions): Job
} = (pipelines: Pipeline | readonly Pipeline[], options: RunOptions = {}): Job =>
  runIn(hostEnvironment(), pipelines, options)

type AcceptingLoss = RunOptions & Required<Pick<RunOptions, 'acceptLoss'>>
type ExactlyOncePipeline = Pipeline & Partial<Record<keyof AtMostOnce, never>>

export const runIn = (
  environment: Environment,
  pipelines: Pipeline | readonly Pipeline[],
  options: RunOptions = {},
): Job => {
  const described = describe(pipelines, options)
  const { planned, regions, buffers } = described
  let { chosen } = described
  const status$ = new ReplaySubject<JobStatus>(1)
  status$.next({ kind: 'starting' })
  let states: RestorePlan | undefined
  const execution = new Execution(environment, planned, asRegionsAllow(chosen, regions), buffers, {
    onPlanned: plan => {
      states = plan
      status$.next({ kind: 'starting', plan })
    },
    onRunning: restored => {
      status$.next(
        restored === undefined ? { kind: 'running' } : { kind: 'running', resumedFrom: resumedFrom(restored, states) },
      )
    },
  })
  const ended = (status: JobStatus): void => {
    status$.next(status)
    status$.complete()
  }
  const done = new Promise<Stopped | undefined>((resolve, reject) => {
    execution.outcome$.subscribe({
      complete: () => {
        const { stopped } = execution
        ended(stopped === undefined ? { kind: 'done' } : { kind: 'stopped', stopped })
        resolve(stopped)
      },
      error: error => {
        const cancelled = error instanceof SpillwayError && error.code === 'CANCELLED'
        ended(cancelled ? { kind: 'cancelled' } : { kind: 'failed', error })
        reject(error)
      },
    })
  })
  execution.start()
  return {
    done,
    status$,
    warnings: [
      ...oneRegion(chosen, planned, regions),
      ...transactionTimeouts(chosen, planned, environment.scheduler.now()).map(
        (message): Warning => ({ code: 'TRANSACTION_TIMEOUT', message }),
      ),
    ],
    get buffers() {
      return execution.buffers
    },
    checkpoints$: execution.reports$,
    checkpointHistory: () => execution.checkpointHistory,
    events$: execution.jobEvents$,
    triggerCheckpoint: async ({ alignment = chosen.checkpoints.alignment } = {}) => {
      checkAlignment('triggerCheckpoint', { alignment, guarantee: chosen.checkpoints.guarantee })
      return firstValueFrom(execution.requests.checkpoint(alignment))
    },
    savepoint: async to => firstValueFrom(execution.requests.savepoint(to)),
    stop: async ({ savepoint: to, drain = false } = {}) => {
      const stopped = await firstValueFrom(merge(execution.requests.stop({ to, drain }), done))
      if (stopped === undefined) throw notRunning()
      return stopped
    },
    inputs: () => execution.inputs(),
    sources: () => execution.sources(),
    sinks: () => execution.sinks(),
    configure: options => {
      chosen = changed(chosen, options)
      execution.configure(asRegionsAllow(chosen, regions))
      const { everyMs, backlogEveryMs, schedule, timeoutMs, alignment, ...others } = chosen.checkpoints
      const { minPauseMs, tolerableFailures, policy } = others
      const { debloat = false } = chosen.channels
      return {
        checkpoints: {
          ...(everyMs === undefined ? {} : { everyMs }),
          ...(backlogEveryMs === undefined ? {} : { backlogEveryMs }),
          ...(schedule === undefined ? {} : { schedule }),
          ...{ timeoutMs, alignment, minPauseMs, tolerableFailures, policy },
        },
        channels: { debloat: debloat === false ? false : debloatOption(debloat) },
      }
    },
    cancel: async () => {
      execution.cancel()
      await done.catch(() => {})
    },
  }
}

/** Pipelines and options, checked. */
const describe = (pipelines: Pipeline | readonly Pipeline[], options: RunOptions) => {
  const chosen = settings(options)
  const { parallelism, keyGroups } = chosen
  const planned = plan(Array.isArray(pipelines) ? pipelines : [pipelines as Pipeline], { parallelism, keyGroups })
  checkGuarantee(planned, chosen.acceptLoss)
  const regions = connected(planned)
  if (chosen.checkpoints.policy.kind === 'regional') checkRegional(planned, regions)
  return { chosen, planned, regions, buffers: bufferBound(planned, chosen) }
}

/**
 * What would become of a savepoint's state if these pipelines were run with these options; undefined if they do not begin with a
 * savepoint. Opens sources and sinks, but reads and writes no records, and writes nothing into the store.
 *
 * Rejects as `run` and its start do, but not for what would be dropped.
 */
export const planRestore = async (
  pipelines: Pipeline | readonly Pipeline[],
  options: RunOptions,
): Promise<RestorePlan | undefined> => {
  const { chosen, planned, buffers } = describe(pipelines, options)
  const quiet = { onPlanned: () => {}, onRunning: () => {} }
  return firstValueFrom(new Execution(hostEnvironment(), planned, chosen, buffers, quiet).planned())
}

type Regions = ReturnType<typeof connected>

/** With a single region to carry over, a regional checkpoint would be the one before it under another number. */
const asRegionsAllow = (chosen: Settings, regions: Regions): Settings =>
  regions.length > 1 ? chosen : { ...chosen, checkpoints: { ...chosen.checkpoints, policy: global() } }

const oneRegion = ({ checkpoints: { policy } }: Settings, planned: Plan, regions: Regions): readonly Warning[] => {
  if (policy.kind === 'global' || regions.length > 1) return []
  const { oneBecause } = explained(planned, regions)
  return [{ code: 'ONE_REGION', message: `the job is one region, so its checkpoints are global: ${oneBecause}.` }]
}

const resumedFrom = (
  { checkpoint, recordsInFlight, leftOut }: Pick<RestoredJob, 'checkpoint' | 'recordsInFlight' | 'leftOut'>,
  plan: RestorePlan | undefined,
): ResumedFrom => ({
  checkpoint,
  recordsInFlight,
  ...(leftOut && { leftOut }),
  ...(plan && { plan }),
  message:
    plan !== undefined
      ? `resumed from a savepoint, as checkpoint ${checkpoint}; of its states ${plan.message}`
      : leftOut === undefined
        ? `resumed from checkpoint ${checkpoint} with ${recordsInFlight} records in flight`
        : `resumed from checkpoint ${checkpoint} without its in-flight data: ${summaryOf(leftOut)}`,
})

/** Node has setImmediate; in a browser a message to oneself is the only macrotask that is not throttled. */
const macrotask = (): ((work: () => void) => void) => {
  if (typeof setImmediate === 'function') return work => void setImmediate(work)
  const { port1, port2 } = new MessageChannel()
  const waiting: (() => void)[] = []
  port1.onmessage = () => waiting.shift()?.()
  return work => {
    waiting.push(work)
    port2.postMessage(undefined)
  }
}

const hostEnvironment = (): Environment => ({
  scheduler: asyncScheduler,
  clock: () => performance.now(),
  nextSlice: macrotask(),
  choose: () => 0,
  sliceTurnsMax: Number.POSITIVE_INFINITY,
})
