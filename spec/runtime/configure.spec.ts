import { firstValueFrom, take, toArray } from 'rxjs'
import { type CheckpointReport, global, hourly, SpillwayError, stream } from 'spillway'
import { collect, fromIterable, into } from 'spillway/operators'
import { expect, test } from 'vitest'
import { run } from '../run.ts'

function* forever(): Generator<number> {
  for (let n = 0; ; n++) yield n
}

const endless = (checkpoints = {}) =>
  run(stream(fromIterable(forever)).pipe(into(collect<number>())), { checkpoints, channels: { bufferRecordsMax: 4 } })

const reports = (job: ReturnType<typeof run>, count: number): Promise<readonly CheckpointReport[]> =>
  firstValueFrom(job.checkpoints$.pipe(take(count), toArray()))

test('interval and alignment change while the job runs, and what is in effect is said', async () => {
  const job = endless()
  const first = reports(job, 2)
  expect(job.configure({ checkpoints: { everyMs: 5, alignment: 'unaligned' } })).toEqual({
    checkpoints: {
      ...{ everyMs: 5, timeoutMs: 600_000, alignment: 'unaligned', minPauseMs: 0 },
      ...{ tolerableFailures: Number.POSITIVE_INFINITY, policy: global() },
    },
    channels: { debloat: false },
  })
  expect((await first).map(({ alignment, outcome }) => [alignment, outcome])).toEqual([
    ['unaligned', 'completed'],
    ['unaligned', 'completed'],
  ])
  const later = reports(job, 3)
  job.configure({ checkpoints: { alignment: { alignedTimeoutMs: 7 } } })
  expect((await later).at(-1)?.alignment).toEqual({ alignedTimeoutMs: 7 })
  await job.cancel()
})

test('what is said to be in effect may be given back', async () => {
  const of = { everyMs: 60_000, backlogEveryMs: Number.POSITIVE_INFINITY, schedule: hourly(), minPauseMs: 3 }
  const job = endless({ ...of, tolerableFailures: 2 })
  const said = job.configure({})
  expect(said.checkpoints).toMatchObject({ ...of, tolerableFailures: 2, policy: { kind: 'global' } })
  expect(job.configure(said)).toEqual(said)
  expect(job.configure({ checkpoints: { tolerableFailures: Number.POSITIVE_INFINITY } }).checkpoints).toMatchObject({
    tolerableFailures: Number.POSITIVE_INFINITY,
  })
  await job.cancel()
})

test('what is left out stays as it is', async () => {
  const job = endless({ everyMs: 60_000, timeoutMs: 1_000 })
  job.configure({ checkpoints: { timeoutMs: 2_000 } })
  job.configure({ checkpoints: { timeoutMs: undefined } as object })
  expect(job.configure({})).toMatchObject({
    checkpoints: { everyMs: 60_000, timeoutMs: 2_000, alignment: 'aligned' },
  })
  await job.cancel()
})

test.each([
  [{ parallelism: 2 }, 'UNKNOWN_OPTION'],
  [{ checkpoints: { retainedCount: 2 } }, 'UNKNOWN_OPTION'],
  [{ checkpoints: { everyMs: 0 } }, 'INVALID_OPTION'],
  [{ channels: { debloat: { tragetMs: 5 } } }, 'UNKNOWN_OPTION'],
  [{ channels: { debloat: { targetMs: 0 } } }, 'INVALID_OPTION'],
  [{ channels: { debloat: { minBufferRecords: 257 } } }, 'INVALID_OPTION'],
  [{ channels: { buffersMax: 4 } }, 'UNKNOWN_OPTION'],
  [{ checkpoints: { alignment: 'sideways' } }, 'INVALID_OPTION'],
])('%j is refused, and nothing is changed', async (options, code) => {
  const job = endless({ everyMs: 60_000 })
  expect(() => job.configure(options as object)).toThrow(SpillwayError)
  expect(() => job.configure(options as object)).toThrow(code)
  expect(job.configure({}).checkpoints?.everyMs).toBe(60_000)
  await job.cancel()
})

test('unaligned is refused at least once', async () => {
  const job = endless({ guarantee: 'at-least-once' })
  expect(() => job.configure({ checkpoints: { alignment: 'unaligned' } })).toThrow('INVALID_OPTION')
  await job.cancel()
})
