import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Key } from '../../lib/element.ts'
import { defaultKeyGroups, groupOf, groupsOf, subtaskOf } from '../../lib/state/keyGroups.ts'
import { compareKeys } from '../../lib/state/keyOrder.ts'
import { textOf } from '../../lib/state/tupleText.ts'

/** So many groups show the whole hash. */
const hashOf = (key: Key) => groupOf(key, 2 ** 32)

describe('a key is in the same group in every release', () => {
  const golden: readonly [Key, number][] = [
    ['', 0xab3e7c0b],
    ['a', 0x1a80b1b3],
    ['key-42', 0xc1116135],
    ['Zürich', 0x946df6c0],
    ['🌊', 0xfb6b66c6],
    ['\ud800', 0x573eb6ee],
    [0, 0x9b0c3f32],
    [1, 0xe2bc4b28],
    [-1, 0x5a24c704],
    [128, 0x43d545b0],
    [2 ** 31 - 1, 0x99d7d0d3],
    [2 ** 31, 0xaea39d92],
    [0.5, 0xbbda0762],
    [-1.5, 0xc7968441],
    [1e300, 0xf213ec94],
    [1_700_000_000_000, 0x5bbb9f8a],
    [Number.NaN, 0xe144f4e1],
    [Number.POSITIVE_INFINITY, 0x71967318],
    [Number.NEGATIVE_INFINITY, 0xb039d193],
    [0n, 0x9bd2722f],
    [1n, 0xb81282d7],
    [-1n, 0x4b029d0c],
    [2n ** 64n, 0xeb9bd735],
    [true, 0x4f1ec60d],
    [false, 0x67a2a8ee],
    [[], 0x4ef9dfb6],
    [['a'], 0xe01f2dfc],
    [['a', 1], 0xb0d7af9b],
    [['a', ['b', 2n], true], 0x0c363b70],
  ]
  for (const [key, hash] of golden) {
    test(`${Array.isArray(key) ? 'tuple' : typeof key} ${String(key)}`, () => {
      expect(hashOf(key)).toBe(hash)
      expect(groupOf(key, 128)).toBe(hash % 128)
    })
  }
})

test('the hash of a string is FNV-1a, finalised as in murmur3', () => {
  const fmix32 = (hash: bigint) => {
    const times = (a: bigint, b: bigint) => BigInt.asUintN(32, a * b)
    let h = times(hash ^ (hash >> 16n), 0x85ebca6bn)
    h = times(h ^ (h >> 13n), 0xc2b2ae35n)
    return Number(h ^ (h >> 16n))
  }
  // From the test vectors that Fowler, Noll and Vo publish.
  expect(hashOf('')).toBe(fmix32(0x811c9dc5n))
  expect(hashOf('a')).toBe(fmix32(0xe40c292cn))
  expect(hashOf('foobar')).toBe(fmix32(0xbf9cf968n))
})

test('-0 is 0, and every NaN is one NaN', () => {
  const otherNaN = new Float64Array(new BigInt64Array([0x7ff8_0000_dead_beefn]).buffer)[0] as number
  expect(hashOf(-0)).toBe(hashOf(0))
  expect(hashOf([-0])).toBe(hashOf([0]))
  expect(hashOf(otherNaN)).toBe(hashOf(Number.NaN))
})

test('keys that only look alike have hashes of their own', () => {
  const keys: readonly Key[] = ['1', 1, 1n, [1], ['1'], [[1]], [1n], 'true', true, [true], '', 0, 0n, false, [], [[]]]
  expect(new Set(keys.map(hashOf)).size).toBe(keys.length)
  expect(hashOf(['ab', 'c'])).not.toBe(hashOf(['a', 'bc']))
  expect(hashOf([1, 2])).not.toBe(hashOf([2, 1]))
  expect(hashOf([[1], 2])).not.toBe(hashOf([[1, 2]]))
})

describe('what is no key is refused', () => {
  const date = new Date(0)
  for (const key of [undefined, null, {}, date, Symbol('s'), () => 1, ['a', undefined], [['a', null]]] as unknown[]) {
    test(Array.isArray(key) ? `a tuple with ${String(key.flat().at(-1))}` : String(key), () => {
      expect(() => groupOf(key as Key, 128)).toThrow(expect.objectContaining({ code: 'INVALID_KEY' }))
    })
  }
})

