import * as t from 'io-ts'
import { EMPTY, Subject, VirtualTimeScheduler } from 'rxjs'
import type { Alignment, CheckpointReport, Job, Pipeline, RunOptions, Sink, SourceMetrics } from 'spillway'
import type { Environment } from 'spillway/testing'
import { runIn } from '../run.ts'
import type { ChannelForm } from './channelForms.ts'

/** What has come out of all runs, and has been published. */
export interface Published {
  readonly records: number[]
  readonly transactions: Set<string>
}

export const nothingPublished = (): Published => ({ records: [], transactions: new Set() })

/** A sink that takes 1,000 records/s in virtual time: as many ms after a batch as it had records it takes the next. */
const throttled = (scheduler: VirtualTimeScheduler, { records, transactions }: Published): Sink<number> => {
  const publish = (of: readonly { id: string; records: readonly number[] }[]) => {
    for (const { id, records: more } of of) {
      if (transactions.has(id)) continue
      transactions.add(id)
      for (const record of more) records.push(record)
    }
    return EMPTY
  }
  return {
    name: 'throttled',
    transaction: t.type({ id: t.string, records: t.readonlyArray(t.any) }),
    open: ({ epoch }) => {
      const ready$ = new Subject<void>()
      let [open, busy] = [[] as number[], false]
      return {
        mayWrite: () => !busy,
        ready$,
        write(batch) {
          open.push(...batch)
          busy = true
          scheduler.schedule(() => {
            busy = false
            ready$.next()
          }, batch.length)
        },
        cut(checkpoint) {
          if (open.length === 0) return undefined
          const tx = { id: `${epoch}-${checkpoint}`, records: open }
          open = []
          return { tx, durable: EMPTY }
        },
        publish,
        recover: ({ publish: left }) => publish(left),
        close() {},
      }
    },
  }
}

export interface ThrottledRun {
  /** How it was killed, or what it has come to. */
  readonly outcome: 'killed' | 'done'
  readonly checkpoints: readonly CheckpointReport[]
  readonly buffers: Job['buffers']
  readonly sources: readonly SourceMetrics[]
}

/** Runs a job in virtual time: to its end, or until it is killed at `killedAtMs`. */
export const runThrottled = (
  pipeline: (sink: Sink<number>, scheduler: VirtualTimeScheduler) => Pipeline,
  options: RunOptions & {
    readonly published: Published
    readonly checkpointsAtMs?: readonly number[]
    /** Default unaligned. */
    readonly alignment?: Alignment
    /** What else is asked of the job, and when. */
    readonly asked?: readonly (readonly [atMs: number, ask: (job: Job) => unknown])[]
    readonly killedAtMs?: number
    /** So much passes with each reading of the clock, beside what is scheduled; default 0: turns end by full outputs alone. */
    readonly readingMs?: number
    readonly onTurn?: () => void
    readonly channelIn?: ChannelForm['channelIn']
  },
): ThrottledRun => {
  const {
    published,
    checkpointsAtMs = [],
    alignment = 'unaligned',
    asked = [],
    killedAtMs = Number.POSITIVE_INFINITY,
    readingMs = 0,
    onTurn,
    channelIn = () => ({}),
    ...runOptions
  } = options
  const scheduler = new VirtualTimeScheduler()
  let [cpuMs, slices] = [0, 0]
  const environment: Environment = {
    scheduler,
    clock: () => {
      cpuMs += readingMs
      return scheduler.frame + cpuMs
    },
    nextSlice: slice => {
      if (++slices > slicesMax) throw new Error(`it turns on the spot: ${slicesMax} slices`)
      scheduler.schedule(slice)
    },
    choose: () => 0,
    sliceTurnsMax: 4,
    observe: ({ kind }) => {
      if (kind === 'turn') onTurn?.()
    },
    ...channelIn(scheduler),
  }
  const job = runIn(environment, pipeline(throttled(scheduler, published), scheduler), runOptions)
  const checkpoints: CheckpointReport[] = []
  const failures: unknown[] = []
  let outcome: ThrottledRun['outcome'] = 'killed'
  job.done.catch(() => {})
  job.checkpoints$.subscribe(report => checkpoints.push(report))
  job.status$.subscribe(status => {
    if (status.kind === 'done') outcome = 'done'
    if (status.kind === 'failed') failures.push(status.error)
  })
  for (const atMs of checkpointsAtMs) {
    scheduler.schedule(() => void job.triggerCheckpoint({ alignment }).catch(() => {}), atMs)
  }
  for (const [atMs, ask] of asked) scheduler.schedule(() => void ask(job), atMs)
  scheduler.maxFrames = killedAtMs
  scheduler.flush()
  if (failures.length > 0) throw failures[0]
  return { outcome, checkpoints, buffers: job.buffers, sources: job.sources() }
}

/** A hundred times what a million records need. */
const slicesMax = 1_000_000
