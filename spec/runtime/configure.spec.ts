import { firstValueFrom, take, toArray } from 'rxjs'
import { type Alignment, type CheckpointReport, global, hourly, memoryStore, SpillwayError, stream } from 'spillway'
import { collect, fromArray, fromIterable, into, rebalance } from 'spillway/operators'
import { describe, expect, test } from 'vitest'
import { run } from '../run.ts'
import { type ChannelForm, channelForms } from './channelForms.ts'
import { nothingPublished, runThrottled } from './throttled.ts'

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

/**
 * In virtual time: checkpoints by the interval at 1,000 ms and 2,000 ms of a job whose channels are full, so that an aligned barrier
 * takes half a second; 20 ms after the first trigger the alignment is changed. What the reports say of both.
 */
const configuredUnderWay = (before: Alignment, after: Alignment, { channelIn }: Pick<ChannelForm, 'channelIn'>) => {
  const { checkpoints } = runThrottled(
    sink => stream(fromArray(Array.from({ length: 10_000 }, (_, n) => n))).pipe(rebalance(), into(sink)),
    {
      ...{ store: memoryStore(), published: nothingPublished(), channelIn },
      ...{ channels: { buffersMax: 8, bufferRecordsMax: 64 }, checkpoints: { everyMs: 1_000, alignment: before } },
      ...{ asked: [[1_020, job => job.configure({ checkpoints: { alignment: after } })]], killedAtMs: 2_900 },
    },
  )
  return checkpoints.map(({ alignment, durationMs, tasks, inFlightRecords }) => ({
    alignment,
    overtook: inFlightRecords > 0 && tasks.some(({ unaligned }) => unaligned),
    afterMs: Math.round(durationMs),
  }))
}

describe.each(channelForms)('alignment changed while a checkpoint is under way, $form:', form => {
  const waited = expect.toSatisfy((ms: number) => ms > 300)
  const early: Alignment = { alignedTimeoutMs: 50 }
  const late: Alignment = { alignedTimeoutMs: 100_000 }

  test.each<[Alignment, Alignment, object, object]>([
    ['aligned', 'unaligned', { overtook: false, afterMs: waited }, { overtook: true, afterMs: 0 }],
    ['aligned', early, { overtook: false, afterMs: waited }, { overtook: true, afterMs: 50 }],
    [late, early, { overtook: false, afterMs: waited }, { overtook: true, afterMs: 50 }],
    [late, 'unaligned', { overtook: false, afterMs: waited }, { overtook: true, afterMs: 0 }],
    [early, late, { overtook: true, afterMs: 50 }, { overtook: false, afterMs: waited }],
    [early, 'aligned', { overtook: true, afterMs: 50 }, { overtook: false, afterMs: waited }],
  ])('%j to %j holds from the next one on', (before, after, first, second) => {
    expect(configuredUnderWay(before, after, form)).toEqual([
      { alignment: before, ...first },
      { alignment: after, ...second },
    ])
  })
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
