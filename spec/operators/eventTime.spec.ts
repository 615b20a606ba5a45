import { active, buffer, end, idle, type StreamElement, splits, watermark } from 'spillway'
import { eventTime, keyBy, mean, tumblingWindow } from 'spillway/operators'
import { expect, test } from 'vitest'
import { elementsOf, lane, plain } from '../lane.ts'

const forever = watermark(Number.POSITIVE_INFINITY)
const timed = eventTime<number>({ timeMs: n => n, outOfOrderMs: 10 })
const of = async (...elements: StreamElement<number>[]) => (await elementsOf(lane(...elements).pipe(timed))).map(plain)

test('a watermark trails the largest time of the split, and a record behind it is noted', async () => {
  expect(await of(buffer([100, 95, 120, 105]), buffer([90]), end)).toEqual([
    { records: [100, 95, 120, 105], times: [100, 95, 120, 105], notes: ['-Infinity', '-Infinity', '-Infinity', 110] },
    watermark(110),
    { records: [90], times: [90], notes: [110] },
    forever,
    end,
  ])
})

test('a split that has not begun holds the watermark back, one that has ended does not count', async () => {
  const from = (split: string, ...records: number[]) => buffer(records, { split })
  expect(
    await of(splits(['a', 'b']), from('a', 100), from('b', 50), from('a', 200), splits(['a']), splits([]), end),
  ).toEqual([
    { records: [100], times: [100], split: 'a' },
    { records: [50], times: [50], split: 'b' },
    watermark(40),
    { records: [200], times: [200], split: 'a' },
    watermark(190),
    forever,
    end,
  ])
})

test('an idle split does not hold the watermark back, and with all splits the stream is idle', async () => {
  const from = (split: string, ...records: number[]) => buffer(records, { split })
  const [both, b] = [splits(['a', 'b'], ['a', 'b']), splits(['a', 'b'], ['b'])]
  expect((await of(splits(['a', 'b']), from('a', 100), b, both, b, from('a', 120), end)).slice(1)).toEqual([
    watermark(90),
    idle,
    active,
    { records: [120], times: [120], split: 'a' },
    watermark(110),
    forever,
    end,
  ])
})

test('lateness belongs to the split: a slow one beside a fast one is not late', async () => {
  const from = (split: string, ...records: number[]) => buffer(records, { split })
  const elements = await of(splits(['a', 'b']), from('a', 1_000), from('b', 1, 2))
  expect(elements.at(-2)).toEqual({ records: [1, 2], times: [1, 2], split: 'b' })
})

test('where event time is given anew, watermarks of the times before end', async () => {
  const later = eventTime<number>({ timeMs: n => n + 1_000, outOfOrderMs: 0 })
  const elements = await elementsOf(lane(buffer([1]), end).pipe(later, timed))
  expect(elements.filter(({ kind }) => kind === 'watermark')).toEqual([watermark(-9), forever])
})

interface Sample {
  readonly key: string
  readonly atMs: number
  readonly value: number
}

test('a window gives its result when the watermark reaches its end, and late records to the side', async () => {
  const windows = lane<Sample>(
    buffer([
      { key: 'x', atMs: 1, value: 2 },
      { key: 'y', atMs: 9, value: 5 },
      { key: 'x', atMs: 12, value: 7 },
      { key: 'x', atMs: 3, value: 4 },
    ]),
    buffer([
      { key: 'x', atMs: 21, value: 1 },
      { key: 'x', atMs: 5, value: 9 },
    ]),
    end,
  ).pipe(
    eventTime({ timeMs: ({ atMs }) => atMs, outOfOrderMs: 5 }),
    keyBy(({ key }) => key),
    tumblingWindow(
      { sizeMs: 10, late: 'side' },
      mean(({ value }) => value),
    ),
  )
  const results = (await elementsOf(windows)).flatMap(element => (element.kind === 'buffer' ? element.records : []))
  expect(results.map(({ key, startMs, endMs, value }) => [key, startMs, endMs, value])).toEqual([
    // At 21 the watermark is 16.
    ...[
      ['x', 0, 10, 3],
      ['y', 0, 10, 5],
    ].sort(),
    ['x', 10, 20, 7],
    ['x', 20, 30, 1],
  ])
  const late = (await elementsOf(windows.side('late'))).flatMap(element =>
    element.kind === 'buffer' ? element.records : [],
  )
  expect(late).toEqual([{ key: 'x', atMs: 5, value: 9 }])
})

test('a result has the time of the end of its window', async () => {
  const windows = lane(buffer([3]), end).pipe(
    timed,
    keyBy(n => n),
    tumblingWindow(
      { sizeMs: 10, late: 'drop' },
      mean(n => n),
    ),
  )
  const result = (await elementsOf(windows)).find(({ kind }) => kind === 'buffer')
  expect(plain(result as StreamElement<unknown>)).toMatchObject({ times: [9] })
})
