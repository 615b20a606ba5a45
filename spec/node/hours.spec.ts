import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as t from 'io-ts'
import { from as fromInput, lastValueFrom, type ObservableInput } from 'rxjs'
import { afterAll, afterEach, beforeEach, expect, test } from 'vitest'
import type { SinkTask, SinkWriter } from '../../lib/graph/sink.ts'
import { hourAt, passedAt, passedByAll } from '../../lib/node/hours.ts'
import { type NdjsonTransaction, ndjsonFiles } from '../../lib/node/ndjsonFiles.ts'

const root = mkdtempSync(join(tmpdir(), 'spillway-hours-'))
afterAll(() => rmSync(root, { recursive: true }), 60_000)
let out = ''
let runs = 0
beforeEach(() => {
  out = join(root, `${runs++}`)
})

/** A record is its time, in minutes of the first of May. */
type Minute = number
type Writer = SinkWriter<Minute, NdjsonTransaction>
const timeOf = (minute: Minute) => Date.UTC(2026, 4, 1) + minute * 60_000
const done = (input: ObservableInput<unknown>) => lastValueFrom(fromInput(input), { defaultValue: undefined })

const writers: Writer[] = []
afterEach(() => {
  for (const writer of writers.splice(0)) writer.close()
})

const task = (epoch: number, index = 0, parallelism = 1): SinkTask => ({ epoch, subtask: { index, parallelism } })

const opened = async (of: SinkTask, publish: readonly NdjsonTransaction[] = []): Promise<Writer> => {
  const writer = ndjsonFiles(out, t.number, { hourOf: timeOf }).open(of)
  writers.push(writer)
  await done(writer.recover({ publish }))
  return writer
}

/** Writes, is told of a watermark, and cuts; without a watermark it has been told of none. */
const cut = async (
  writer: Writer,
  checkpoint: number,
  { write = [], watermark }: { readonly write?: readonly Minute[]; readonly watermark?: Minute },
): Promise<readonly NdjsonTransaction[]> => {
  writer.write(write)
  if (watermark !== undefined) writer.watermark?.(timeOf(watermark))
  const made = writer.cut(checkpoint)
  if (made === undefined) return []
  await done(made.durable)
  return [made.tx]
}

/** What readers see: the records of each hour, and whether it is said to be whole. */
const seen = () =>
  Object.fromEntries(
    readdirSync(out)
      .filter(name => !name.startsWith('.'))
      .map(directory => {
        const files = readdirSync(join(out, directory))
        const records = files
          .filter(name => name.endsWith('.ndjson'))
          .flatMap(name =>
            readFileSync(join(out, directory, name), 'utf8')
              .split('\n')
              .slice(0, -1),
          )
        const sorted = records.map(Number).sort((a, b) => a - b)
        const hour = directory.slice('hour=2026-05-'.length)
        return [hour, files.includes('_SUCCESS') ? [...sorted, 'whole'] : sorted]
      }),
  )

test('records appear in the directories of their hours, and an hour is whole once all tasks have published that it has passed', async () => {
  const [a, b] = [await opened(task(1, 0, 2)), await opened(task(1, 1, 2))]
  const first = [
    await cut(a, 1, { write: [10, 70, 20], watermark: 60 }),
    await cut(b, 1, { write: [30, 65], watermark: 59 }),
  ] as const
  expect(seen()).toEqual({})
  await done(a.publish(first[0]))
  await done(b.publish(first[1]))
  expect(seen()).toEqual({ '01T00Z': [10, 20, 30], '01T01Z': [65, 70] })
  const second = await cut(b, 2, { write: [59], watermark: 130 })
  await done(b.publish(second))
  expect(seen()).toEqual({ '01T00Z': [10, 20, 30, 59, 'whole'], '01T01Z': [65, 70] })
  await done(a.publish(await cut(a, 3, { watermark: 120 })))
  expect(seen()).toEqual({ '01T00Z': [10, 20, 30, 59, 'whole'], '01T01Z': [65, 70, 'whole'] })
})

test('an hour is not whole as long as the cut that has passed it is not published', async () => {
  const writer = await opened(task(1))
  const first = await cut(writer, 1, { write: [10] })
  const second = await cut(writer, 2, { write: [20], watermark: 60 })
  await done(writer.publish(first))
  expect(seen()).toEqual({ '01T00Z': [10] })
  await done(writer.publish(second))
  expect(seen()).toEqual({ '01T00Z': [10, 20, 'whole'] })
})

