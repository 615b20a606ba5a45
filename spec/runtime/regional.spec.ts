import { defer, filter, firstValueFrom, throwError } from 'rxjs'
import {
  type CheckpointReport,
  type Job,
  memoryStore,
  regional,
  type Sink,
  SpillwayError,
  type Store,
  stream,
} from 'spillway'
import { fromArray, into, map, rescale } from 'spillway/operators'
import { expect, test } from 'vitest'
import { msgpackEncoding } from '../../lib/snapshot/encoding.ts'
import { type Commit, readEntry } from '../../lib/snapshot/log.ts'
import { run } from '../run.ts'
import { slowCollect } from './restored.ts'

/** Splits are read apart; with as many tasks each is a region: source, map and sink. */
const numbers = Array.from({ length: 4_000 }, (_, n) => n)

const pipeline = (sink: Sink<number>) =>
  stream(fromArray(numbers, { splits: 4 })).pipe(
    rescale(),
    map(n => n),
    rescale(),
    into(sink),
  )

const policy = regional({ failedRatioMax: 0.5, consecutiveFailuresMax: 2 })
const options = {
  parallelism: 4,
  checks: true,
  channels: { bufferRecordsMax: 4, buffersMax: 2 },
  checkpoints: { policy, inlineBytesMax: 0 },
}

/** A store that takes no snapshots of these tasks, as `:2` for the third. */
const refusing = (inner: Store) => {
  const refused = new Set<string>()
  const error = () => new SpillwayError('STORE_FAILED', { place: 'test', problem: 'no space.', remedy: 'Make room.' })
  const isRefused = (object: string) => [...refused].some(task => object.endsWith(`%2F${task}`))
  const store: Store = {
    ...inner,
    put: (object, bytes) => defer(() => (isRefused(object) ? throwError(error) : inner.put(object, bytes))),
  }
  return { store, refused }
}

const running = (job: Job) => firstValueFrom(job.status$.pipe(filter(({ kind }) => kind === 'running')))

const cancelled = async (job: Job) => {
  await job.cancel()
  await expect(job.done).rejects.toMatchObject({ code: 'CANCELLED' })
}

const commitsOf = async (store: Store): Promise<readonly Commit[]> => {
  const commits: Commit[] = []
  for (const n of await firstValueFrom(store.entries())) {
    const entry = readEntry(n, await firstValueFrom(store.entry(n)), msgpackEncoding())
    if (entry.kind === 'commit') commits.push(entry)
  }
  return commits
}

const sorted = (records: readonly number[]) => [...records].sort((a, b) => a - b)

test('a region that cannot write is carried over, the others publish, and in the end all is there once', async () => {
  const { store, refused } = refusing(memoryStore())
  const records: number[] = []
  const sink = slowCollect(records, { macrotasks: 1 })
  const job = run(pipeline(sink), { ...options, store })
  await running(job)
  const reports: CheckpointReport[] = [await job.triggerCheckpoint()]
  refused.add('2')
  reports.push(await job.triggerCheckpoint({ alignment: 'unaligned' }), await job.triggerCheckpoint())
  refused.clear()
  reports.push(await job.triggerCheckpoint())
  expect(reports.map(({ outcome, failedRegions, regions }) => [outcome, failedRegions, regions])).toEqual([
    ['completed', [], 4],
    ['completed', [2], 4],
    ['completed', [2], 4],
    ['completed', [], 4],
  ])
  await job.done
  expect(sorted(records)).toEqual(numbers)
})

test('the limits stop what cannot go on: too many regions, and one that is stale', async () => {
  const { store, refused } = refusing(memoryStore())
  const records: number[] = []
  const sink = slowCollect(records, { macrotasks: 1 })
  const job = run(pipeline(sink), { ...options, store })
  await running(job)
  refused.add('1')
  expect(await job.triggerCheckpoint()).toMatchObject({
    outcome: 'failed',
    reason: expect.stringContaining('no-previous'),
  })
  refused.clear()
  await job.triggerCheckpoint()
  for (const task of ['0', '1', '3']) refused.add(task)
  expect(await job.triggerCheckpoint()).toMatchObject({
    outcome: 'failed',
    reason: expect.stringContaining('too-many-regions'),
  })
  for (const task of ['0', '1']) refused.delete(task)
  for (const outcome of ['completed', 'completed', 'failed']) {
    const report = await job.triggerCheckpoint()
    expect([report.outcome, report.cause]).toEqual([outcome, outcome === 'failed' ? 'io' : undefined])
  }
  refused.clear()
  await job.done
  expect(sorted(records)).toEqual(numbers)
})

