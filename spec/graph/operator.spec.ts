import { barrier, buffer, end, keyedOperator, operator, type StreamElement, watermark } from 'spillway'
import { keyBy } from 'spillway/operators'
import { expect, test } from 'vitest'
import { elementsOf, lane, plain } from '../lane.ts'

test('a record without a time has none, whatever came before it', async () => {
  const seen: unknown[] = []
  const times = operator<number>('times', () => ({ record: (_, _out, { timeMs }) => void seen.push(timeMs) }), {})
  const timed = buffer([1], { times: Float64Array.of(10) })
  await elementsOf(lane(timed, buffer([2]), timed).pipe(times))
  expect(seen).toEqual([10, Number.NEGATIVE_INFINITY, 10])
})

test('a record without a time has none behind a timer that has fired', async () => {
  const timed = keyedOperator<number, number, string>('timed', ({ timers }) => ({
    record(n, out, { timeMs }) {
      timers.at(n)
      out.emit(`record at ${timeMs}`)
    },
    timer: (timeMs, out) => out.emit(`timer at ${timeMs}`),
  }))
  const out = await elementsOf(
    lane<number>(buffer([5]), watermark(7), buffer([9])).pipe(
      keyBy(n => n),
      timed,
    ),
  )
  const records = out.flatMap(element => (element.kind === 'buffer' ? element.records : []))
  expect(records).toEqual(['record at -Infinity', 'timer at 5', 'record at -Infinity'])
})

test('a result may get a time where its record has none; those behind it in the buffer have none', async () => {
  const retimed = operator<number, number>('retimed', () => ({
    record: (n, out) => (n === 2 ? out.emitAt(50, n) : out.emit(n)),
  }))
  const elements: StreamElement<number>[] = [
    buffer([0], { times: Float64Array.of(10) }),
    buffer([1, 2, 3]),
    barrier(1),
    end,
  ]
  const out = await elementsOf(lane(...elements).pipe(retimed))
  expect(out.map(plain)).toEqual([
    { records: [0], times: [10] },
    { records: [1] },
    { records: [2, 3], times: [50, '-Infinity'] },
    barrier(1),
    end,
  ])
})

test('results of the end have no time but that which they are given', async () => {
  const closing = operator<number, number>('closing', () => ({
    record: () => {},
    end(out) {
      out.emitAt(50, 1)
      out.emit(2)
    },
  }))
  const out = await elementsOf(lane<number>(buffer([0], { times: Float64Array.of(10) }), end).pipe(closing))
  expect(out.map(plain)).toEqual([{ records: [1, 2], times: [50, '-Infinity'] }, end])
})

test('side records before and behind a result with a time of its own both arrive', async () => {
  const parted = operator<number, number, { other: number }>(
    'parted',
    () => ({ record: (n, out) => (n === 2 ? out.emitAt(50, n) : out.side('other', n)) }),
    { sides: ['other'] },
  )
  const out = await elementsOf(
    lane(buffer([1, 2, 3]))
      .pipe(parted)
      .side('other'),
  )
  expect(out.map(plain)).toEqual([{ records: [1] }, { records: [3], times: ['-Infinity'] }])
})
