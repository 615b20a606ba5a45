import * as t from 'io-ts'
import * as rx from 'rxjs'
import {
  type KeyedEntry,
  memoryStore,
  named,
  type Pipeline,
  type RunOptions,
  readCheckpoint,
  type Store,
  stream,
  versioned,
  writeCheckpoint,
} from 'spillway'
import { collect, fromArray, into, keyBy, scan } from 'spillway/operators'
import { describe, expect, test } from 'vitest'
import { run } from '../run.ts'
import { slowCollect } from './restored.ts'

const numbers = Array.from({ length: 3_000 }, (_, n) => n)

const pipeline = (records: number[], codec: t.Type<number, any> = t.number): Pipeline =>
  stream(fromArray(numbers, { splits: 2 })).pipe(
    keyBy(n => n % 7),
    named(
      'counts',
      scan((count: number) => count + 1, 0, codec),
    ),
    named('out', into(slowCollect(records, { macrotasks: 1 }))),
  )

const options = { checks: true, channels: { bufferRecordsMax: 4, buffersMax: 4 } } satisfies RunOptions

/** So many checkpoints of a job that has read some records; `ids` names them. */
const taken = async (store: Store, count: number, more: RunOptions): Promise<readonly number[]> => {
  const job = run(pipeline([]), { ...options, store, parallelism: 2, ...more })
  const read = () => job.sources().reduce((sum, { recordsRead }) => sum + recordsRead, 0)
  await rx.firstValueFrom(rx.timer(0, 1).pipe(rx.filter(() => read() >= 100)))
  const ids: number[] = []
  for (let i = 0; i < count; i++) ids.push((await job.triggerCheckpoint()).id)
  await job.cancel()
  return ids
}

const all = <A>(of$: rx.Observable<A>) => rx.firstValueFrom(of$.pipe(rx.toArray()))

describe('all that a checkpoint holds can be read: what sources have read is counted by key, or in flight', () => {
  const cases: readonly [claim: string, more: RunOptions][] = [
    ['aligned', {}],
    ['unaligned', { checkpoints: { alignment: 'unaligned' } }],
    ['in objects', { checkpoints: { alignment: 'unaligned', inlineBytesMax: 0 } }],
  ]
  test.each(cases)('%s', async (claim, more) => {
    const store = memoryStore()
    const [id] = await taken(store, 1, more)
    const data = await readCheckpoint(store)
    expect(data).toMatchObject({ checkpoint: id, isSavepoint: false, keyGroups: 128 })
    expect(data.tasks.map(({ task }) => task)).toEqual(['0:fromArray/0', '0:fromArray/1', '1:counts/0', '1:counts/1'])
    const counts = await all(data.keyed('counts', 'accumulator', t.number))
    const positions = await all(data.values('fromArray', 'position', t.array(t.tuple([t.string, t.any]))))
    const read = positions.flatMap(({ value }) => value.map(([, { position }]) => position as number))
    const inFlight = await all(data.records$)
    const sum = (of: readonly number[]) => of.reduce((a, b) => a + b, 0)
    expect(sum(read)).toBeGreaterThan(0)
    expect(sum(counts.map(({ value }) => value)) + inFlight.length).toBe(sum(read))
    expect(inFlight.length > 0).toBe(claim !== 'aligned')
    expect(sum(data.inFlight.map(({ records }) => records))).toBe(inFlight.length)
    expect(sum(data.tasks.map(({ inFlightRecords }) => inFlightRecords))).toBe(inFlight.length)
    expect(data.operators.find(({ operator }) => operator === 'counts')).toMatchObject({
      stage: '1:counts',
      keyed: new Map([['accumulator', counts.length]]),
    })
    for (const { stateBytes } of data.tasks) expect(stateBytes).toBeGreaterThan(0)
  })
})

