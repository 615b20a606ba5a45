import { barrier, buffer, end, type Stream, type StreamElement, watermark } from 'spillway'
import { filter, flatMap, keyBy, map, rebalance } from 'spillway/operators'
import { expect, test } from 'vitest'
import { elementsOf, lane, plain } from '../lane.ts'

interface Case {
  readonly operator: (source: Stream<number>) => Stream<unknown>
  readonly gives: readonly unknown[]
}

const times = Float64Array.of(10, 20, 30)
const notes = Float64Array.of(Number.NEGATIVE_INFINITY, 25, Number.NEGATIVE_INFINITY)
const input: readonly StreamElement<number>[] = [
  buffer([1, 2, 3], { times, notes, split: 'a' }),
  watermark(15),
  barrier(1),
  buffer([4]),
  end,
]
const others = [watermark(15), barrier(1)]

const cases: Record<string, Case> = {
  'map projects records and keeps their times and notes': {
    operator: map(n => 10 * n),
    gives: [
      { records: [10, 20, 30], times: [10, 20, 30], notes: ['-Infinity', 25, '-Infinity'], split: 'a' },
      ...others,
      { records: [40] },
      end,
    ],
  },
  'filter keeps columns in step, and emits nothing for a buffer without a match': {
    operator: filter(n => n === 2),
    gives: [{ records: [2], times: [20], notes: [25], split: 'a' }, ...others, end],
  },
  'flatMap gives results the time and note of their record, and some records none': {
    operator: flatMap(n => (n === 3 ? [] : [n, -n])),
    gives: [
      { records: [1, -1, 2, -2], times: [10, 10, 20, 20], notes: ['-Infinity', '-Infinity', 25, 25], split: 'a' },
      ...others,
      { records: [4, -4] },
      end,
    ],
  },
  'rebalance changes nothing where it runs in place': {
    operator: rebalance(),
    gives: input.map(plain),
  },
}

for (const [title, { operator, gives }] of Object.entries(cases)) {
  test(title, async () => {
    const elements = await elementsOf(lane(...input).pipe(operator))
    expect(elements.map(plain)).toEqual(gives)
  })
}

test('keyBy puts key and key group beside each record, equal keys into one group', async () => {
  const [first] = await elementsOf(lane(buffer([1, 12, 31, 2])).pipe(keyBy(n => n % 10)))
  const { keys, groups } = plain(first as StreamElement<number>) as { keys: number[]; groups: number[] }
  expect(keys).toEqual([1, 2, 1, 2])
  expect(groups[0]).toBe(groups[2])
  expect(groups[1]).toBe(groups[3])
  for (const group of groups) expect(group).toBeLessThan(128)
})