test.each(['aligned', 'unaligned'] as const)(
  '%s: a start takes each region from the newest part that it finished, also of a failed checkpoint',
  async alignment => {
    const inner = memoryStore()
    const { store, refused } = refusing(inner)
    const records: number[] = []
    const sink = slowCollect(records, { macrotasks: 1 })
    const first = run(pipeline(sink), { ...options, store })
    await running(first)
    await first.triggerCheckpoint({ alignment })
    for (const task of ['0', '1', '2']) refused.add(task)
    expect(await first.triggerCheckpoint({ alignment })).toMatchObject({ outcome: 'failed' })
    await cancelled(first)
    const newest = (await commitsOf(inner)).map(({ checkpoint, parts, completes }) => [
      checkpoint,
      parts.map(({ tasks }) => tasks.map(({ task }) => task.split('/')[1]).join('')),
      completes !== undefined,
    ])
    expect(newest.filter(([id]) => id === 2)).toEqual([[2, ['333'], false]])

    const second = run(pipeline(sink), { ...options, store: inner })
    const status = await running(second)
    expect(status.kind === 'running' && status.resumedFrom?.checkpoint).toBe(2)
    await second.done
    expect(sorted(records)).toEqual(numbers)
  },
)

test('parts of different checkpoints are restored together at another parallelism, and the first parts there in one commit', async () => {
  const inner = memoryStore()
  const { store, refused } = refusing(inner)
  const records: number[] = []
  const sink = slowCollect(records, { macrotasks: 1 })
  const first = run(pipeline(sink), { ...options, store })
  await running(first)
  await first.triggerCheckpoint({ alignment: 'unaligned' })
  refused.add('1')
  await first.triggerCheckpoint({ alignment: 'unaligned' })
  await cancelled(first)
  refused.clear()

  const second = run(pipeline(sink), { ...options, parallelism: 2, store })
  await running(second)
  refused.add('1')
  // One of two regions may fail, but not before all have a part of their own.
  expect(await second.triggerCheckpoint({ alignment: 'unaligned' })).toMatchObject({ outcome: 'failed' })
  await cancelled(second)
  refused.clear()

  // What is stored is still of four tasks, and a third dealing starts from that.
  const third = run(pipeline(sink), { ...options, parallelism: 3, store })
  await running(third)
  await third.triggerCheckpoint()
  const commits = (await commitsOf(inner)).filter(({ stages }) => Object.values(stages).every(tasks => tasks === 3))
  expect(commits.map(({ parts }) => parts.length)).toEqual([3])
  await third.done
  expect(sorted(records)).toEqual(numbers)
})

test('a store written globally goes on regionally, and the other way about', async () => {
  const store = memoryStore()
  const records: number[] = []
  const sink = slowCollect(records, { macrotasks: 1 })
  for (const policies of [{}, { policy }, {}]) {
    const job = run(pipeline(sink), { ...options, store, checkpoints: policies })
    await running(job)
    await job.triggerCheckpoint({ alignment: 'unaligned' })
    await cancelled(job)
  }
  const last = run(pipeline(sink), { ...options, store })
  await last.done
  expect(sorted(records)).toEqual(numbers)
})

test('with tolerableFailures the job fails when so many checkpoints in a row have', async () => {
  const { store, refused } = refusing(memoryStore())
  const job = run(pipeline(slowCollect<number>([], { macrotasks: 1 })), {
    ...options,
    store,
    checkpoints: { tolerableFailures: 1, inlineBytesMax: 0 },
  })
  const failure = job.done.catch((error: SpillwayError) => error)
  await running(job)
  refused.add('0')
  expect(await job.triggerCheckpoint()).toMatchObject({ outcome: 'failed', cause: 'io' })
  refused.clear()
  expect(await job.triggerCheckpoint()).toMatchObject({ outcome: 'completed' })
  refused.add('0')
  await job.triggerCheckpoint()
  await job.triggerCheckpoint()
  expect(await failure).toMatchObject({ code: 'CHECKPOINT_FAILED', message: expect.stringContaining('more than 1') })
})

test('limits change while the job runs, the kind of policy does not', async () => {
  const { store, refused } = refusing(memoryStore())
  const job = run(pipeline(slowCollect<number>([], { macrotasks: 1 })), { ...options, store })
  await running(job)
  await job.triggerCheckpoint()
  refused.add('0')
  expect(await job.triggerCheckpoint()).toMatchObject({ outcome: 'completed' })
  job.configure({ checkpoints: { policy: regional({ failedRatioMax: 0, consecutiveFailuresMax: 2 }) } })
  expect(await job.triggerCheckpoint()).toMatchObject({ outcome: 'failed' })
  expect(() => job.configure({ checkpoints: { policy: { ...policy, kind: 'global' } } })).toThrow('INVALID_OPTION')
  await cancelled(job)
})
