import { expect, test } from 'vitest'
import { Sample } from '../../lib/state/sample.ts'

const numbers = (length: number, first = 1) => Array.from({ length }, (_, i) => first + i)

/** The numbers of those that are looked at, of so many that pass in buffers of a size; 1: one by one. */
const lookedAt = (count: number, size: number): readonly number[] => {
  const seen: number[] = []
  const sample = new Sample<number>(n => seen.push(n))
  for (let first = 1; first <= count; first += size) {
    if (size === 1) sample.pass(first)
    else sample.passAll(numbers(Math.min(size, count + 1 - first), first))
  }
  return seen
}

test.each<[number, number, readonly number[]]>([
  [100, 1, [1, 3, 7, 15, 31, 63]],
  [40_000, 1, [1, 3, 7, 15, 31, 63, 127, 255, 511, 1023, 2047, 4095, 8191, 16_383, 32_767]],
  // One of a buffer at the most; then the steps count from its end.
  [1_000, 100, [1, 102, 204, 308, 416, 532, 664, 828]],
  [20, 10, [1, 12]],
])('of %d values, %d at a time, the first is looked at, then ever fewer', (count, size, expected) => {
  expect(lookedAt(count, size)).toEqual(expected)
})

test('in the long run it is one in 16,384', () => {
  expect(lookedAt(1_000_000, 256).length).toBeLessThan(20 + 1_000_000 / 16_384)
  expect(lookedAt(1_000_000, 256).length).toBeGreaterThan(1_000_000 / (16_384 + 256))
})

test('no values are none', () => {
  const seen: unknown[] = []
  const sample = new Sample(value => seen.push(value))
  sample.passAll([])
  sample.passAll(['first'])
  expect(seen).toEqual(['first'])
})

test('after a check that throws the next are looked at as ever', () => {
  const sample = new Sample<number>(n => {
    if (n === 1) throw new Error('refused')
  })
  expect(() => sample.pass(1)).toThrow('refused')
  expect(() => sample.pass(2)).not.toThrow()
})