test('at the end all hours are whole, whichever task is last and has anything to say', async () => {
  for (const last of [0, 1]) {
    out = join(root, `${runs++}`)
    const tasks = [await opened(task(1, 0, 2)), await opened(task(1, 1, 2))] as const
    const ends = [
      await cut(tasks[0], 1, { write: [10, 500], watermark: Number.POSITIVE_INFINITY }),
      await cut(tasks[1], 1, { watermark: Number.POSITIVE_INFINITY }),
    ] as const
    const other = 1 - last
    await done((tasks[other] as Writer).publish(ends[other] as readonly NdjsonTransaction[]))
    expect(Object.values(seen()).flat()).not.toContain('whole')
    await done((tasks[last] as Writer).publish(ends[last] as readonly NdjsonTransaction[]))
    expect(seen()).toEqual({ '01T00Z': [10, 'whole'], '01T08Z': [500, 'whole'] })
  }
})

test('a late record appears in a further file of its hour, also in one that no record on time has made', async () => {
  const writer = await opened(task(1))
  await done(writer.publish(await cut(writer, 1, { write: [70], watermark: 120 })))
  expect(seen()).toEqual({ '01T01Z': [70, 'whole'] })
  await done(writer.publish(await cut(writer, 2, { write: [10, 80] })))
  expect(seen()).toEqual({ '01T00Z': [10, 'whole'], '01T01Z': [70, 80, 'whole'] })
})

test('without a watermark no hour is whole before the end', async () => {
  const writer = await opened(task(1))
  await done(writer.publish(await cut(writer, 1, { write: [10, 6_000] })))
  expect(Object.values(seen()).flat()).not.toContain('whole')
})

test('a cut that nothing has been written for, and no further hour passed, has no transaction', async () => {
  const writer = await opened(task(1))
  expect(await cut(writer, 1, { watermark: 59 })).toHaveLength(1)
  expect(await cut(writer, 2, { watermark: 59.5 })).toEqual([])
  expect(await cut(writer, 3, { watermark: 60 })).toEqual([
    { files: [], passed: { hour: '2026-05-01T01Z', parallelism: 1 } },
  ])
})

test('of more hours than may be open at the same time each record is there once', async () => {
  const writer = await opened(task(1))
  const records = Array.from({ length: 200 }, (_, n) => (n * 7 * 60 + n) % (40 * 60))
  await done(writer.publish(await cut(writer, 1, { write: records, watermark: Number.POSITIVE_INFINITY })))
  const hours = Object.values(seen())
  expect(hours).toHaveLength(40)
  for (const hour of hours) expect(hour.at(-1)).toBe('whole')
  expect(
    hours
      .flat()
      .filter(of => of !== 'whole')
      .sort((a, b) => Number(a) - Number(b)),
  ).toEqual(records.toSorted((a, b) => a - b))
  expect(readdirSync(out).filter(name => name.startsWith('.pending'))).toHaveLength(0)
})

/** What a checkpoint holds of two tasks: how far each has read its records, and what is not yet published. */
interface Checkpoint {
  readonly read: readonly [number, number]
  readonly unpublished: readonly [readonly NdjsonTransaction[], readonly NdjsonTransaction[]]
}

/** Minutes in order, dealt in turns; each watermark is the last record's minute. */
const input = [0, 1].map(of => Array.from({ length: 8 }, (_, n) => 12 + 25 * n + of))

/** A start of a job of two tasks that goes to its end; a crash may come wherever it yields. */
async function* life(last: { at: Checkpoint }, epoch: number): AsyncGenerator<void> {
  const tasks: Writer[] = []
  for (const i of [0, 1]) {
    tasks.push(await opened(task(epoch, i, 2), last.at.unpublished[i]))
    yield
  }
  let [read, unpublished] = [last.at.read, [[], []] as Checkpoint['unpublished']]
  const ends = () => read.every(of => of === 8)
  for (let id = epoch * 100, ended = false; !ended; id++) {
    ended = ends()
    const next: [number, number] = ended ? [8, 8] : [Math.min(8, read[0] + 4), Math.min(8, read[1] + 3)]
    const cuts = [0, 1].map(i => {
      const minutes = input[i] as readonly number[]
      const watermark = ended ? Number.POSITIVE_INFINITY : (minutes[(next[i] as number) - 1] as number)
      return cut(tasks[i] as Writer, id, { write: minutes.slice(read[i], next[i]), watermark })
    })
    const [first, second] = await Promise.all(cuts)
    unpublished = [
      [...unpublished[0], ...(first ?? [])],
      [...unpublished[1], ...(second ?? [])],
    ]
    yield
    read = next
    last.at = { read, unpublished }
    yield
    for (const i of [0, 1]) {
      await done((tasks[i] as Writer).publish(unpublished[i] as readonly NdjsonTransaction[]))
      yield
    }
    unpublished = [[], []]
  }
}

