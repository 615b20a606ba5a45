import { expect, test } from 'vitest'
import { Pace } from '../../lib/runtime/pace.ts'

/** Hands over batches of `recordsMax` records that take so many ms each; gives `recordsMax` after each batch. */
const sizes = (msPerRecord: readonly number[]): readonly number[] => {
  let nowMs = 1_000
  const pace = new Pace(() => nowMs, 256)
  return msPerRecord.map(ms => {
    pace.begin()
    nowMs += ms * pace.recordsMax
    pace.handled(pace.recordsMax)
    return pace.recordsMax
  })
}

const times = <T>(count: number, of: T): T[] => Array.from({ length: count }, () => of)

const cases: readonly (readonly [claim: string, msPerRecord: readonly number[], sizes: readonly number[]])[] = [
  ['it doubles with cheap records, up to the limit', times(6, 0.001), [32, 64, 128, 256, 256, 256]],
  ['a clock too coarse to see them is no obstacle', times(6, 0), [32, 64, 128, 256, 256, 256]],
  ['it is what fits into 2 ms', times(3, 0.0625), [32, 32, 32]],
  ['a record that takes longer than a turn goes alone', times(3, 50), [1, 1, 1]],
  [
    'after an expensive record it takes a while until it trusts again',
    [0.25, 40, ...times(8, 0.25)],
    [8, 1, 1, 1, 1, 1, 1, 1, 1, 1],
  ],
]

test.each(cases)('%s', (_, msPerRecord, expected) => {
  expect(sizes(msPerRecord)).toEqual(expected)
})

test('it never hands over more than the limit, from the start on', () => {
  const pace = new Pace(() => 0, 10)
  const before = pace.recordsMax
  pace.begin()
  pace.handled(10)
  expect([before, pace.recordsMax]).toEqual([10, 10])
})

test('it finds back to cheap records after an expensive one', () => {
  expect(sizes([40, ...times(80, 0.01)]).at(-1)).toBeGreaterThan(150)
})

/** Asks between results that take so long each until the answer is no; says how often, and how often the clock was read. */
const asked = (msPerResult: number) => {
  let nowMs = 0
  let reads = 0
  const pace = new Pace(() => {
    reads++
    return nowMs
  }, 256)
  return () => {
    pace.begin()
    reads = 0
    let results = 0
    for (; pace.hasTime() && results < 1_000_000; results++) nowMs += msPerResult
    return { ms: results * msPerResult, reads, more: pace.hasTime() }
  }
}

test.each([0.0001, 0.001, 0.01, 0.1, 1])(
  'a turn is used up after about 2 ms of results of %d ms, and the clock is read seldom',
  ms => {
    const turn = asked(ms)
    for (const { ms: took, reads, more } of [turn(), turn()]) {
      expect(took).toBeGreaterThanOrEqual(2)
      expect(took).toBeLessThan(2.4 + ms)
      expect(reads).toBeLessThan(35)
      expect(more).toBe(false)
    }
  },
)

test('the first result of a turn is never refused', () => {
  const pace = new Pace(() => 7, 256)
  pace.begin()
  expect(pace.hasTime()).toBe(true)
})
