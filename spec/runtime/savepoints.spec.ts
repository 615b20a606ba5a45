import * as t from 'io-ts'
import * as rx from 'rxjs'
import {
  type Alignment,
  type CheckpointReport,
  fixedDelay,
  type Job,
  memoryStore,
  named,
  type RunOptions,
  regional,
  type Sink,
  SpillwayError,
  type Store,
  stream,
} from 'spillway'
import { eventTime, fromArray, into, keyBy, rebalance, scan, sum, tumblingWindow } from 'spillway/operators'
import type { Happening } from 'spillway/testing'
import { describe, expect, test } from 'vitest'
import { run, runIn } from '../run.ts'
import { type ChannelForm, channelForms } from './channelForms.ts'
import { slowCollect, stepped } from './restored.ts'
import { nothingPublished, runThrottled } from './throttled.ts'

const numbers = Array.from({ length: 1_500 }, (_, n) => n)
const counts = numbers.map(n => Math.floor(n / 7) + 1)

/** One sink for all runs that collect the same records. */
const sinks = new Map<number[], Sink<number>>()
const sinkOf = (records: number[]): Sink<number> => {
  const sink = sinks.get(records) ?? slowCollect(records, { macrotasks: 1, prefix: `${sinks.size} ` })
  sinks.set(records, sink)
  return sink
}

const pipeline = (records: number[]) =>
  stream(fromArray(numbers), { parallelism: 1 }).pipe(
    keyBy(n => n % 7),
    scan(count => count + 1, 0, t.number),
    named('out', into(sinkOf(records))),
  )

const options = { checks: true, channels: { bufferRecordsMax: 4, buffersMax: 2 } } satisfies RunOptions
const running = (job: Job) => rx.firstValueFrom(job.status$.pipe(rx.filter(({ kind }) => kind === 'running')))
const recordsRead = (job: Job) => job.sources()[0]?.recordsRead ?? 0
const read = (job: Job, count: number) =>
  rx.firstValueFrom(rx.timer(0, 1).pipe(rx.filter(() => recordsRead(job) >= count)))
/** A job that has read some records; `resumedFrom` says what it has begun with. */
const began = async (records: number[], more: RunOptions) => {
  const job = run(pipeline(records), { ...options, ...more })
  const status = await running(job)
  await read(job, 50)
  return { job, resumedFrom: status.kind === 'running' ? status.resumedFrom : undefined }
}
const ended = (records: number[], more: RunOptions) => run(pipeline(records), { ...options, ...more }).done
const sorted = (records: readonly number[]) => records.toSorted((a, b) => a - b)
const names = (store: Store) => rx.firstValueFrom(store.list(''))

/** A store whose puts, or whose appends from some number on, fail. */
const failing = (of: { puts?: boolean; appendsFrom?: number }): Store => {
  const inner = memoryStore()
  const error = () => new SpillwayError('STORE_FAILED', { place: 'test', problem: 'no space.', remedy: 'Make room.' })
  return {
    ...inner,
    put: (object, bytes) => (of.puts ? rx.throwError(error) : inner.put(object, bytes)),
    append: (n, bytes) => (n >= (of.appendsFrom ?? Infinity) ? rx.throwError(error) : inner.append(n, bytes)),
  }
}

describe('a job that is stopped with a savepoint is gone on with from it, once and whole', () => {
  const cases: readonly [claim: string, before: RunOptions, after: RunOptions][] = [
    ['in the entry', {}, {}],
    ['in objects', { checkpoints: { inlineBytesMax: 0 } }, { checkpoints: { inlineBytesMax: 0 } }],
    ['at another parallelism', { parallelism: 2 }, { parallelism: 3 }],
    ['of unaligned checkpoints', { checkpoints: { alignment: 'unaligned', everyMs: 2 } }, {}],
  ]
  test.each(cases)('%s', async (_, before, after) => {
    const records: number[] = []
    const [store, savepoint] = [memoryStore(), memoryStore()]
    const { job } = await began(records, { ...before, store })
    await job.triggerCheckpoint()
    const stopped = await job.stop({ savepoint })
    expect(await job.done).toEqual(stopped)
    expect(stopped).toMatchObject({ drained: false, savepoint: { checkpoint: stopped.checkpoint, published: true } })
    expect(await rx.lastValueFrom(job.status$)).toEqual({ kind: 'stopped', stopped })
    expect(records.length).toBeGreaterThan(0)
    expect(records.length).toBeLessThan(numbers.length)
    // Nothing of the job's store is needed.
    await ended(records, { ...after, restore: { savepoint } })
    expect(sorted(records)).toEqual(sorted(counts))
  })
})