const minutes = input.flat().sort((a, b) => a - b)
const whole = Object.fromEntries(
  [0, 1, 2, 3].map(hour => [`01T0${hour}Z`, [...minutes.filter(of => Math.floor(of / 60) === hour), 'whole']]),
)

const livedFor = async (steps: number, of: AsyncGenerator<void>): Promise<number> => {
  let lived = 0
  while (lived < steps && (await of.next()).done !== true) lived++
  return lived
}

/** A whole life's. */
const stepsOfALife = 2 + 4 * 4

test.each(Array.from({ length: stepsOfALife }, (_, n) => n + 1))(
  'a crash after step %i of a life, and one in the next, double nothing, and what is said to be whole is',
  async steps => {
    const last: { at: Checkpoint } = { at: { read: [0, 0], unpublished: [[], []] } }
    await livedFor(steps, life(last, 1))
    await livedFor(1 + ((steps * 5) % 11), life(last, 2))
    for (const [hour, records] of Object.entries(seen())) {
      if (records.includes('whole')) expect({ [hour]: records }).toEqual({ [hour]: whole[hour] })
    }
    await livedFor(Number.POSITIVE_INFINITY, life(last, 3))
    expect(seen()).toEqual(whole)
  },
)

test('the crashes come after all steps of a life', async () => {
  const last: { at: Checkpoint } = { at: { read: [0, 0], unpublished: [[], []] } }
  expect(await livedFor(Number.POSITIVE_INFINITY, life(last, 1))).toBe(stepsOfALife)
})

test('after a crash between the last mark and _SUCCESS the next checkpoint says that the hour is whole', async () => {
  const writer = await opened(task(1))
  await done(writer.publish(await cut(writer, 1, { write: [10, 70], watermark: 70 })))
  rmSync(join(out, 'hour=2026-05-01T00Z', '_SUCCESS'))
  const again = await opened(task(2))
  expect(seen()).toEqual({ '01T00Z': [10], '01T01Z': [70] })
  await done(again.publish(await cut(again, 2, { watermark: 71 })))
  expect(seen()).toEqual({ '01T00Z': [10, 'whole'], '01T01Z': [70] })
})

test('a task that has ended, and is restored so, has passed all', async () => {
  const [a, b] = [await opened(task(1, 0, 2)), await opened(task(1, 1, 2))]
  const ended = await cut(a, 1, { write: [10], watermark: Number.POSITIVE_INFINITY })
  await done(a.publish(ended))
  await done(b.publish(await cut(b, 1, { write: [20] })))
  await opened(task(2, 0, 2), ended)
  const again = await opened(task(2, 1, 2))
  await done(again.publish(await cut(again, 2, { write: [30], watermark: 60 })))
  expect(seen()).toEqual({ '01T00Z': [10, 20, 30, 'whole'] })
})

test.each([
  [2, 1],
  [1, 2],
  [2, 3],
  [3, 2],
])('from %i tasks to %i, what the old ones have passed is not what the new ones have', async (before, after) => {
  const indexes = (count: number) => Array.from({ length: count }, (_, index) => index)
  const cuts: (readonly NdjsonTransaction[])[] = []
  for (const index of indexes(before)) {
    const writer = await opened(task(1, index, before))
    // The last one has not got to the end of the hour.
    cuts.push(await cut(writer, 1, { write: [index], watermark: index === before - 1 ? 30 : 90 }))
    if (index > 0) await done(writer.publish(cuts[index] ?? []))
  }
  const next: Writer[] = []
  for (const index of indexes(after)) {
    const publish = cuts.flatMap((of, former) => (former % after === index ? of : []))
    next.push(await opened(task(2, index, after), publish))
  }
  expect(seen()).toEqual({ '01T00Z': indexes(before) })
  for (const [index, writer] of next.entries()) {
    expect(seen()['01T00Z']).not.toContain('whole')
    await done(writer.publish(await cut(writer, 2, { write: [40 + index], watermark: 61 })))
  }
  expect(seen()).toEqual({ '01T00Z': [...indexes(before), ...indexes(after).map(index => 40 + index), 'whole'] })
})