test('one that is kept can be read by its id, and one that is not is refused', async () => {
  const store = memoryStore()
  const ids = await taken(store, 3, { checkpoints: { retainedCount: 2 } })
  expect((await readCheckpoint(store, { checkpoint: ids[1] as number })).checkpoint).toBe(ids[1])
  await expect(readCheckpoint(store, { checkpoint: ids[0] as number })).rejects.toMatchObject({
    code: 'CHECKPOINT_NOT_FOUND',
    message: expect.stringContaining(`It has ${ids[1]}, ${ids[2]}.`),
  })
  await expect(readCheckpoint(memoryStore())).rejects.toMatchObject({ code: 'CHECKPOINT_NOT_FOUND' })
  const data = await readCheckpoint(store)
  await expect(all(data.keyed('counts', 'other'))).rejects.toMatchObject({
    code: 'INVALID_OPTION',
    message: expect.stringContaining('It has counts/accumulator.'),
  })
  await expect(all(data.keyed('counts', 'accumulator', t.string))).rejects.toMatchObject({ code: 'STATE_NOT_MATCHED' })
})

const inVersion2 = versioned({
  version: 2,
  codec: t.number,
  migrations: { 1: { codec: t.string, migrate: (text: string) => Number(text) } },
})
const begun = Array.from({ length: 7 }, (_, key) => [key, (key + 1) * 1_000] as const)
const byKey = (entries: readonly KeyedEntry<number>[]) =>
  entries.map(({ key, value }) => [key, value]).sort(([a], [b]) => Number(a) - Number(b))

describe('a job begins with state that no job has written', () => {
  const cases = [1, 2, 3].flatMap(written => [1, 2, 3].map(parallelism => ({ written, parallelism })))
  test.each(cases)('written for $written tasks, run as $parallelism', async ({ written, parallelism }) => {
    const records: number[] = []
    const store = memoryStore()
    const positions = { '0/2': 1_500, '1/2': 1_450 }
    await writeCheckpoint(store, pipeline(records, inVersion2), {
      parallelism: written,
      states: [
        { operator: 'counts', state: 'accumulator', codec: inVersion2, entries: begun },
        { source: 'fromArray', positions },
      ],
    })
    const data = await readCheckpoint(store)
    expect(byKey(await all(data.keyed('counts', 'accumulator', inVersion2)))).toEqual(begun)
    await run(pipeline(records, inVersion2), { ...options, store, parallelism }).done
    const rest = numbers.slice(2_950)
    const expected = rest.map(
      (n, i) => (n % 7) * 1_000 + 1_000 + rest.slice(0, i + 1).filter(of => of % 7 === n % 7).length,
    )
    expect(records.toSorted((a, b) => a - b)).toEqual(expected.toSorted((a, b) => a - b))
  })
})

test('it is a savepoint too, for pipelines of any shape that have the operator', async () => {
  const [store, sink] = [memoryStore(), collect<number>()]
  const states = [{ operator: 'counts', state: 'accumulator', codec: t.number, entries: begun }]
  await writeCheckpoint(store, pipeline([]), { states })
  const other = stream(fromArray([3, 3], { name: 'other' })).pipe(
    keyBy(n => n),
    keyBy(n => n),
    named(
      'counts',
      scan((count: number) => count + 1, 0, t.number),
    ),
    into(sink),
  )
  await run(other, { restore: { savepoint: store } }).done
  expect(sink.records).toEqual([4_001, 4_002])
})

test('what cannot be written is refused', async () => {
  const states = [{ operator: 'counts', state: 'accumulator', codec: t.number, entries: begun }]
  const write = (store: Store, of: Parameters<typeof writeCheckpoint>[2]) => writeCheckpoint(store, pipeline([]), of)
  const store = memoryStore()
  await write(store, { states })
  await expect(write(store, { states })).rejects.toMatchObject({ code: 'NOT_EMPTY' })
  await expect(
    write(memoryStore(), { states: [{ ...(states[0] as (typeof states)[0]), operator: 'sums' }] }),
  ).rejects.toMatchObject({
    code: 'INVALID_OPTION',
    message: expect.stringContaining('They have fromArray, keyBy, counts.'),
  })
  await expect(
    write(memoryStore(), { states: [{ source: 'fromArray', positions: { '2/2': 1 } }] }),
  ).rejects.toMatchObject({ code: 'INVALID_OPTION', message: expect.stringContaining('It has 0/2, 1/2.') })
})