describe('10,000 keys are spread over the groups as if by chance', () => {
  const kinds: Record<string, (i: number) => Key> = {
    'numbered strings': i => `key-${i}`,
    'airport codes': i => String.fromCharCode(65 + (i % 26), 65 + ((i / 26) % 26), 65 + ((i / 676) % 26)),
    'whole numbers': i => i,
    'multiples of 128': i => i * 128,
    'ids beyond 32 bits': i => 1_700_000_000_000 + i * 1000,
    fractions: i => i / 8,
    bigints: i => BigInt(i) << 64n,
    tuples: i => [`shop-${i % 100}`, Math.floor(i / 100)],
  }
  for (const [kind, keyOf] of Object.entries(kinds)) {
    for (const groups of [defaultKeyGroups, 100]) {
      test(`${kind}, ${groups} groups`, () => {
        const counts = new Array<number>(groups).fill(0)
        for (let i = 0; i < 10_000; i++) (counts[groupOf(keyOf(i), groups)] as number)++
        const mean = 10_000 / groups
        const chiSquare = counts.reduce((sum, count) => sum + (count - mean) ** 2 / mean, 0)
        // Mean `groups`, deviation sqrt(2 * groups); five of these.
        expect(chiSquare).toBeLessThan(groups + 5 * Math.sqrt(2 * groups))
      })
    }
  }
})

test('the groups of the tasks are what the groups say, in ranges, and all', () => {
  for (const groups of [1, 2, 7, 100, 128]) {
    for (let parallelism = 1; parallelism <= groups + 3; parallelism++) {
      const dealt: number[] = []
      for (let subtask = 0; subtask < parallelism; subtask++) {
        const { begin, end } = groupsOf(subtask, { groups, parallelism })
        for (let group = begin; group < end; group++) {
          expect(subtaskOf(group, { groups, parallelism })).toBe(subtask)
          dealt.push(group)
        }
      }
      expect(dealt).toEqual(Array.from({ length: groups }, (_, group) => group))
    }
  }
})

test('groups are dealt as Flink deals them', () => {
  const deal = (groups: number, parallelism: number) =>
    Array.from({ length: parallelism }, (_, i) => Object.values(groupsOf(i, { groups, parallelism })))
  expect(deal(128, 3)).toEqual([
    [0, 43],
    [43, 86],
    [86, 128],
  ])
  expect(deal(10, 4)).toEqual([
    [0, 3],
    [3, 5],
    [5, 8],
    [8, 10],
  ])
})

const keys: fc.Arbitrary<Key> = fc.letrec<{ key: Key }>(tie => ({
  key: fc.oneof(
    { maxDepth: 2 },
    fc.oneof(fc.integer(), fc.double(), fc.constantFrom(0, -0, 1, 12, Number.NaN, 1e21, 1e-7)),
    fc.oneof(fc.string({ unit: fc.constantFrom('1', ',', "'", 'n', '(', ')', 'T', '-') }), fc.string()),
    fc.bigInt(),
    fc.boolean(),
    fc.array(tie('key'), { maxLength: 3 }),
  ),
})).key

const same = (a: Key, b: Key): boolean =>
  Array.isArray(a) && Array.isArray(b)
    ? a.length === b.length && a.every((member, i) => same(member, b[i]))
    : a === b || (Number.isNaN(a) && Number.isNaN(b))

test('the text of a tuple, its hash and the order agree on which keys are the same', () => {
  fc.assert(
    fc.property(keys, keys, (a, b) => {
      expect(textOf([a]) === textOf([b])).toBe(same(a, b))
      expect(compareKeys(a, b) === 0).toBe(same(a, b))
      if (same(a, b)) expect(hashOf(a)).toBe(hashOf(b))
    }),
    { numRuns: 20_000 },
  )
})

test('the text of a tuple does not depend on what its strings look like', () => {
  const tuples: readonly Key[][] = [
    ['a', 'b'],
    ["a'1'b"],
    ["a''b"],
    ['a,b'],
    ["1'a", 'b'],
    [1, 2],
    ['1,2,'],
    [[1], 2],
    ['(1,)', 2],
    [true],
    ['T'],
    [1n],
    ['1n'],
    [10n],
    [16],
  ]
  expect(new Set(tuples.map(textOf)).size).toBe(tuples.length)
})

test('the order of keys is one', () => {
  fc.assert(
    fc.property(keys, keys, keys, (a, b, c) => {
      expect(Math.sign(compareKeys(a, b))).toBe(-Math.sign(compareKeys(b, a)) + 0)
      if (compareKeys(a, b) <= 0 && compareKeys(b, c) <= 0) expect(compareKeys(a, c)).toBeLessThanOrEqual(0)
    }),
    { numRuns: 20_000 },
  )
})