test('what the tasks of an earlier start had passed, those of a later one have to pass again', async () => {
  for (const index of [0, 1]) {
    const writer = await opened(task(1, index, 2))
    await done(writer.publish(await cut(writer, 1, { write: [index], watermark: Number.POSITIVE_INFINITY })))
  }
  expect(seen()).toEqual({ '01T00Z': [0, 1, 'whole'] })
  const [a, b] = [await opened(task(2, 0, 2)), await opened(task(2, 1, 2))]
  await done(a.publish(await cut(a, 2, { write: [310], watermark: 400 })))
  expect(seen()).toMatchObject({ '01T05Z': [310] })
  await done(b.publish(await cut(b, 2, { write: [320], watermark: 400 })))
  expect(seen()).toMatchObject({ '01T05Z': [310, 320, 'whole'] })
})

test('a store that was emptied is noticed by the marks of the job before', async () => {
  const writer = await opened(task(1))
  await done(writer.publish(await cut(writer, 1, { write: [1], watermark: 60 })))
  await expect(opened(task(1))).rejects.toMatchObject({ code: 'OUTPUT_EXISTS' })
})

test('what cannot be said to be whole now is tried again', async () => {
  const writer = await opened(task(1))
  const transactions = await cut(writer, 1, { write: [1], watermark: 60 })
  writeFileSync(join(out, 'hour=2026-05-01T00Z'), 'a file that is in the way')
  await expect(done(writer.publish(transactions))).rejects.toMatchObject({ code: 'PUBLISH_FAILED' })
  rmSync(join(out, 'hour=2026-05-01T00Z'))
  await done(writer.publish(transactions))
  expect(seen()).toEqual({ '01T00Z': [1, 'whole'] })
})

test.each([Number.NaN, Number.POSITIVE_INFINITY, undefined, 1e15])('%s is no time of a record', async time => {
  const writer = ndjsonFiles(out, t.number, { hourOf: () => time as number }).open(task(1))
  expect(() => writer.write([7])).toThrow(
    expect.objectContaining({ code: 'USER_FUNCTION_FAILED', message: expect.stringContaining('on record 7') }),
  )
})

test.each<[number, string | undefined, string | undefined]>([
  [Date.UTC(2026, 4, 1, 14, 59, 59, 999), '2026-05-01T14Z', '2026-05-01T14Z'],
  [Date.UTC(2026, 4, 1, 15), '2026-05-01T15Z', '2026-05-01T15Z'],
  [-0.5, '1969-12-31T23Z', '1969-12-31T23Z'],
  [Number.NEGATIVE_INFINITY, undefined, undefined],
  [Number.NaN, undefined, undefined],
  [Date.UTC(10_000, 0), undefined, 'end'],
  [Number.POSITIVE_INFINITY, undefined, 'end'],
])('%d is in the hour %s, and as a watermark it has passed those before %s', (timeMs, hour, passed) => {
  expect([hourAt(timeMs), passedAt(timeMs)]).toEqual([hour, passed])
})

const mark = (subtask: number, parallelism: number, passed: string, epoch = 1) =>
  `.passed-e00000${epoch}-s000${subtask}-of-000${parallelism}-${passed}`

test.each<[string, readonly string[], number, string | undefined]>([
  ['none', [], 1, undefined],
  ['one of two', [mark(0, 2, '2026-05-01T03Z')], 2, undefined],
  ['the least of two', [mark(0, 2, '2026-05-01T03Z'), mark(1, 2, '2026-05-01T02Z')], 2, '2026-05-01T02Z'],
  ['one has ended', [mark(0, 2, 'end'), mark(1, 2, '2026-05-01T02Z')], 2, '2026-05-01T02Z'],
  ['all have', [mark(0, 2, 'end'), mark(1, 2, 'end')], 2, 'end'],
  ['the newer of one task', [mark(0, 1, '2026-05-01T03Z'), mark(0, 1, '2026-05-01T04Z')], 1, '2026-05-01T04Z'],
  ['one of another number of tasks', [mark(0, 2, '2026-05-01T03Z'), mark(1, 3, '2026-05-01T03Z')], 2, undefined],
  ['other files', ['part-e000001-s0000-c000001.ndjson', 'hour=2026-05-01T03Z', '.passed-mine'], 1, undefined],
])('by these marks all have passed: %s', (_, names, parallelism, expected) => {
  expect(passedByAll(names, parallelism)).toBe(expected)
})
