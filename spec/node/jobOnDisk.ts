import * as t from 'io-ts'
import { asyncScheduler, defer, EMPTY, firstValueFrom, Subject } from 'rxjs'
import {
  type CheckpointReport,
  type Job,
  type Pipeline,
  type RunOptions,
  type Sink,
  type SpillwayError,
  stream,
} from 'spillway'
import { fileStore } from 'spillway/node'
import { fromArray, into, keyBy, map, scan } from 'spillway/operators'
import type { Environment } from 'spillway/testing'
import { found } from '../../lib/runtime/restore.ts'
import { msgpackEncoding } from '../../lib/snapshot/encoding.ts'
import { objectsOf } from '../../lib/snapshot/snapshot.ts'
import { runIn } from '../run.ts'
import type { LosingDisk, Process, Running } from '../store/losingDisk.ts'

/** What is behind the sink: it has power of its own. */
export class Outside {
  readonly records: string[] = []
  readonly #published = new Set<string>()

  publish({ id, records }: Transaction): void {
    if (this.#published.has(id)) return
    this.#published.add(id)
    this.records.push(...records)
  }
}

interface Transaction {
  readonly id: string
  readonly records: readonly string[]
}

/** Takes some records a macrotask, so that a job has time for some checkpoints. */
const slowly = (outside: Outside): Sink<string, Transaction> => ({
  name: 'slowly',
  transaction: t.type({ id: t.string, records: t.readonlyArray(t.string) }),
  open: ({ epoch, subtask }) => {
    const ready$ = new Subject<void>()
    let [open, isBusy] = [[] as string[], false]
    const publish = (transactions: readonly Transaction[]) =>
      defer(() => {
        for (const of of transactions) outside.publish(of)
        return EMPTY
      })
    return {
      mayWrite: () => !isBusy,
      ready$,
      write(batch) {
        open.push(...batch)
        isBusy = true
        setImmediate(() => {
          isBusy = false
          ready$.next()
        })
      },
      cut(checkpoint) {
        if (open.length === 0) return undefined
        const tx = { id: `${epoch}.${subtask.index}.${checkpoint}`, records: open }
        open = []
        return { tx, durable: EMPTY }
      },
      publish,
      recover: ({ publish: left }) => publish(left),
      close() {},
    }
  },
})

const numbers = Array.from({ length: 32 }, (_, n) => n)
/** Each key is in one split, so that its records come in order. */
const keyOf = (n: number) => (n % 4) + 4 * Math.floor(n / 16)

/** Of each number how many of its key there have been: what the job publishes, sorted. */
export const counted = numbers.map(n => `${n} is ${1 + Math.floor((n % 16) / 4)}`).sort()

const pipeline = (outside: Outside): Pipeline =>
  stream(fromArray(numbers, { splits: 2 })).pipe(
    keyBy(keyOf),
    scan(({ count }, n) => ({ count: count + 1, n }), { count: 0, n: 0 }),
    map(({ count, n }) => `${n} is ${count}`),
    into(slowly(outside)),
  )

export const directory = '/mnt/jobs/checkpoints'

/** A job in little whose checkpoints are objects and entries; what takes it a second takes a millisecond. */
export const started = (
  disk: LosingDisk,
  { outside, options = {}, ...process }: Process & { readonly outside: Outside; readonly options?: RunOptions },
): Running & { readonly job: Job } => {
  const running = disk.process(process)
  const job = runIn(hurried, pipeline(outside), {
    checks: true,
    parallelism: 2,
    store: fileStore(directory, { files: running.files }),
    channels: { bufferRecordsMax: 4, buffersMax: 2 },
    ...options,
    checkpoints: { inlineBytesMax: 100, ...options.checkpoints },
  })
  job.done.catch(() => {})
  return { ...running, job }
}

const hurried: Environment = {
  scheduler: {
    now: () => Date.now(),
    schedule: <T>(work: Parameters<typeof asyncScheduler.schedule<T>>[0], delayMs = 0, state?: T) =>
      asyncScheduler.schedule(work, delayMs / 1_000, state),
  },
  clock: () => performance.now(),
  nextSlice: slice => void setImmediate(slice),
  choose: () => 0,
  sliceTurnsMax: 4,
}

export interface Ran {
  readonly ended: 'done' | 'killed' | SpillwayError
  readonly reports: readonly CheckpointReport[]
  readonly resumedFrom: number
}

/** One checkpoint after the other, until the job is done or has failed, or its process is killed. */
export const ran = async ({ job, killed }: Pick<ReturnType<typeof started>, 'job' | 'killed'>): Promise<Ran> => {
  const reports: CheckpointReport[] = []
  job.checkpoints$.subscribe(report => reports.push(report))
  let resumedFrom = 0
  job.status$.subscribe(status => {
    if (status.kind !== 'running') return
    resumedFrom = status.resumedFrom?.checkpoint ?? 0
    const take = (): unknown => job.triggerCheckpoint().then(take, () => {})
    setImmediate(take)
  })
  const ended = await Promise.race([
    job.done.then(
      () => 'done' as const,
      error => error,
    ),
    killed,
  ])
  await job.cancel()
  return { ended, reports, resumedFrom }
}

/** Files that no part and no log entry needs, as a start would find them. */
export const leftOn = async (disk: LosingDisk): Promise<readonly string[]> => {
  const store = fileStore(directory, { files: disk.process().files })
  const start = await firstValueFrom(
    found(store, { restore: 'latest', retainedCount: 1, sinks: [], encoding: msgpackEncoding(), readsMax: 1 }),
  )
  const parts = start.restored?.parts ?? []
  const named = new Set(parts.flatMap(({ snapshots }) => snapshots.flatMap(objectsOf)))
  const entries = new Set(parts.map(({ entry }) => entry))
  return [
    ...disk.filesBelow(`${directory}/tmp`),
    ...start.objects.filter(object => !named.has(object)),
    ...[...start.commits.filter(n => !entries.has(n)), ...start.restarts].map(n => `log entry ${n}`),
  ]
}
