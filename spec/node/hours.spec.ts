import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as t from 'io-ts'
import { from as fromInput, lastValueFrom, type ObservableInput, VirtualTimeScheduler } from 'rxjs'
import { afterAll, beforeEach, expect, test } from 'vitest'
import type { SinkWriter } from '../../lib/graph/sink.ts'
import { type NdjsonTransaction, ndjsonFiles } from '../../lib/node/ndjsonFiles.ts'

const root = mkdtempSync(join(tmpdir(), 'spillway-hours-'))
afterAll(() => rmSync(root, { recursive: true }))
let out = ''
let runs = 0
beforeEach(() => {
  out = join(root, `${runs++}`)
})

type Writer = SinkWriter<number, NdjsonTransaction>
const done = (input: ObservableInput<unknown>) => lastValueFrom(fromInput(input), { defaultValue: undefined })
/** In the minutes after midnight. */
class Clock {
  readonly scheduler = new VirtualTimeScheduler()

  set minute(minute: number) {
    this.scheduler.frame = Date.UTC(2026, 4, 1) + minute * 60_000
  }
}

const opened = async (
  clock: Clock,
  task: { readonly index: number; readonly parallelism: number; readonly epoch?: number },
  publish: readonly NdjsonTransaction[] = [],
): Promise<Writer> => {
  const { epoch = 1, ...subtask } = task
  const sink = ndjsonFiles(out, t.number, { hourly: true, scheduler: clock.scheduler })
  const writer = sink.open({ epoch, subtask })
  await done(writer.recover({ publish }))
  return writer
}

const cut = async (writer: Writer, checkpoint: number): Promise<readonly NdjsonTransaction[]> => {
  const made = writer.cut(checkpoint)
  if (made !== undefined) await done(made.durable)
  return made === undefined ? [] : [made.tx]
}

/** What readers see: the numbers of each hour, and whether it is said to be whole. */
const seen = () =>
  Object.fromEntries(
    readdirSync(out)
      .filter(name => !name.startsWith('.'))
      .map(hour => {
        const files = readdirSync(join(out, hour))
        const lines = files
          .filter(name => name.endsWith('.ndjson'))
          .flatMap(name =>
            readFileSync(join(out, hour, name), 'utf8')
              .split('\n')
              .slice(0, -1),
          )
        const numbers = lines.map(Number).sort((a, b) => a - b)
        return [hour.slice('hour=2026-05-01T'.length), files.includes('_SUCCESS') ? [...numbers, 'whole'] : numbers]
      }),
  )

test('an hour is whole once the checkpoint that ends it is published by all tasks, and has what was written before that', async () => {
  const clock = new Clock()
  clock.minute = 10
  const [a, b] = [await opened(clock, { index: 0, parallelism: 2 }), await opened(clock, { index: 1, parallelism: 2 })]
  a.write([1])
  b.write([2])
  clock.minute = 30
  const first = [await cut(a, 1), await cut(b, 1)] as const
  await done(a.publish(first[0]))
  expect(seen()).toEqual({ '00Z': [1] })
  await done(b.publish(first[1]))
  a.write([3])
  clock.minute = 60
  const onTheHour = [await cut(a, 2), await cut(b, 2)] as const
  a.write([4])
  expect(onTheHour[1]).toEqual([{ files: [], closesBefore: 'hour=2026-05-01T01Z' }])
  await done(a.publish(onTheHour[0]))
  expect(seen()).toEqual({ '00Z': [1, 2, 3] })
  await done(b.publish(onTheHour[1]))
  expect(seen()).toEqual({ '00Z': [1, 2, 3, 'whole'] })
  await done(b.publish(onTheHour[1]))
  clock.minute = 70
  await done(a.publish(await cut(a, 3)))
  expect(seen()).toEqual({ '00Z': [1, 2, 3, 'whole'], '01Z': [4] })
  expect(readdirSync(join(out, 'hour=2026-05-01T00Z')).filter(name => name.startsWith('.'))).toEqual([])
  a.close()
  b.close()
})

test('what a checkpoint has begun in an hour belongs to it, also if it is cut in the next', async () => {
  const clock = new Clock()
  clock.minute = 50
  const writer = await opened(clock, { index: 0, parallelism: 1 })
  writer.write([1])
  clock.minute = 65
  writer.write([2])
  await done(writer.publish(await cut(writer, 1)))
  expect(seen()).toEqual({ '00Z': [1, 2, 'whole'] })
  writer.close()
})

test('nothing is published of an hour without a record, and an hour is not whole before all before it is published', async () => {
  const clock = new Clock()
  clock.minute = 10
  const writer = await opened(clock, { index: 0, parallelism: 1 })
  clock.minute = 70
  const empty = await cut(writer, 1)
  expect(empty).toEqual([{ files: [], closesBefore: 'hour=2026-05-01T01Z' }])
  expect(writer.cut(2)).toBeUndefined()
  await done(writer.publish(empty))
  expect(seen()).toEqual({})
  writer.close()
})

test.each([
  [1, 1],
  [2, 1],
  [1, 2],
  [2, 3],
])(
  'after a crash between publishing and completing a start completes the hour, from %i tasks to %i',
  async (before, after) => {
    const clock = new Clock()
    clock.minute = 10
    const indexes = (count: number) => Array.from({ length: count }, (_, index) => index)
    const writers = await Promise.all(indexes(before).map(index => opened(clock, { index, parallelism: before })))
    const cuts: NdjsonTransaction[][] = []
    for (const [i, writer] of writers.entries()) {
      writer.write([i])
      cuts.push([...(await cut(writer, 1))])
      writer.close()
    }
    clock.minute = 75
    // Files of the first task are there, but nobody has said that it has no more.
    const again = await Promise.all(
      indexes(after).map(index => {
        const publish = indexes(before).flatMap(i => (i % after === index ? (cuts[i] as NdjsonTransaction[]) : []))
        return opened(clock, { index, parallelism: after, epoch: 2 }, publish)
      }),
    )
    expect(seen()).toEqual({ '00Z': [...indexes(before), 'whole'] })
    for (const writer of again) writer.close()
  },
)

test('tasks that say at the same time that they have no more complete the hour, each time', async () => {
  for (let round = 0; round < 20; round++) {
    out = join(root, `${runs++}`)
    const clock = new Clock()
    clock.minute = 10
    const writers = await Promise.all([0, 1, 2].map(index => opened(clock, { index, parallelism: 3 })))
    writers[0]?.write([1])
    clock.minute = 60
    const cuts = await Promise.all(writers.map(writer => cut(writer, 1)))
    await Promise.all(writers.map((writer, i) => done(writer.publish(cuts[i] ?? []))))
    expect(seen()).toEqual({ '00Z': [1, 'whole'] })
    for (const writer of writers) writer.close()
  }
})
