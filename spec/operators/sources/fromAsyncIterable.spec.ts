import { Readable } from 'node:stream'
import { type Pipeline, stream } from 'spillway'
import { collect, fromAsyncIterable, into } from 'spillway/operators'
import { expect, test } from 'vitest'
import { run } from '../../run.ts'

const settled = () => new Promise(setImmediate)

const records = Array.from({ length: 1000 }, (_, n) => n)

test.each([
  {
    what: 'a generator',
    make: async function* () {
      yield* records
    },
  },
  { what: 'a Node stream', make: () => Readable.from(records) as AsyncIterable<number> },
  { what: 'a ReadableStream', make: () => counting(1000).stream },
])('a job reads $what to its end, in order', async ({ make }) => {
  const sink = collect<number>()
  const source = fromAsyncIterable(make, { bufferRecordsMax: 7 })
  await run(stream(source).pipe(into(sink)), { acceptLoss: ['fromAsyncIterable'] }).done
  expect(sink.records).toEqual(records)
})

test('a stream is asked for no more than there is room for, and again when the task has taken some', async () => {
  const { stream: web, pulled } = counting(100)
  const reader = fromAsyncIterable(() => web, { bufferRecordsMax: 3 }).open('0/1', undefined)
  expect(pulled()).toBe(0)
  expect(reader.next(1)).toBe('wait')
  await settled()
  expect(pulled()).toBe(3)
  expect(reader.next(2)).toEqual([0, 1])
  await settled()
  expect(pulled()).toBe(5)
  expect(reader.next(10)).toEqual([2, 3, 4])
  reader.close()
})

test('closing cancels a ReadableStream, also in the middle of a read, and what comes later is not kept', async () => {
  let cancelled = false
  const silent = new ReadableStream<number>({
    cancel() {
      cancelled = true
    },
  })
  const reader = fromAsyncIterable(() => silent, { bufferRecordsMax: 3 }).open('0/1', undefined)
  reader.next(1)
  reader.close()
  await settled()
  expect(cancelled).toBe(true)
})

test('closing returns from a generator', async () => {
  let returned = false
  const many = async function* () {
    try {
      for (let n = 0; n < 100; n++) yield n
    } finally {
      returned = true
    }
  }
  const reader = fromAsyncIterable(many, { bufferRecordsMax: 3 }).open('0/1', undefined)
  reader.next(1)
  await settled()
  reader.close()
  await settled()
  expect(returned).toBe(true)
})

test('what was given before a failure is handed over, then the task fails', async () => {
  const failing = async function* () {
    yield 1
    throw new Error('boom')
  }
  const reader = fromAsyncIterable(failing, { bufferRecordsMax: 3 }).open('0/1', undefined)
  reader.next(1)
  await settled()
  expect(reader.next(10)).toEqual([1])
  expect(() => reader.next(10)).toThrow(/boom.*READ_FAILED/)
})

test('a make that throws fails the task', () => {
  const make = (): AsyncIterable<number> => {
    throw new Error('boom')
  }
  const reader = fromAsyncIterable(make, { bufferRecordsMax: 3 }).open('0/1', undefined)
  expect(() => reader.next(1)).toThrow(/boom.*READ_FAILED/)
})

test('each start makes it anew, and the position goes on from the restored one', async () => {
  let made = 0
  const make = async function* () {
    made++
    yield made
  }
  const source = fromAsyncIterable(make, { bufferRecordsMax: 3 })
  for (const start of [1, 2]) {
    const reader = source.open('0/1', 7)
    reader.next(1)
    await settled()
    expect(reader.next(1)).toEqual([start])
    expect(reader.position()).toBe(8)
  }
})

test('it is at most once, so run refuses it unless it is accepted', () => {
  const source = fromAsyncIterable(() => Readable.from([1]), { bufferRecordsMax: 1 })
  const pipeline: Pipeline = stream(source).pipe(into(collect()))
  expect(() => run(pipeline)).toThrow(/AT_MOST_ONCE_SOURCE/)
})

test.each([0, 1.5])('bufferRecordsMax %d is refused', bufferRecordsMax => {
  expect(() => fromAsyncIterable(() => Readable.from([]), { bufferRecordsMax })).toThrow(
    expect.objectContaining({ code: 'INVALID_OPTION' }),
  )
})

/** A web stream that keeps nothing ready, and how often it has been asked. */
function counting(count: number): { readonly stream: ReadableStream<number>; readonly pulled: () => number } {
  let pulled = 0
  const stream = new ReadableStream<number>(
    {
      pull(controller) {
        if (pulled === count) return controller.close()
        controller.enqueue(pulled++)
      },
    },
    { highWaterMark: 0 },
  )
  return { stream, pulled: () => pulled }
}
