import { deserialize, serialize } from 'node:v8'
import * as t from 'io-ts'
import { filter, firstValueFrom } from 'rxjs'
import { type Encoding, memoryStore, readCheckpoint, type Store, stream, writeCheckpoint } from 'spillway'
import { collect, fromArray, into, keyBy, scan } from 'spillway/operators'
import { expect, test } from 'vitest'
import { run } from '../run.ts'

/** An instance, as its methods stand in its class. */
class V8Encoding implements Encoding {
  readonly name = 'v8'
  calls = 0

  encode(value: unknown): Uint8Array {
    this.calls++
    return new Uint8Array(serialize(value))
  }

  decode(bytes: Uint8Array): unknown {
    return deserialize(bytes)
  }
}

const counted = () => {
  const sink = collect<number>()
  const pipeline = stream(fromArray(Array.from({ length: 100_000 }, (_, n) => n))).pipe(
    keyBy(n => `key-${n % 1_000}`),
    scan(total => total + 1, 0, t.number),
    into(sink),
  )
  return { sink, pipeline }
}

const untilCheckpoint = async ({ pipeline }: ReturnType<typeof counted>, store: Store, encoding?: Encoding) => {
  const checkpoints = { alignment: 'unaligned' as const, ...(encoding && { encoding }) }
  const job = run(pipeline, { store, checkpoints, channels: { bufferRecordsMax: 8 } })
  await firstValueFrom(job.status$.pipe(filter(({ kind }) => kind === 'running')))
  while (!job.sources().some(({ recordsRead }) => recordsRead > 2_000)) {
    await new Promise(resolve => setImmediate(resolve))
  }
  expect((await job.triggerCheckpoint()).outcome).toBe('completed')
  await job.cancel()
}

test('a job writes and reads all of its checkpoints by the encoding that it is given', async () => {
  const [store, encoding, job] = [memoryStore(), new V8Encoding(), counted()]
  await untilCheckpoint(job, store, encoding)
  expect(encoding.calls).toBeGreaterThan(0)
  const { operators } = await readCheckpoint(store, { encoding })
  expect(operators.length).toBeGreaterThan(0)
  await run(job.pipeline, { store, checkpoints: { encoding } }).done
  expect(job.sink.records).toHaveLength(100_000)
  expect(Math.max(...job.sink.records)).toBe(100)
})

test('a job with another encoding is told both names, before anything is written', async () => {
  const store = memoryStore()
  await untilCheckpoint(counted(), store, new V8Encoding())
  const before = await firstValueFrom(store.entries())
  const failure = run(counted().pipeline, { store }).done
  await expect(failure).rejects.toMatchObject({ code: 'FORMAT_UNKNOWN' })
  await expect(failure).rejects.toThrow(/"v8".*"msgpack"/)
  expect(await firstValueFrom(store.entries())).toEqual(before)
})

test('a checkpoint is written by the encoding of the job that begins with it', async () => {
  const [store, encoding, job] = [memoryStore(), new V8Encoding(), counted()]
  const entries = [['key-7', 1_000]] as const
  const states = [{ operator: 'scan', state: 'accumulator', codec: t.number, entries }]
  await writeCheckpoint(store, job.pipeline, { states, encoding })
  await run(job.pipeline, { store, checkpoints: { encoding } }).done
  expect(Math.max(...job.sink.records)).toBe(1_100)
})

test('a record that the encoding changes is found before a checkpoint needs it', async () => {
  const withoutDates: Encoding = new V8Encoding()
  const encode = withoutDates.encode.bind(withoutDates)
  withoutDates.encode = value => encode(datesAsText(value))
  const dates = Array.from({ length: 10 }, (_, n) => new Date(n))
  const pipeline = stream(fromArray(dates)).pipe(
    keyBy(date => date.getTime()),
    into(collect<Date>()),
  )
  const failure = run(pipeline, { checkpoints: { encoding: withoutDates } }).done
  await expect(failure).rejects.toMatchObject({ code: 'NOT_ENCODABLE' })
  await expect(failure).rejects.toThrow(/which would come back as "1970/)
})

const datesAsText = (value: unknown): unknown => {
  if (value instanceof Date) return value.toISOString()
  if (Array.isArray(value)) return value.map(datesAsText)
  if (typeof value !== 'object' || value === null || Object.getPrototypeOf(value) !== Object.prototype) return value
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, datesAsText(member)]))
}
