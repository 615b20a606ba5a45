import * as t from 'io-ts'
import { EMPTY, NEVER, VirtualTimeScheduler } from 'rxjs'
import { type Alignment, memoryStore, named, type RunOptions, type Sink, stream } from 'spillway'
import { flatMap, fromArray, into, keyBy, map, scan } from 'spillway/operators'
import { type Environment, runIn } from 'spillway/testing'
import { expect, test } from 'vitest'

/** A sink that is never ready. */
const neverReady: Sink<number> = {
  name: 'neverReady',
  transaction: t.null,
  open: () => ({
    mayWrite: () => false,
    ready$: NEVER,
    write() {},
    cut: () => undefined,
    publish: () => EMPTY,
    recover: () => EMPTY,
    close() {},
  }),
}

const options: RunOptions = {
  parallelism: 2,
  channels: { buffersMax: 1, bufferRecordsMax: 2, flushMs: 1 },
}

interface Run {
  readonly alignment: Alignment
  readonly untilMs: number
  /** The sources' operators are in the middle of a record. */
  readonly suspended?: boolean
}

/** How many tasks begin, in a job all of whose outputs are full before the checkpoint is triggered at 100 ms. */
const begun = ({ alignment, untilMs, suspended = false }: Run): number => {
  const scheduler = new VirtualTimeScheduler(undefined, 100)
  const tasks = new Set<string>()
  const environment: Environment = {
    scheduler,
    clock: () => scheduler.now(),
    nextSlice: slice => void scheduler.schedule(slice, 0.001),
    choose: () => 0,
    sliceTurnsMax: 4,
    observe: happening => {
      if (happening.kind === 'begun') tasks.add(happening.task)
    },
  }
  const pipeline = stream(
    fromArray(
      Array.from({ length: 1_000 }, (_, n) => n),
      { splits: 2 },
    ),
  ).pipe(
    suspended ? flatMap((n: number) => Array.from({ length: 1_000 }, (_, i) => n + i)) : map((n: number) => n + 1),
    keyBy(n => n % 7),
    scan(total => total + 1, 0, t.number),
    keyBy(n => n % 5),
    named(
      'again',
      scan((total: number) => total + 1, 0, t.number),
    ),
    into(neverReady),
  )
  const job = runIn(environment, pipeline, { ...options, store: memoryStore() })
  job.done.catch(() => {})
  scheduler.schedule(() => void job.triggerCheckpoint({ alignment }).catch(() => {}), 100)
  scheduler.maxFrames = untilMs
  scheduler.flush()
  return tasks.size
}

const all = 6

test('with every output full an unaligned checkpoint begins in every task', () => {
  expect(begun({ alignment: 'unaligned', untilMs: 101 })).toBe(all)
})

test('with every output full an aligned checkpoint begins in the sources alone', () => {
  expect(begun({ alignment: 'aligned', untilMs: 1_000 })).toBe(2)
})

test('with every output full a checkpoint with a timeout begins in every task once it is passed', () => {
  expect(begun({ alignment: { alignedTimeoutMs: 50 }, untilMs: 149 })).toBe(2)
  expect(begun({ alignment: { alignedTimeoutMs: 50 }, untilMs: 151 })).toBe(all)
})

test('a source whose operator is suspended begins an aligned checkpoint never, one with a timeout when it is passed', () => {
  expect(begun({ alignment: 'aligned', untilMs: 1_000, suspended: true })).toBe(0)
  expect(begun({ alignment: { alignedTimeoutMs: 50 }, untilMs: 149, suspended: true })).toBe(0)
  expect(begun({ alignment: { alignedTimeoutMs: 50 }, untilMs: 151, suspended: true })).toBe(all)
})