test.each([
  ['by stage', false],
  ['by name', true],
] as const)('tasks that have ended stay so, in one region and beside others: %s', async (_, isMoved) => {
  const [short, long]: [number[], number[]] = [[], []]
  const pipelines = (moved: boolean) => {
    const few = stream(fromArray([1, 2, 3], { name: 'few' }))
    return [pipeline(long), (moved ? few.pipe(rebalance()) : few).pipe(named('short', into(sinkOf(short))))]
  }
  const policy = regional({ failedRatioMax: 0.5, consecutiveFailuresMax: 2 })
  const more = { ...options, checkpoints: { policy, inlineBytesMax: 0 } }
  const savepoint = memoryStore()
  const job = run(pipelines(false), more)
  await read(job, 50)
  await job.triggerCheckpoint()
  await job.stop({ savepoint })
  expect(short).toEqual([1, 2, 3])
  await run(pipelines(isMoved), { ...more, restore: { savepoint } }).done
  expect(short).toEqual([1, 2, 3])
  expect(sorted(long)).toEqual(sorted(counts))
})

/** In virtual time: a checkpoint of this alignment at 1,000 ms, and what else is asked for at 2,000 ms, of a job whose channels are full. */
const besideFullChannels = (
  alignment: Alignment,
  { ask, channelIn }: { ask: (job: Job) => Promise<unknown> } & Pick<ChannelForm, 'channelIn'>,
): readonly CheckpointReport[] =>
  runThrottled(sink => stream(fromArray(Array.from({ length: 10_000 }, (_, n) => n))).pipe(rebalance(), into(sink)), {
    ...{ store: memoryStore(), published: nothingPublished(), channelIn },
    ...{ channels: { buffersMax: 8, bufferRecordsMax: 64 }, checkpoints: { alignment } },
    ...{ alignment, checkpointsAtMs: [1_000], asked: [[2_000, ask]], killedAtMs: 5_000 },
  }).checkpoints

describe.each(channelForms)('a savepoint is aligned, though channels are full, $form', ({ channelIn }) => {
  const alignments: readonly Alignment[] = ['unaligned', { alignedTimeoutMs: 100 }]
  const asks: readonly [string, (job: Job) => Promise<unknown>][] = [
    ['goes on', job => job.savepoint(memoryStore())],
    ['stops with it', job => job.stop({ savepoint: memoryStore() })],
  ]
  const cases = alignments.flatMap(alignment => asks.map(([what, ask]) => [alignment, what, ask] as const))

  test.each(cases)('and checkpoints are %j: of a job that %s', (alignment, _, ask) => {
    const [checkpoint, saved] = besideFullChannels(alignment, { ask, channelIn })
    expect(checkpoint).toMatchObject({ kind: 'checkpoint', outcome: 'completed', alignment })
    expect(checkpoint?.inFlightRecords).toBeGreaterThan(0)
    expect(checkpoint?.tasks.some(({ unaligned }) => unaligned)).toBe(true)
    expect(saved).toMatchObject({ kind: 'savepoint', outcome: 'completed', alignment: 'aligned', inFlightRecords: 0 })
    expect(saved?.tasks.map(({ unaligned }) => unaligned)).toEqual([false, false])
    // The barrier has waited behind what the channels hold, for longer than the timeout.
    expect(saved?.durationMs).toBeGreaterThan(200)
  })
})

test('a savepoint of a job that goes on has all that its sinks have not published, and outlives all that the job deletes', async () => {
  const [store, savepoint] = [memoryStore(), memoryStore()]
  const [first, second]: [number[], number[]] = [[], []]
  const { job } = await began(first, { store, checkpoints: { inlineBytesMax: 0 } })
  await job.triggerCheckpoint()
  await read(job, recordsRead(job) + 50)
  const made = await job.savepoint(savepoint)
  expect(made).toMatchObject({ store: 'memory', published: false })
  const before = await names(savepoint)
  await job.triggerCheckpoint()
  await job.done
  expect(sorted(first)).toEqual(sorted(counts))
  expect(await names(savepoint)).toEqual(before)
  expect(before.length).toBeGreaterThan(0)
  // Another sink: it is asked to publish what the savepoint holds, and then gets the rest.
  await ended(second, { restore: { savepoint } })
  expect(sorted(second)).toEqual(sorted(counts).slice(-second.length))
  expect(second.length).toBeLessThan(counts.length)
  expect(await names(savepoint)).toEqual(before)
})

