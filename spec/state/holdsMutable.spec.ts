import { expect, test } from 'vitest'
import { holdsMutable } from '../../lib/state/holdsMutable.ts'

class Point {
  readonly at = new Date(0)
}

const deep = (levels: number, end: unknown): unknown => (levels === 0 ? end : { of: deep(levels - 1, end) })

const frozen: readonly unknown[] = [1, 'a', 1n, true, null, undefined, {}, [], [1, ['a', { b: null }]], /a/]
const mutable: readonly object[] = [
  ...[new Map(), new Set(), new Date(0), new Uint8Array(1), new DataView(new ArrayBuffer(1)), new ArrayBuffer(1)],
  ...[new Point(), deep(50, new Set())],
] as object[]

test.each(frozen.map(of => [of]))('all of %s can be frozen', value => {
  expect(holdsMutable(value)).toBe(false)
  expect(holdsMutable([{ a: value }])).toBe(false)
})

test.each(mutable.map(of => [of.constructor.name, of]))('some of a %s cannot be', (_, value) => {
  expect(holdsMutable(value)).toBe(true)
  expect(holdsMutable([1, { a: value }])).toBe(true)
})

test('it looks at a hundred parts at the most', () => {
  const large = Array.from({ length: 1_000_000 }, () => ({}))
  expect(holdsMutable([...large, new Map()])).toBe(false)
  const cycle: { of?: unknown } = {}
  cycle.of = cycle
  expect(holdsMutable(cycle)).toBe(false)
})
