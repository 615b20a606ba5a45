import { type Buffer, buffer, type Stream, watermark } from 'spillway'
import { filter, flatMap, keyBy, map, rebalance } from 'spillway/operators'
import { marbles } from 'spillway/testing'
import { expect, test } from 'vitest'

interface Case {
  readonly operator: (source: Stream<number>) => Stream<unknown>
  readonly gives: string
  readonly values: Readonly<Record<string, Buffer<unknown>>>
}

const onTime = Number.NEGATIVE_INFINITY
const w = watermark(15)

/** A record of split a, and what stands beside it. */
const timed = (record: unknown, timeMs: number, noteMs = onTime): Buffer<unknown> =>
  buffer([record], { times: Float64Array.of(timeMs), notes: Float64Array.of(noteMs), split: 'a' })

const cases: Record<string, Case> = {
  'map projects records and keeps their times and notes': {
    operator: map(n => 10 * n),
    gives: `
      a-w-1-d|
      b-------
      c-------
    `,
    values: { a: timed(10, 10), b: timed(20, 20, 25), c: timed(30, 30), d: buffer([40]) },
  },
  'filter keeps columns in step, and emits nothing for a buffer without a match': {
    operator: filter(n => n === 2),
    gives: 'b-w-1--|',
    values: { b: timed(2, 20, 25) },
  },
  'flatMap gives results the time and note of their record, and some records none': {
    operator: flatMap(n => (n === 3 ? [] : [n, -n])),
    gives: `
      a-w-1-d|
      x-----y-
      b-------
      z-------
    `,
    values: {
      a: timed(1, 10),
      x: timed(-1, 10),
      b: timed(2, 20, 25),
      z: timed(-2, 20, 25),
      d: buffer([4]),
      y: buffer([-4]),
    },
  },
  'rebalance changes nothing where it runs in place': {
    operator: rebalance(),
    gives: `
      a-w-1-d|
      b-------
      c-------
    `,
    values: { a: timed(1, 10), b: timed(2, 20, 25), c: timed(3, 30), d: buffer([4]) },
  },
}

test.each(Object.entries(cases))('%s', (_, { operator, gives, values }) =>
  marbles(({ lane, expectLane }) => {
    const columns = { times: Float64Array.of(10, 20, 30), notes: Float64Array.of(onTime, 25, onTime), split: 'a' }
    const source = lane('p-w-1-q|', { p: buffer([1, 2, 3], columns), w, q: buffer([4]) })
    expectLane(source.pipe(operator)).toBe(gives, { ...values, w })
  }),
)

test('keyBy puts key and key group beside each record, equal keys into one group', () => {
  const buffers: Buffer<number>[] = []
  marbles(({ lane, expectLane }) => {
    const keyed = lane('p', { p: buffer([1, 12, 31, 2]) }).pipe(keyBy(n => n % 10))
    keyed.subscribe(element => element.kind === 'buffer' && buffers.push(element))
    expectLane(keyed).toBe(
      `
      a
      b
      c
      d
      `,
      { a: 1, b: 12, c: 31, d: 2 },
    )
  })
  const [{ keys = [], groups = [] } = buffer([])] = buffers
  expect(keys).toEqual([1, 2, 1, 2])
  expect(groups[0]).toBe(groups[2])
  expect(groups[1]).toBe(groups[3])
  for (const group of groups) expect(group).toBeLessThan(128)
})