test('it needs a store that is new or empty', async () => {
  const [store, savepoint] = [memoryStore(), memoryStore()]
  const { job } = await began([], { store })
  await job.savepoint(savepoint)
  await expect(job.savepoint(savepoint)).rejects.toMatchObject({ code: 'NOT_EMPTY' })
  await expect(job.savepoint(store)).rejects.toMatchObject({ code: 'NOT_EMPTY' })
  await expect(job.stop({ savepoint })).rejects.toMatchObject({ code: 'NOT_EMPTY' })
  await job.cancel()
  await expect(job.savepoint(memoryStore())).rejects.toMatchObject({ code: 'NOT_RUNNING' })
  await expect(job.stop()).rejects.toMatchObject({ code: 'CANCELLED' })
})

describe('one that is not whole is none, and the job goes on', () => {
  const cases: readonly [claim: string, savepoint: () => Store][] = [
    ['without an object', () => failing({ puts: true })],
    ['without its entry', () => failing({ appendsFrom: 1 })],
  ]
  const checkpoints = { inlineBytesMax: 0 }
  test.each(cases)('%s', async (_, made) => {
    const records: number[] = []
    const savepoint = made()
    const { job } = await began(records, { checkpoints })
    await expect(job.savepoint(savepoint)).rejects.toMatchObject({
      code: 'SAVEPOINT_FAILED',
      message: expect.stringContaining('no space'),
    })
    await expect(ended([], { restore: { savepoint } })).rejects.toMatchObject({ code: 'CHECKPOINT_NOT_FOUND' })
    // Also where it was to stop.
    await expect(job.stop({ savepoint: made() })).rejects.toMatchObject({ code: 'SAVEPOINT_FAILED' })
    expect(await job.done).toBeUndefined()
    expect(sorted(records)).toEqual(sorted(counts))
  })
})

test('a job whose last checkpoint fails does not stop', async () => {
  const records: number[] = []
  const { job } = await began(records, { store: failing({ puts: true }), checkpoints: { inlineBytesMax: 0 } })
  await expect(job.stop()).rejects.toMatchObject({
    code: 'SAVEPOINT_FAILED',
    message: expect.stringContaining('no space'),
  })
  await read(job, recordsRead(job) + 1)
  await job.cancel()
})

test('a job that is stopped goes on from its store, and publishes nothing again', async () => {
  const records: number[] = []
  const store = memoryStore()
  const { job } = await began(records, { store })
  const stopped = await job.stop()
  expect(stopped.savepoint).toBeUndefined()
  const published = records.length
  // Another sink would publish whatever it is asked to.
  const again: number[] = []
  const next = await began(again, { store })
  expect(next.resumedFrom?.checkpoint).toBe(stopped.checkpoint)
  expect(again).toEqual([])
  await next.job.done
  expect(again).toHaveLength(numbers.length - published)
})

test('nothing is read behind the last checkpoint of a job that stops', async () => {
  const records: number[] = []
  const { job } = await began(records, {})
  await job.stop()
  expect(records).toHaveLength(recordsRead(job))
})

