import { EventEmitter } from 'node:events'
import { Readable } from 'node:stream'
import * as t from 'io-ts'
import * as rx from 'rxjs'
import { memoryStore, type Pipeline, type Sink, type Source, stream } from 'spillway'
import { fromAsyncIterable, fromEmitter, fromObservable, into, map, rebalance } from 'spillway/operators'
import { expect, test } from 'vitest'
import { run } from '../run.ts'
import { nothingPublished, runThrottled } from './throttled.ts'

const pushedCount = 20_000
const bufferRecordsMax = 100
const channels = { buffersMax: 4, bufferRecordsMax: 25 }

/** Two records a ms, into a sink that takes one. */
const pushedTwiceAsFast = (scheduler: rx.SchedulerLike) => rx.interval(0.5, scheduler).pipe(rx.take(pushedCount))

type Pushing = (sink: Sink<number>, scheduler: rx.VirtualTimeScheduler) => Pipeline

const pushing =
  (onFull: 'error' | 'dropOldest' | 'dropNewest'): Pushing =>
  (sink, scheduler) =>
    stream(fromObservable(pushedTwiceAsFast(scheduler), { name: 'ticks', onFull, bufferRecordsMax })).pipe(
      rebalance(),
      map(n => n),
      into(sink),
    )

/** Emits two records a ms while it is not paused. */
class Ticking extends EventEmitter {
  paused = true
  pauses = 0
  #next = 0
  readonly #scheduler: rx.SchedulerLike

  constructor(scheduler: rx.SchedulerLike) {
    super()
    this.#scheduler = scheduler
  }

  pause(): void {
    if (!this.paused) this.pauses++
    this.paused = true
  }

  resume(): void {
    this.paused = false
    this.#scheduler.schedule(() => this.#tick(), 0.5)
  }

