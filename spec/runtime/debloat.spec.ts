import * as t from 'io-ts'
import { EMPTY, interval, Subject, VirtualTimeScheduler } from 'rxjs'
import { type CheckpointReport, type DebloatOption, memoryStore, type Sink, stream } from 'spillway'
import { fromIterable, fromObservable, into, map, rebalance, union } from 'spillway/operators'
import type { Environment } from 'spillway/testing'
import { describe, expect, test } from 'vitest'
import { runIn } from '../run.ts'
import { type ChannelForm, channelForms } from './channelForms.ts'

const taskCount = 2

/** Takes so many records a second in each task, by turning further ones away. */
const slowSink = (scheduler: VirtualTimeScheduler, recordsPerSecond: () => number): Sink<number> => ({
  name: 'slow',
  transaction: t.null,
  open: () => {
    const ready$ = new Subject<void>()
    let freeAtMs = 0
    return {
      mayWrite: () => freeAtMs <= scheduler.now(),
      ready$,
      write: records => {
        freeAtMs = scheduler.now() + (records.length * 1_000) / recordsPerSecond()
        scheduler.schedule(() => ready$.next(), freeAtMs - scheduler.now())
      },
      cut: () => undefined,
      publish: () => EMPTY,
      recover: () => EMPTY,
      close() {},
    }
  },
})

function* forever(): Generator<number> {
  for (let n = 0; ; n++) yield n
}

const until = (scheduler: VirtualTimeScheduler, ms: number): void => {
  scheduler.maxFrames = ms
  scheduler.flush()
  scheduler.frame = ms
}

const virtual = (scheduler: VirtualTimeScheduler): Environment => ({
  scheduler,
  clock: () => scheduler.now(),
  nextSlice: slice => void scheduler.schedule(slice, 0.01),
  choose: () => 0,
  sliceTurnsMax: 8,
})

const started = (debloat: boolean | DebloatOption, { channelIn }: ChannelForm) => {
  const scheduler = new VirtualTimeScheduler(undefined, 0)
  let rate = 500
  const job = runIn(
    { ...virtual(scheduler), ...channelIn(scheduler) },
    stream(fromIterable(forever)).pipe(
      rebalance(),
      map(n => n),
      rebalance(),
      into(slowSink(scheduler, () => rate)),
    ),
    {
      parallelism: taskCount,
      store: memoryStore(),
      channels: { debloat, bufferRecordsMax: 64, buffersMax: 8 },
    },
  )
  const durations: number[] = []
  job.checkpoints$.subscribe((report: CheckpointReport) => durations.push(report.durationMs))
  job.done.catch(() => {})
  return {
    job,
    advance: (ms: number) => until(scheduler, scheduler.now() + ms),
    /** What is measured in one period depends on which buffers fall into it. */
    medianInputs: ({ periods, periodMs }: { readonly periods: number; readonly periodMs: number }) => {
      const samples = Array.from({ length: periods }, () => {
        until(scheduler, scheduler.now() + periodMs)
        return job.inputs()
      })
      const median = (of: (sample: ReturnType<typeof job.inputs>) => number) =>
        samples.map(of).sort((a, b) => a - b)[Math.floor(periods / 2)] as number
      return job.inputs().map((_, input) => ({
        estimatedMs: median(sample => sample[input]?.estimatedMs ?? Number.NaN),
        bufferRecords: median(sample => sample[input]?.bufferRecords ?? Number.NaN),
      }))
    },
    slow: (recordsPerSecond: number) => {
      rate = recordsPerSecond
    },
    /** How long an aligned checkpoint takes that is triggered now. */
    alignedMs: (): number => {
      void job.triggerCheckpoint().catch(() => {})
      const before = durations.length
      for (let waitedMs = 0; durations.length === before && waitedMs < 60_000; waitedMs += 50) {
        until(scheduler, scheduler.now() + 50)
      }
      return durations.at(-1) ?? Number.NaN
    },
  }
}

const target: DebloatOption = { targetMs: 400, periodMs: 50, samples: 10 }

describe.each(channelForms)('channels of $form:', form => {
  test('with debloating an aligned checkpoint takes about the target time a hop, without it as long as full channels take', () => {
    const [with_, without] = [started(target, form), started(false, form)]
    with_.advance(7_000)
    for (const { estimatedMs, bufferRecords } of with_.medianInputs({ periods: 20, periodMs: 50 })) {
      expect(estimatedMs).toBeLessThan(700)
      expect(bufferRecords).toBeLessThan(64)
    }
    without.advance(8_000)
    // Two hops of 400 ms, and the quarter by which a size may differ before another is told.
    expect(with_.alignedMs()).toBeLessThan(1_000)
    expect(without.alignedMs()).toBeGreaterThan(2_500)
  })

  test('it follows a load that changes, and may be turned on and off while the job runs', () => {
    const { job, advance, slow, alignedMs } = started(false, form)
    advance(4_000)
    job.configure({ channels: { debloat: target } })
    advance(12_000)
    expect(alignedMs()).toBeLessThan(1_000)
    slow(100)
    advance(5_000)
    expect(alignedMs()).toBeLessThan(1_000)
    advance(15_000)
    expect(alignedMs()).toBeLessThan(1_000)
    slow(500)
    advance(5_000)
    expect(alignedMs()).toBeLessThan(1_000)
    job.configure({ channels: { debloat: false } })
    expect(job.inputs()).toEqual([])
    advance(10_000)
    expect(alignedMs()).toBeGreaterThan(2_500)
  })
})

test('two inputs of a task are measured and sized each for itself', () => {
  const scheduler = new VirtualTimeScheduler(undefined, 0)
  const rare = fromObservable(interval(50, scheduler), { name: 'rare', onFull: 'dropNewest', bufferRecordsMax: 1 })
  const job = runIn(
    virtual(scheduler),
    union(stream(fromIterable(forever)).pipe(rebalance()), stream(rare).pipe(rebalance())).pipe(
      map(n => n),
      into(slowSink(scheduler, () => 500)),
    ),
    { acceptLoss: ['rare'], channels: { debloat: target, bufferRecordsMax: 64, buffersMax: 8 } },
  )
  job.done.catch(() => {})
  until(scheduler, 20_000)
  const [often, seldom] = job.inputs()
  expect(often?.recordsPerSecond).toBeGreaterThan(300)
  expect(seldom?.recordsPerSecond).toBeLessThan(60)
  // 400 ms of 480 records/s in nine buffers, and of 20 in one.
  expect(often?.bufferRecords).toBeGreaterThan(14)
  expect(seldom?.bufferRecords).toBeLessThan(14)
  for (const { estimatedMs } of [often, seldom] as { estimatedMs: number }[]) expect(estimatedMs).toBeLessThan(700)
})