describe('a start with a savepoint goes on from what the job has done since', () => {
  const stoppedWith = async () => {
    const records: number[] = []
    const savepoint = memoryStore()
    const { job } = await began(records, { checkpoints: { inlineBytesMax: 0 } })
    const { checkpoint } = await job.stop({ savepoint })
    return { records, savepoint, checkpoint }
  }

  test.each([{ named: true }, { named: false }])(
    'whether the start names it once more: $named',
    async ({ named: again }) => {
      const { records, savepoint, checkpoint } = await stoppedWith()
      const store = memoryStore()
      const restore = { savepoint }
      const second = await began(records, { store, restore })
      expect(second.resumedFrom).toMatchObject({ checkpoint })
      expect(second.resumedFrom?.message).toContain('resumed from a savepoint')
      await second.job.cancel()
      const third = await began(records, { store, ...(again ? { restore } : {}) })
      expect(third.resumedFrom).toMatchObject({ checkpoint })
      const { id } = await third.job.triggerCheckpoint()
      await third.job.cancel()
      const fourth = await began(records, { store, ...(again ? { restore } : {}) })
      expect(fourth.resumedFrom).toMatchObject({ checkpoint: id })
      await fourth.job.done
      expect(sorted(records)).toEqual(sorted(counts))
      expect((await names(store)).filter(name => name.includes('savepoint'))).toEqual([])
    },
  )

  test('one that was interrupted before the copy was whole is begun again, not anew', async () => {
    const { records, savepoint } = await stoppedWith()
    const fails = { appendsFrom: 2 }
    const store = failing(fails)
    await expect(ended(records, { store, restore: { savepoint } })).rejects.toMatchObject({ code: 'STORE_FAILED' })
    fails.appendsFrom = Infinity
    await expect(ended(records, { store })).rejects.toMatchObject({ code: 'CHECKPOINT_NOT_FOUND' })
    await ended(records, { store, restore: { savepoint } })
    expect(sorted(records)).toEqual(sorted(counts))
  })

  test('a store that has gone on from something else is refused, unless duplicates are accepted', async () => {
    const { savepoint } = await stoppedWith()
    const store = memoryStore()
    const { job } = await began([], { store })
    await job.triggerCheckpoint()
    await job.cancel()
    await expect(ended([], { store, restore: { savepoint } })).rejects.toMatchObject({ code: 'WOULD_DUPLICATE' })
    const { job: accepted } = await began([], { store, restore: { savepoint, acceptDuplicates: true } })
    expect((await accepted.triggerCheckpoint()).outcome).toBe('completed')
    await accepted.cancel()
  })
})

test('a job that is drained fires its windows, and has nothing to go on with', async () => {
  const results: { value: number }[] = []
  const events = Array.from({ length: 100_000 }, (_, n) => n)
  const windows = (values: { value: number }[]) =>
    stream(fromArray(events)).pipe(
      eventTime({ timeMs: n => n, outOfOrderMs: 0 }),
      keyBy(() => 'all'),
      tumblingWindow(
        { sizeMs: 1_000_000, late: 'drop' },
        sum(() => 1),
      ),
      named('windows', into(slowCollect<{ value: number }>(values, { macrotasks: 0 }))),
    )
  const savepoint = memoryStore()
  const job = run(windows(results), options)
  await read(job, 50)
  const stopped = await job.stop({ savepoint, drain: true })
  expect(recordsRead(job)).toBeLessThan(events.length)
  expect(results.map(({ value }) => value)).toEqual([recordsRead(job)])
  expect(stopped).toMatchObject({ drained: true, savepoint: { published: true } })
  const again: { value: number }[] = []
  await run(windows(again), { restore: { savepoint } }).done
  expect(again).toEqual([])
})

describe('tasks that fail are restarted', () => {
  const restart = fixedDelay({ attemptsMax: 3, delayMs: 1 })
  /** Its task of counts fails in that turn. */
  const failingIn = (turn: () => boolean) => ({
    ...stepped(() => {}),
    observe: (doing: Happening) => {
      if (doing.kind === 'turn' && doing.task.startsWith('1:') && turn()) throw new Error('it has failed')
    },
  })

  test('from the copy of the savepoint, until there is something newer', async () => {
    const records: number[] = []
    const savepoint = memoryStore()
    const { job } = await began(records, { checkpoints: { inlineBytesMax: 0 } })
    await job.stop({ savepoint })
    const published = records.length
    let turns = 0
    const again: number[] = []
    const second = runIn(
      failingIn(() => ++turns === 40),
      pipeline(again),
      { ...options, restart, restore: { savepoint } },
    )
    await second.done
    expect(turns).toBeGreaterThan(40)
    expect(again).toHaveLength(numbers.length - published)
    expect(sorted([...records, ...again])).toEqual(sorted(counts))
  })

  test('while the job is stopping: then it goes on, and may be stopped again', async () => {
    const records: number[] = []
    let fails = false
    const job = runIn(
      failingIn(() => {
        const now = fails
        fails = false
        return now
      }),
      pipeline(records),
      { ...options, restart },
    )
    await read(job, 50)
    fails = true
    await expect(job.stop({ savepoint: memoryStore() })).rejects.toMatchObject({ code: 'SAVEPOINT_FAILED' })
    const before = recordsRead(job)
    await read(job, before + 1)
    const savepoint = memoryStore()
    await job.stop({ savepoint })
    await ended(records, { restore: { savepoint } })
    expect(sorted(records)).toEqual(sorted(counts))
  })
})
