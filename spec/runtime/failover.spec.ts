import * as t from 'io-ts'
import { defer, filter, firstValueFrom, throwError } from 'rxjs'
import {
  fixedDelay,
  type Job,
  memoryStore,
  none,
  operator,
  type Pipeline,
  type RunOptions,
  regional,
  type Sink,
  SpillwayError,
  stream,
} from 'spillway'
import { fromArray, into, keyBy, map, rescale, scan } from 'spillway/operators'
import type { Environment, Happening } from 'spillway/testing'
import { expect, test } from 'vitest'
import { runIn } from '../run.ts'
import { slowCollect, stepped } from './restored.ts'

const numbers = Array.from({ length: 2_000 }, (_, n) => n)

/** Fails at these records, once at each. */
const failingAt = (...records: readonly number[]) => {
  const left = new Set(records)
  return (n: number): number => {
    if (left.delete(n)) throw new Error(`not ${n}`)
    return n
  }
}

/** Four regions, each with a fourth of the numbers: source, map, sink. The state says how many records its task has had. */
const regions = (sink: Sink<readonly [number, number]>, ...failsAt: readonly number[]): Pipeline => {
  const passed = failingAt(...failsAt)
  return stream(fromArray(numbers, { splits: 4 })).pipe(
    rescale(),
    map(passed),
    operator<number, readonly [number, number]>('counted', ({ state }) => {
      const seen = state.value('seen', t.number, 0)
      return { record: n => [[n, seen.update(count => count + 1)] as const] }
    }),
    rescale(),
    into(sink),
  )
}
const counted = numbers.map(n => [n, 1 + (n % 500)])

const options = {
  parallelism: 4,
  checks: true,
  channels: { bufferRecordsMax: 4, buffersMax: 2 },
  checkpoints: { everyMs: 10, policy: regional({ failedRatioMax: 0.5, consecutiveFailuresMax: 100 }) },
  restart: fixedDelay({ delayMs: 15, attemptsMax: 5 }),
} satisfies RunOptions

/** Sees all that happens. */
const observed = (see: (happening: Happening) => void): Environment => ({ ...stepped(() => {}), observe: see })
type Sum = readonly [key: number, sum: number]
const byRecord = <T extends readonly [number, number]>(records: readonly T[]) => [...records].sort(([a], [b]) => a - b)
const indexOf = (task: string) => Number(task.split('/').at(-1))

test.each(['aligned', 'unaligned'] as const)(
  '%s: a task that fails is restarted with those joined to it; the other regions go on, and their counters never go back',
  async alignment => {
    const records: (readonly [number, number])[] = []
    const built = new Map<string, number>()
    let [down, turnsMeanwhile, stops] = [false, 0, 0]
    const read = new Map<string, number>()
    let job: Job | undefined
    const see = (happening: Happening): void => {
      if (happening.kind === 'built') built.set(happening.task, (built.get(happening.task) ?? 0) + 1)
      if (happening.kind === 'stop') {
        stops++
        down = true
        expect(happening.tasks.map(indexOf)).toEqual([2, 2, 2])
      }
      if (happening.kind === 'restarted') down = false
      if (happening.kind !== 'turn') return
      if (down) {
        expect(indexOf(happening.task)).not.toBe(2)
        turnsMeanwhile++
      }
      for (const { task, recordsRead: count } of job?.sources() ?? []) {
        if (indexOf(task) !== 2) expect(count).toBeGreaterThanOrEqual(read.get(task) ?? 0)
        read.set(task, count)
      }
    }
    const statuses: string[] = []
    job = runIn(observed(see), regions(slowCollect(records, { macrotasks: 2 }), 1_100, 1_400), {
      ...options,
      checkpoints: { ...options.checkpoints, alignment },
    })
    job.status$.subscribe(({ kind }) => statuses.push(kind))
    await job.done
    expect(byRecord(records)).toEqual(counted)
    expect(statuses.filter(kind => kind !== 'starting')).toEqual(['running', 'done'])
    expect(stops).toBe(2)
    expect(turnsMeanwhile).toBeGreaterThan(0)
    for (const [task, times] of built) expect([task, times]).toEqual([task, indexOf(task) === 2 ? 3 : 1])
  },
)

