import { defer, filter, firstValueFrom, throwError } from 'rxjs'
import {
  type CheckpointReport,
  type Job,
  memoryStore,
  named,
  type Pipeline,
  regional,
  SpillwayError,
  type Store,
  stream,
} from 'spillway'
import { fromArray, into } from 'spillway/operators'
import { expect, test } from 'vitest'
import { run } from '../run.ts'
import { slowCollect } from './restored.ts'

/** So many records each; sources that end at very different times, each a region with its sink. */
const lengths = [5, 2_000, 8_000]
const recordsOf = (length: number) => Array.from({ length }, (_, n) => n)

/** The same sinks in every run: they know what they have published. */
const jobOf = (published: readonly number[][]): (() => readonly Pipeline[]) => {
  const sinks = published.map(records => slowCollect(records, { macrotasks: 1 }))
  return () =>
    sinks.map((sink, i) =>
      stream(fromArray(recordsOf(lengths[i] as number), { name: `source${i}` })).pipe(named(`sink${i}`, into(sink))),
    )
}

const options = {
  checks: true,
  channels: { bufferRecordsMax: 4, buffersMax: 2 },
  checkpoints: { policy: regional({ failedRatioMax: 0.5, consecutiveFailuresMax: 1 }), inlineBytesMax: 0 },
}

/** Fails puts of these objects, and all appends, while it is told to. */
const unreliable = () => {
  const inner = memoryStore()
  const fails = { puts: (_: string): boolean => false, appends: false }
  const error = () => new SpillwayError('STORE_FAILED', { place: 'test', problem: 'no space.', remedy: 'Make room.' })
  const store: Store = {
    ...inner,
    put: (object, bytes) => defer(() => (fails.puts(object) ? throwError(error) : inner.put(object, bytes))),
    append: (n, bytes) => defer(() => (fails.appends ? throwError(error) : inner.append(n, bytes))),
  }
  return { store, fails }
}

const none = () => lengths.map((): number[] => [])
const running = (job: Job) => firstValueFrom(job.status$.pipe(filter(({ kind }) => kind === 'running')))
/** Takes checkpoints until one has the region as ended. */
const ended = async (job: Job, source: string): Promise<CheckpointReport> => {
  for (;;) {
    const report = await job.triggerCheckpoint()
    if (report.tasks.some(({ task, ended: is }) => is && task.includes(source))) return report
  }
}

test('a region that has ended is neither asked nor failed nor stale; restored it stays ended; done comes when all have published', async () => {
  const { store, fails } = unreliable()
  const published = none()
  const pipelines = jobOf(published)
  const first = run(pipelines(), { ...options, store })
  await running(first)
  await ended(first, 'source0')
  await first.triggerCheckpoint()
  expect(published[0]).toEqual(recordsOf(5))
  fails.puts = object => object.includes('source0')
  for (let i = 0; i < 4; i++) {
    const { outcome, failedRegions, tasks } = await first.triggerCheckpoint()
    expect([outcome, failedRegions]).toEqual(['completed', []])
    expect(tasks.filter(({ ended: is }) => !is).map(({ task }) => task)).toHaveLength(2)
  }
  await first.cancel()
  await first.done.catch(() => {})

  const second = run(pipelines(), { ...options, store })
  await running(second)
  expect(second.sources().map(({ source }) => source)).toEqual(['source1', 'source2'])
  await second.done
  expect(published).toEqual(lengths.map(recordsOf))
})

test('the part in which a region ends is not carried over: its checkpoint fails, and it is tried again until it succeeds', async () => {
  const { store, fails } = unreliable()
  const published = none()
  const job = run(jobOf(published)(), { ...options, store })
  await running(job)
  await job.triggerCheckpoint()
  while (job.sources().some(({ source, recordsRead }) => source === 'source1' && recordsRead < 2_000)) {
    await new Promise(resolve => setImmediate(resolve))
  }
  fails.appends = true
  let report: CheckpointReport
  do report = await job.triggerCheckpoint()
  while (!report.tasks.some(({ task, ended: is }) => is && task.includes('source1')))
  expect(report).toMatchObject({ outcome: 'failed', cause: 'finalize' })
  expect(published[1]?.length).toBeLessThan(2_000)
  fails.appends = false
  expect(await job.triggerCheckpoint()).toMatchObject({ outcome: 'completed', failedRegions: [] })
  await job.done
  expect(published).toEqual(lengths.map(recordsOf))
})
