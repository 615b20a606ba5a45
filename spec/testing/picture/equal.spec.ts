import { expect, test } from 'vitest'
import { equal } from '../../../lib/testing/picture/equal.ts'

class Point {
  readonly x: number

  constructor(x: number) {
    this.x = x
  }
}

/** Each value beside one that is equal by content, and different from all others. */
const values: readonly (() => unknown)[] = [
  () => 1,
  () => '1',
  () => 1n,
  () => Number.NaN,
  () => null,
  () => undefined,
  () => true,
  () => [],
  () => [1, [2]],
  () => [1, [3]],
  () => ({}),
  () => ({ x: 1 }),
  () => ({ x: undefined }),
  () => ({ y: undefined }),
  () => ({ x: 1, y: { z: [1] } }),
  () => new Point(1),
  () => new Date(1),
  () => new Date(2),
  () => new Map([['a', { b: 1 }]]),
  () => new Map([['a', { b: 2 }]]),
  () => new Set(['a']),
  () => new Set(['b']),
  () => Float64Array.of(1, Number.NaN),
  () => Float64Array.of(1, 2),
  () => Uint16Array.of(1, 2),
]

test.each(values.map((value, i) => [i, value] as const))('value %d is equal to itself alone', (i, value) => {
  expect(values.flatMap((other, n) => (equal(value(), other()) ? [n] : []))).toEqual([i])
})