test('a job of one region is restarted as a whole, without being started again', async () => {
  const records: (readonly [number, number])[] = []
  const passed = failingAt(300, 900, 901)
  const pipeline = stream(fromArray(numbers, { splits: 2 })).pipe(
    map(passed),
    keyBy(n => n % 7),
    scan(([, sum], n: number): Sum => [n % 7, sum + n], [0, 0] as Sum),
    into(slowCollect(records, { macrotasks: 1 })),
  )
  await runIn(
    stepped(() => {}),
    pipeline,
    { ...options, checkpoints: { everyMs: 5 } },
  ).done
  expect(records).toHaveLength(numbers.length)
  const sums = new Map<number, number>()
  for (const [key, sum] of records) sums.set(key, Math.max(sum, sums.get(key) ?? 0))
  const sumOf = (key: number) => numbers.filter(n => n % 7 === key).reduce((sum, n) => sum + n, 0)
  expect([...sums].sort(([a], [b]) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6].map(key => [key, sumOf(key)]))
})

test('what restarted tasks begin with in their channels is part of the bound', async () => {
  const records: (readonly [number, number])[] = []
  let restored = 0
  const environment = observed(happening => {
    if (happening.kind === 'restarted') restored = Math.max(restored, job.buffers.restored)
  })
  const pipeline = regions(slowCollect(records, { macrotasks: 3 }), 1_200, 1_210, 1_220)
  const job = runIn(environment, pipeline, {
    ...options,
    checkpoints: { ...options.checkpoints, everyMs: 3, alignment: 'unaligned' },
  })
  const before = job.buffers.buffersMax
  await job.done
  expect(byRecord(records)).toEqual(counted)
  expect(restored).toBeGreaterThan(0)
  expect(job.buffers.buffersMax).toBeGreaterThanOrEqual(before + 2)
})

test('a store that cannot be read for the restart is a failure of the same tasks, and tried again', async () => {
  const inner = memoryStore()
  let refusals = 2
  const error = () => new SpillwayError('STORE_FAILED', { place: 'test', problem: 'unread.', remedy: 'Wait.' })
  const store = {
    ...inner,
    entry: (n: number) => defer(() => (job !== undefined && refusals-- > 0 ? throwError(error) : inner.entry(n))),
  }
  const records: (readonly [number, number])[] = []
  let job: Job | undefined
  let stops = 0
  const environment = observed(({ kind }) => {
    if (kind === 'stop') stops++
  })
  const pipeline = regions(slowCollect(records, { macrotasks: 2 }), 1_450)
  job = runIn(environment, pipeline, { ...options, store })
  await firstValueFrom(job.status$.pipe(filter(({ kind }) => kind === 'running')))
  await job.triggerCheckpoint()
  await job.done
  expect(byRecord(records)).toEqual(counted)
  expect(stops).toBe(3)
})

test.each([
  ['without a policy the job fails with what its first task failed with', none(), { code: 'USER_FUNCTION_FAILED' }],
  [
    'a policy that gives up fails the job, with the last failure as the cause',
    fixedDelay({ delayMs: 1, attemptsMax: 2 }),
    { code: 'RESTARTS_EXHAUSTED', cause: { code: 'USER_FUNCTION_FAILED' } },
  ],
] as const)('%s; started again, it goes on', async (_, restart, error) => {
  const store = memoryStore()
  const records: (readonly [number, number])[] = []
  const sink = slowCollect(records, { macrotasks: 1 })
  const always = regions(sink, 1_400, 1_401, 1_402, 1_403, 1_404, 1_405)
  await expect(
    runIn(
      stepped(() => {}),
      always,
      { ...options, restart, store },
    ).done,
  ).rejects.toMatchObject(error)
  await runIn(
    stepped(() => {}),
    regions(sink),
    { ...options, store },
  ).done
  expect(byRecord(records)).toEqual(counted)
})
