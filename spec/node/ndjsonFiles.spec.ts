import { spawn } from 'node:child_process'
import {
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as t from 'io-ts'
import { from as fromInput, lastValueFrom, type ObservableInput } from 'rxjs'
import { afterAll, afterEach, beforeEach, expect, test } from 'vitest'
import type { SinkTask, SinkWriter } from '../../lib/graph/sink.ts'
import { type NdjsonFilesOptions, type NdjsonTransaction, ndjsonFiles } from '../../lib/node/ndjsonFiles.ts'
import { PendingFiles } from '../../lib/node/pendingFiles.ts'

const root = mkdtempSync(join(tmpdir(), 'spillway-ndjsonFiles-'))
afterAll(() => rmSync(root, { recursive: true }))
let out = ''
let runs = 0
beforeEach(() => {
  out = join(root, `${runs++}`, 'out')
})

const writers: SinkWriter<never, NdjsonTransaction>[] = []
afterEach(() => {
  for (const writer of writers.splice(0)) writer.close()
})

type Writer<T> = SinkWriter<T, NdjsonTransaction>
const Row = t.type({ n: t.number })
const row = (n: number) => ({ n })

const task = (epoch: number, index = 0, parallelism = 1): SinkTask => ({ epoch, subtask: { index, parallelism } })
const done = (input: ObservableInput<unknown>) => lastValueFrom(fromInput(input), { defaultValue: undefined })

const opened = async (
  of: SinkTask,
  {
    publish = [],
    ...options
  }: NdjsonFilesOptions<t.TypeOf<typeof Row>> & { publish?: readonly NdjsonTransaction[] } = {},
): Promise<Writer<t.TypeOf<typeof Row>>> => {
  const writer = ndjsonFiles(out, Row, options).open(of)
  writers.push(writer)
  await done(writer.recover({ publish }))
  return writer
}

const cut = async (writer: Writer<never>, checkpoint: number): Promise<NdjsonTransaction> => {
  const made = writer.cut(checkpoint)
  if (made === undefined) throw new Error('nothing was cut')
  await done(made.durable)
  return made.tx
}

const names = () => readdirSync(out).sort()
const visible = () => names().filter(name => !name.startsWith('.'))
const hidden = () => names().filter(name => name.startsWith('.'))
const published = () => visible().flatMap(lines)
const lines = (name: string): number[] =>
  readFileSync(join(out, name), 'utf8')
    .split('\n')
    .slice(0, -1)
    .map(line => JSON.parse(line).n)

test('a file appears when it is published, under a name that says who made it', async () => {
  const writer = await opened(task(3, 2, 4))
  writer.write([row(1), row(2)])
  const tx = await cut(writer, 12)
  expect(visible()).toEqual([])
  expect(hidden()).toEqual(['.pending-e000003-s0002-000000.ndjson'])
  await done(writer.publish([tx]))
  expect(names()).toEqual(['part-e000003-s0002-c000012.ndjson'])
  expect(readFileSync(join(out, 'part-e000003-s0002-c000012.ndjson'), 'utf8')).toBe('{"n":1}\n{"n":2}\n')
})

test('the default name is the verb and the place', () => {
  expect(ndjsonFiles('out/', Row).name).toBe('ndjsonFiles:out/')
})

test('a cut without records has no transaction', async () => {
  const writer = await opened(task(1))
  expect(writer.cut(1)).toBeUndefined()
  writer.write([])
  expect(writer.cut(2)).toBeUndefined()
  writer.write([row(1)])
  await cut(writer, 3)
  expect(writer.cut(4)).toBeUndefined()
})

test('what is written after a cut belongs to the next transaction', async () => {
  const writer = await opened(task(1))
  writer.write([row(1)])
  const first = writer.cut(1)
  writer.write([row(2)])
  const second = writer.cut(2)
  await done(second!.durable)
  await done(writer.publish([first!.tx]))
  expect(published()).toEqual([1])
  await done(writer.publish([first!.tx, second!.tx]))
  expect(published()).toEqual([1, 2])
  expect(hidden()).toEqual([])
})

test('a transaction survives being stored', async () => {
  const writer = await opened(task(1))
  writer.write([row(1)])
  const tx = await cut(writer, 1)
  const { transaction } = ndjsonFiles(out, Row)
  expect(transaction.decode(JSON.parse(JSON.stringify(transaction.encode(tx))))).toMatchObject({ right: tx })
})

test('neither write nor cut does I/O by itself', async () => {
  const writer = ndjsonFiles(out, Row).open(task(1))
  writer.write(Array.from({ length: 50_000 }, (_, n) => row(n)))
  const made = writer.cut(1)
  expect(existsSync(out)).toBe(false)
  await expect(done(made!.durable)).rejects.toMatchObject({ code: 'WRITE_FAILED' }) // The directory has not been made.
})

test('what waits to be written is bounded: a full sink says so, and when it has room again', async () => {
  const writer = await opened(task(1))
  let n = 0
  const all: number[] = []
  for (let round = 0; round < 3; round++) {
    while (writer.mayWrite()) {
      const batch = Array.from({ length: 500 }, () => row(n++))
      all.push(...batch.map(({ n }) => n))
      writer.write(batch)
    }
    while (!writer.mayWrite()) await new Promise<void>(resolve => writer.ready$.subscribe(() => resolve()))
  }
  const tx = await cut(writer, 1)
  await done(writer.publish([tx]))
  expect(published()).toEqual(all)
})

test('with fileBytesMax no file is longer, but for a single line', async () => {
  const writer = await opened(task(1), { fileBytesMax: 20 })
  writer.write([row(1), row(2), row(3)])
  writer.write([row(4), row(1e20), row(5)])
  await done(writer.publish([await cut(writer, 1)]))
  writer.write([row(6), row(7)])
  await done(writer.publish([await cut(writer, 2)]))
  expect(visible().map(lines)).toEqual([[1, 2], [3, 4], [1e20], [5], [6, 7]])
  expect(visible()[1]).toBe('part-e000001-s0000-c000001-0001.ndjson')
  expect(hidden()).toEqual([])
})

test('with fileBytesMax, what was begun in memory counts too', async () => {
  const writer = await opened(task(1), { fileBytesMax: 100_000 })
  for (let i = 0; i < 3; i++) {
    writer.write(Array.from({ length: 20_000 }, (_, n) => row(n)))
    await done(writer.publish([await cut(writer, i)]))
  }
  for (const name of visible()) expect(statSync(join(out, name)).size).toBeLessThanOrEqual(100_000)
  expect(published()).toHaveLength(60_000)
})

/** What a checkpoint holds: how far the input, the numbers from 0, was read, and what is not yet published. */
interface Checkpoint {
  position: number
  transactions: readonly NdjsonTransaction[]
}

/** A start of a job and three checkpoints, the first two published together; a crash may come wherever it yields. */
async function* life(last: Checkpoint, epoch: number): AsyncGenerator<string> {
  const writer = await opened(task(epoch), { publish: last.transactions })
  yield 'recovered'
  let { position } = last
  let unpublished: readonly NdjsonTransaction[] = []
  for (const id of [1, 2, 3]) {
    writer.write([row(position++), row(position++)])
    yield 'written'
    const made = writer.cut(id)!
    const next = { position, transactions: [...unpublished, made.tx] }
    yield 'cut'
    writer.write([row(position++)])
    yield 'written on'
    await done(made.durable)
    yield 'durable'
    Object.assign(last, next)
    unpublished = next.transactions
    yield 'acknowledged'
    if (id === 1) continue
    for (const { pending, file } of id === 2 ? [] : made.tx.files) linkSync(join(out, pending), join(out, file))
    yield 'half published'
    await done(writer.publish(unpublished))
    unpublished = []
    yield 'published'
  }
}

const stepsOfALife = 1 + 5 + 7 + 7

test.each(Array.from({ length: stepsOfALife }, (_, i) => i + 1))(
  'crashes after step %i of a life, and after any of the next, lose nothing and double nothing',
  async steps => {
    const parent = out
    for (let stepsOfTheNext = 1; stepsOfTheNext <= stepsOfALife; stepsOfTheNext++) {
      out = join(parent, String(stepsOfTheNext))
      const last: Checkpoint = { position: 0, transactions: [] }
      await livedFor(steps, life(last, 1))
      await livedFor(stepsOfTheNext, life(last, 2))
      expect(await livedFor(Number.POSITIVE_INFINITY, life(last, 3))).toBe(stepsOfALife)
      expect(published()).toEqual(Array.from({ length: last.position }, (_, n) => n))
      expect(hidden()).toEqual([])
    }
  },
)

async function livedFor(steps: number, of: AsyncGenerator<string>): Promise<number> {
  let lived = 0
  while (lived < steps && (await of.next()).done !== true) lived++
  return lived
}

test('a process that is killed at any time loses nothing and doubles nothing', async () => {
  const total = 200_000
  mkdirSync(join(out, '..'), { recursive: true })
  const job = join(import.meta.dirname, 'ndjsonFiles.job.ts')
  const run = (killedAfter: number) =>
    new Promise<string>(resolve => {
      const child = spawn(process.execPath, ['--import', 'tsx', job, out, String(total)], {
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      let checkpoints = 0
      child.stdout.on('data', data => {
        checkpoints += String(data).split('\n').length - 1
        if (checkpoints >= killedAfter) child.kill('SIGKILL')
      })
      child.on('exit', (code, signal) => resolve(signal ?? String(code)))
    })
  for (const killedAfter of [1, 3, 8]) expect(await run(killedAfter)).toBe('SIGKILL')
  expect(await run(Number.POSITIVE_INFINITY)).toBe('0')
  expect(published()).toEqual(Array.from({ length: total }, (_, n) => n))
  expect(hidden()).toEqual([])
}, 60_000)

test('publishing twice, also at the same time, is publishing once', async () => {
  const writer = await opened(task(1))
  writer.write([row(1)])
  const tx = await cut(writer, 1)
  writer.write([row(2)])
  const transactions = [tx, await cut(writer, 2)]
  await Promise.all([done(writer.publish(transactions)), done(writer.publish(transactions))])
  await done(writer.publish(transactions))
  expect(published()).toEqual([1, 2])
  expect(hidden()).toEqual([])
})

test('nothing that has the name is overwritten', async () => {
  const writer = await opened(task(1))
  writer.write([row(1)])
  const tx = await cut(writer, 1)
  writeFileSync(join(out, tx.files[0]!.file), 'mine')
  await expect(done(writer.publish([tx]))).rejects.toMatchObject({ code: 'OUTPUT_EXISTS' })
  expect(readFileSync(join(out, tx.files[0]!.file), 'utf8')).toBe('mine')
  expect(hidden()).toHaveLength(1)
})

test('a file that was removed from outside is reported', async () => {
  const writer = await opened(task(1))
  writer.write([row(1)])
  const tx = await cut(writer, 1)
  rmSync(join(out, tx.files[0]!.pending))
  await expect(done(writer.publish([tx]))).rejects.toMatchObject({ code: 'TRANSACTION_LOST' })
})

test('a start at a smaller parallelism leaves nothing behind, and touches nothing of other tasks', async () => {
  for (const index of [0, 1, 2, 3, 4]) {
    const writer = await opened(task(1, index, 5))
    writer.write([row(index)])
    await cut(writer, 1)
  }
  await opened(task(2, 1, 2))
  expect(hidden().map(name => name.slice(9, 22))).toEqual([
    'e000001-s0000',
    'e000001-s0002',
    'e000001-s0004',
    'e000002-s0001',
  ])
  await opened(task(2, 0, 2))
  expect(hidden().map(name => name.slice(9, 22))).toEqual(['e000002-s0000', 'e000002-s0001'])
})

test('two sinks in one directory are noticed before anything is written', async () => {
  await opened(task(1))
  await expect(opened(task(1))).rejects.toMatchObject({ code: 'OUTPUT_EXISTS' })
})

test('two sinks in one directory are noticed, also when neither saw the other in time', async () => {
  mkdirSync(out, { recursive: true })
  const [one, other] = [new PendingFiles(out), new PendingFiles(out)]
  one.begin('a')
  await one.settled()
  other.begin('a')
  await expect(other.settled()).rejects.toMatchObject({ code: 'OUTPUT_EXISTS' })
  one.close()
})

test('a store that was emptied is noticed by the files of the job before', async () => {
  const writer = await opened(task(1))
  writer.write([row(1)])
  await done(writer.publish([await cut(writer, 1)]))
  writer.close()
  await expect(opened(task(1))).rejects.toMatchObject({ code: 'OUTPUT_EXISTS' })
  expect(published()).toEqual([1])
})

test('files that are not ours are left alone', async () => {
  mkdirSync(out, { recursive: true })
  const others = ['.pending', '.pending-mine.ndjson', 'part-mine.ndjson', 'readme.md']
  for (const name of others) writeFileSync(join(out, name), '')
  const writer = await opened(task(1))
  writer.close()
  expect(names()).toEqual(others)
})

test('a closed writer leaves what has been cut, and nothing else', async () => {
  const writer = await opened(task(1))
  writer.write([row(1)])
  const made = writer.cut(1)
  writer.write(Array.from({ length: 20_000 }, (_, n) => row(n)))
  writer.close()
  await done(made!.durable)
  await new Promise(resolve => setTimeout(resolve, 50))
  expect(hidden()).toEqual(['.pending-e000001-s0000-000000.ndjson'])
  await opened(task(2), { publish: [made!.tx] })
  expect(published()).toEqual([1])
})

test('a directory that cannot be made is WRITE_FAILED', async () => {
  mkdirSync(join(out, '..'), { recursive: true })
  writeFileSync(out, 'a file')
  await expect(opened(task(1))).rejects.toMatchObject({ code: 'WRITE_FAILED', place: out })
})

test('a failed write fails the task and the cut, naming the file, and nothing is written after it', async () => {
  const writer = await opened(task(1))
  writer.write([row(1)])
  await cut(writer, 1)
  rmSync(out, { recursive: true })
  writer.write([row(2)])
  const failure = { code: 'WRITE_FAILED', place: join(out, '.pending-e000001-s0000-000001.ndjson') }
  await expect(done(writer.cut(2)!.durable)).rejects.toMatchObject(failure)
  await expect(done(writer.ready$)).rejects.toMatchObject(failure)
  expect(() => writer.write([row(3)])).toThrow(expect.objectContaining(failure))
  expect(() => writer.cut(3)).toThrow(expect.objectContaining(failure))
})

test.each<[string, t.Type<any, any>, unknown, string]>([
  ['NaN', Row, { n: Number.NaN }, 'n: expected number, found null'],
  ['an undefined record', t.unknown, undefined, 'it is undefined'],
  ['a bigint', t.unknown, 1n, 'BigInt'],
  [
    'a codec that throws',
    new t.Type('Bad', t.number.is, t.number.validate, () => {
      throw new Error('bad')
    }),
    1,
    'bad',
  ],
])('a record that JSON cannot hold is an error, not null: %s', async (_, codec, record, problem) => {
  const writer = ndjsonFiles(out, codec).open(task(1))
  expect(() => writer.write([record])).toThrow(
    expect.objectContaining({ code: 'NOT_ENCODABLE', message: expect.stringContaining(problem) }),
  )
})

test('a null that the codec means is written, and codecs encode', async () => {
  const Since = new t.Type<Date, string>(
    'Since',
    (u): u is Date => u instanceof Date,
    (u, c) => (t.string.is(u) ? t.success(new Date(u)) : t.failure(u, c)),
    date => date.toISOString(),
  )
  const writer = ndjsonFiles(out, t.type({ at: Since, note: t.union([t.string, t.null]) })).open(task(1))
  await done(writer.recover({ publish: [] }))
  writer.write([{ at: new Date(0), note: null }])
  await done(writer.publish([await cut(writer, 1)]))
  expect(readFileSync(join(out, visible()[0]!), 'utf8')).toBe('{"at":"1970-01-01T00:00:00.000Z","note":null}\n')
})
