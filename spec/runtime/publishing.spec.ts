import * as t from 'io-ts'
import { defer, EMPTY, Subject, timer, VirtualTimeScheduler } from 'rxjs'
import { type Job, type JobStatus, memoryStore, type Sink, SpillwayError, stream } from 'spillway'
import { fromArray, into } from 'spillway/operators'
import { beforeEach, expect, test } from 'vitest'
import { runIn } from '../run.ts'

interface Transaction {
  readonly id: string
  readonly records: readonly number[]
  readonly cutAtMs: number
}

/** What is behind a sink: it outlives the runs. */
class Outside {
  readonly visible: number[] = []
  readonly attempts: { readonly atMs: number; readonly ids: readonly string[] }[] = []
  readonly #published = new Set<string>()
  /** Nobody answers until then. */
  upAtMs = 0
  /** So long after its cut it gives up a transaction that has not been published. */
  givesUpAfterMs = Number.POSITIVE_INFINITY

  publish(transactions: readonly Transaction[], nowMs: number): void {
    this.attempts.push({ atMs: nowMs, ids: transactions.map(({ id }) => id) })
    for (const { id, records, cutAtMs } of transactions) {
      if (nowMs < this.upAtMs) throw new Error('nobody answers')
      if (this.#published.has(id)) continue
      if (nowMs > cutAtMs + this.givesUpAfterMs) {
        const problem = `records ${records[0]} to ${records.at(-1)} have been given up.`
        throw new SpillwayError('TRANSACTION_LOST', { place: id, problem, remedy: 'Raise the timeout.' })
      }
      this.#published.add(id)
      this.visible.push(...records)
    }
  }
}

/** Takes a record a millisecond. */
const remote = (outside: Outside, scheduler: VirtualTimeScheduler): Sink<number, Transaction> => ({
  name: 'remote',
  transaction: t.type({ id: t.string, records: t.readonlyArray(t.number), cutAtMs: t.number }),
  open: ({ epoch }) => {
    const ready$ = new Subject<void>()
    let [open, freeAtMs] = [[] as number[], 0]
    const published = (transactions: readonly Transaction[]) =>
      defer(() => {
        if (transactions.length > 0) outside.publish(transactions, scheduler.now())
        return EMPTY
      })
    return {
      mayWrite: () => scheduler.now() >= freeAtMs,
      ready$,
      write(batch) {
        open.push(...batch)
        freeAtMs = scheduler.now() + batch.length
        scheduler.schedule(() => ready$.next(), batch.length)
      },
      cut(checkpoint) {
        if (open.length === 0) return undefined
        const tx = { id: `${epoch}.${checkpoint}`, records: open, cutAtMs: scheduler.now() }
        open = []
        return { tx, durable: timer(1, scheduler) }
      },
      publish: published,
      recover: ({ publish }) => published(publish),
      close() {},
    }
  },
})

const records = Array.from({ length: 10_000 }, (_, n) => n)
let scheduler: VirtualTimeScheduler
let outside: Outside
let store: ReturnType<typeof memoryStore>
beforeEach(() => {
  scheduler = new VirtualTimeScheduler()
  outside = new Outside()
  store = memoryStore()
})

/** A job that takes a checkpoint a second; what is still going on of it goes on in `until`. */
const started = ({ publishTimeoutMs = 600_000 } = {}): { readonly job: Job; status(): JobStatus | undefined } => {
  const environment = {
    scheduler,
    clock: () => scheduler.now(),
    nextSlice: (slice: () => void) => void scheduler.schedule(slice),
    choose: () => 0,
    sliceTurnsMax: 4,
  }
  const pipeline = stream(fromArray(records)).pipe(into(remote(outside, scheduler)))
  const job = runIn(environment, pipeline, { store, checkpoints: { everyMs: 1_000, publishTimeoutMs } })
  let status: JobStatus | undefined
  job.status$.subscribe(of => {
    status = of
  })
  job.done.catch(() => {})
  return { job, status: () => status }
}

const until = (atMs: number): void => {
  scheduler.maxFrames = atMs
  scheduler.flush()
}

const failedWith = (status: JobStatus | undefined) => (status?.kind === 'failed' ? status.error : status?.kind)

test('while nobody answers the job goes on, and publishes all once somebody does: each record once, in order', () => {
  outside.upAtMs = 5_500
  const { job, status } = started()
  until(5_400)
  expect(outside.visible).toEqual([])
  expect(job.sinks()).toEqual([
    {
      task: expect.any(String),
      sink: 'remote',
      unpublished: 5,
      failedAttempts: expect.any(Number),
      lastFailure: 'nobody answers',
    },
  ])
  expect(job.sinks()[0]?.failedAttempts).toBeGreaterThan(3)
  until(60_000)
  expect(status()?.kind).toBe('done')
  expect(outside.visible).toEqual(records)
  expect(job.sinks()).toMatchObject([{ unpublished: 0, failedAttempts: 0, lastFailure: undefined }])
})

test.each([1_500, 2_500, 4_500, 9_500, 10_500])(
  'what is not published stands in every later snapshot: killed at %i ms, a start publishes it, though older snapshots are gone',
  killedAtMs => {
    outside.upAtMs = killedAtMs + 1
    const { job } = started()
    until(killedAtMs)
    expect(outside.visible).toEqual([])
    void job.cancel()
    const { status } = started()
    until(60_000)
    expect(status()?.kind).toBe('done')
    expect(outside.visible).toEqual(records)
  },
)

test('past publishTimeoutMs the job fails; starts try again, and fail again, until one succeeds', () => {
  outside.upAtMs = 20_000
  const first = started({ publishTimeoutMs: 2_500 })
  until(3_499)
  expect(first.status()?.kind).toBe('running')
  until(3_600)
  expect(failedWith(first.status())).toMatchObject({ code: 'PUBLISH_FAILED', place: 'remote' })

  const second = started({ publishTimeoutMs: 2_500 })
  until(6_000)
  expect(second.status()?.kind).toBe('starting')
  until(6_200)
  expect(failedWith(second.status())).toMatchObject({ code: 'PUBLISH_FAILED' })

  const third = started()
  until(60_000)
  expect(third.status()?.kind).toBe('done')
  expect(outside.visible).toEqual(records)
})

test('a transaction that the outside has given up fails the job at once and at every start, and nothing after it is published', () => {
  outside.upAtMs = 4_500
  outside.givesUpAfterMs = 3_000
  const { status } = started()
  until(60_000)
  const lost = { code: 'TRANSACTION_LOST', place: '1.1', message: expect.stringContaining('records 0 to ') }
  expect(failedWith(status())).toMatchObject(lost)
  for (let start = 2; start < 4; start++) {
    const again = started()
    until(scheduler.now() + 60_000)
    expect(failedWith(again.status())).toMatchObject(lost)
  }
  expect(outside.visible).toEqual([])
})

test('a publication under way when the next checkpoints complete is one at a time, oldest first', () => {
  outside.upAtMs = 3_500
  started()
  until(60_000)
  const [first] = outside.attempts
  expect(first?.ids).toEqual(['1.1'])
  const succeeded = outside.attempts.filter(({ atMs }) => atMs >= 3_500).map(({ ids }) => ids)
  expect(succeeded[0]).toEqual(['1.1'])
  expect(succeeded.flat()).toEqual([...succeeded.flat()].sort((a, b) => Number(a.slice(2)) - Number(b.slice(2))))
})