  #tick(): void {
    if (this.paused) return
    if (this.#next === pushedCount) return void this.emit('end')
    this.emit('tick', this.#next++)
    if (!this.paused) this.#scheduler.schedule(() => this.#tick(), 0.5)
  }
}

const runPushing = (pushing: Pushing) => {
  const published = nothingPublished()
  const ran = runThrottled(pushing, {
    ...{ store: memoryStore(), published, channels, acceptLoss: ['ticks'], checkpointsAtMs: [1_000, 5_000, 9_000] },
  })
  return { ...ran, records: published.records, metrics: ran.sources[0] }
}

const ascending = (records: readonly number[]) => records.every((n, i) => i === 0 || n > (records[i - 1] as number))

for (const onFull of ['dropOldest', 'dropNewest'] as const) {
  test(`${onFull} before a sink half as fast: what is not delivered has been counted as dropped in the job`, () => {
    const { outcome, records, metrics } = runPushing(pushing(onFull))
    expect(outcome).toBe('done')
    expect(ascending(records)).toBe(true)
    expect(metrics).toEqual({
      task: '0:ticks/0',
      source: 'ticks',
      recordsRead: records.length,
      recordsDropped: pushedCount - records.length,
    })
    expect(records.length / pushedCount).toBeCloseTo(0.5, 1)
  })
}

test('dropOldest keeps the newest records, dropNewest the oldest of a burst', () => {
  const whole = Array.from({ length: pushedCount }, (_, n) => n)
  const newest = runPushing(pushing('dropOldest')).records
  expect(newest.slice(-bufferRecordsMax)).toEqual(whole.slice(-bufferRecordsMax))
  const oldest = runPushing(pushing('dropNewest')).records
  expect(oldest.slice(0, bufferRecordsMax)).toEqual(whole.slice(0, bufferRecordsMax))
})

test('error before a sink half as fast: the job fails once the channel and the room are full, naming the source', () => {
  expect(() => runPushing(pushing('error'))).toThrow(/^ticks: a record came while 100 waited .*INPUT_OVERFLOW/)
})

test('an emitter that is paused by a job loses no record before a sink half as fast', () => {
  let ticking: Ticking | undefined
  const { outcome, records, metrics } = runPushing((sink, scheduler) => {
    ticking = new Ticking(scheduler)
    const ticks = { name: 'ticks', event: 'tick', endEvent: 'end', onFull: 'pause', bufferRecordsMax } as const
    return stream(fromEmitter<number>(ticking, ticks)).pipe(
      rebalance(),
      map(n => n),
      into(sink),
    )
  })
  expect(outcome).toBe('done')
  expect(records).toEqual(Array.from({ length: pushedCount }, (_, n) => n))
  expect(metrics).toMatchObject({ recordsRead: pushedCount, recordsDropped: 0 })
  expect(ticking?.pauses).toBeGreaterThan(50)
})

test.each(['dropOldest', 'dropNewest'] as const)(
  '%s: what is pushed takes no buffer beyond those of its channel, and no checkpoint waits for it',
  onFull => {
    const { checkpoints } = runPushing(pushing(onFull))
    expect(checkpoints).toHaveLength(4)
    for (const { outcome, durationMs, inFlightRecords } of checkpoints) {
      expect({ outcome, durationMs }).toEqual({ outcome: 'completed', durationMs: 0 })
      expect(inFlightRecords).toBeLessThanOrEqual(channels.buffersMax * channels.bufferRecordsMax)
    }
  },
)

/** Takes a batch, then none until the next macrotask. */
const slow = (written: number[]): Sink<number> => ({
  name: 'slow',
  transaction: t.null,
  open: () => {
    const ready$ = new rx.Subject<void>()
    let busy = false
    return {
      ...{ mayWrite: () => !busy, ready$, publish: () => rx.EMPTY, recover: () => rx.EMPTY, close() {} },
      write(batch) {
        written.push(...batch)
        busy = true
        setImmediate(() => {
          busy = false
          ready$.next()
        })
      },
      cut: () => undefined,
    }
  },
})

/** Makes numbers, and remembers by how many it was ahead of the sink at the most. */
const ahead = (written: readonly number[]) => {
  const progress = { made: 0, mostAhead: 0 }
  const next = (): number => {
    progress.mostAhead = Math.max(progress.mostAhead, progress.made + 1 - written.length)
    return progress.made++
  }
  return { progress, next }
}

const longest = 5_000
/** Full buffers and the one that is being filled. */
const inChannel = (channels.buffersMax + 1) * channels.bufferRecordsMax
const heldByStream = 3

test.each<{ what: string; source: (next: () => number) => Source<number> }>([
  {
    what: 'a web stream',
    source: next => {
      const pull = (controller: ReadableStreamDefaultController<number>) => {
        const n = next()
        if (n < longest) controller.enqueue(n)
        else controller.close()
      }
      return fromAsyncIterable(() => new ReadableStream<number>({ pull }), { name: 'pulled', bufferRecordsMax })
    },
  },
  {
    what: 'a Node stream',
    source: next => {
      const readable = new Readable({
        objectMode: true,
        highWaterMark: 2,
        read() {
          const n = next()
          this.push(n < longest ? n : null)
        },
      })
      const listening = { event: 'data', endEvent: 'end', errorEvent: 'error', onFull: 'pause' } as const
      return fromEmitter<number>(readable, { name: 'pulled', ...listening, bufferRecordsMax })
    },
  },
])('$what before a slow sink is ahead of it by no more than the room and the channel', async ({ source }) => {
  const written: number[] = []
  const { progress, next } = ahead(written)
  const pipeline = stream(source(next)).pipe(
    rebalance(),
    map(n => n),
    into(slow(written)),
  )
  const job = run(pipeline, { channels, acceptLoss: ['pulled'] })
  await job.done
  expect(written).toEqual(Array.from({ length: longest }, (_, n) => n))
  expect(job.sources()).toMatchObject([{ recordsRead: longest, recordsDropped: 0 }])
  expect(progress.mostAhead).toBeLessThanOrEqual(bufferRecordsMax + inChannel + heldByStream)
})
