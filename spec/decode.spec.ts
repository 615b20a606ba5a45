import * as t from 'io-ts'
import { expect, test } from 'vitest'
import { decode } from '../lib/decode.ts'
import { SpillwayError } from '../lib/error.ts'

const Flight = t.type({ origin: t.string, delayMin: t.number })
const Shape = t.union([
  t.type({ kind: t.literal('circle'), radius: t.number }),
  t.type({ kind: t.literal('square'), side: t.number }),
])
const Positive = t.brand(t.number, (n): n is t.Branded<number, { readonly Positive: symbol }> => n > 0, 'Positive')
const Tree: t.Type<Tree> = t.recursion('Tree', () => t.type({ children: t.readonlyArray(Tree) }))
interface Tree {
  readonly children: readonly Tree[]
}

const said = (codec: t.Decoder<unknown, unknown>, value: unknown): string => {
  try {
    decode(codec, value, { place: 'p', remedy: 'R.', code: 'UNDECODABLE' })
    return 'fits'
  } catch (error) {
    expect(error).toBeInstanceOf(SpillwayError)
    return (error as Error).message.replace(/^p: (.*)\. R\. \[UNDECODABLE\]$/, '$1')
  }
}

const cases: readonly (readonly [
  name: string,
  codec: t.Decoder<unknown, unknown>,
  value: unknown,
  expected: string,
])[] = [
  ['a wrong field', Flight, { origin: 'ORD', delayMin: 'late' }, 'delayMin: expected number, found "late"'],
  ['a missing field', Flight, { origin: 'ORD' }, 'delayMin: expected number, found nothing'],
  ['null', Flight, { origin: null, delayMin: 1 }, 'origin: expected string, found null'],
  ['NaN', t.type({ a: t.Int }), { a: Number.NaN }, 'a: expected Int, found NaN'],
  ['two fields', Flight, {}, 'origin: expected string, found nothing; delayMin: expected number, found nothing'],
  ['the whole', Flight, 7, 'expected { origin: string, delayMin: number }, found 7'],
  ['an element', t.array(Flight), [{ origin: 'a', delayMin: 1 }, 5], `[1]: expected ${Flight.name}, found 5`],
  [
    'deep',
    t.type({ legs: t.array(Flight) }),
    { legs: [{ origin: 1, delayMin: 2 }] },
    'legs[0].origin: expected string, found 1',
  ],
  ['an odd key', t.record(t.string, t.number), { 'a b': 'x' }, '["a b"]: expected number, found "x"'],
  ['a union of plain types', t.array(t.union([t.string, t.null])), [4], '[0]: expected (string | null), found 4'],
  ['the tagged member', Shape, { kind: 'circle', radius: '1' }, 'radius: expected number, found "1"'],
  [
    'an unknown tag',
    t.type({ shape: Shape }),
    { shape: { kind: 'cube' } },
    'shape.kind: expected "circle" | "square", found "cube"',
  ],
  ['a missing tag', Shape, {}, 'kind: expected "circle" | "square", found nothing'],
  [
    'a union without a tag',
    t.union([t.type({ a: t.number }), t.type({ b: t.string })]),
    { a: 'x' },
    'a: expected number, found "x" or b: expected string, found nothing',
  ],
  [
    'an intersection',
    t.intersection([t.type({ a: t.number }), t.partial({ b: t.string })]),
    { a: 'x', b: 2 },
    'a: expected number, found "x"; b: expected string, found 2',
  ],
  [
    'the whole of an intersection',
    t.exact(t.intersection([t.type({ a: t.number }), t.partial({ b: t.string })])),
    3,
    'expected Exact<({ a: number } & Partial<{ b: string }>)>, found 3',
  ],
  ['a brand', t.type({ n: Positive }), { n: -1 }, 'n: expected Positive, found -1'],
  ['a recursion', Tree, { children: [{ children: 3 }] }, 'children[0].children: expected ReadonlyArray<Tree>, found 3'],
  ['a long string', t.number, 'x'.repeat(1000), `expected number, found "${'x'.repeat(59)}…`],
  [
    'a long value',
    t.number,
    Array.from({ length: 99 }, (_, i) => i),
    `expected number, found ${JSON.stringify(Array.from({ length: 99 }, (_, i) => i)).slice(0, 60)}…`,
  ],
  ['a bigint', t.string, { n: 1n }, 'expected string, found [object Object]'],
  ['a fit', Flight, { origin: 'ORD', delayMin: 1 }, 'fits'],
  [
    'many errors',
    t.array(t.number),
    ['a', 'b', 'c', 'd', 'e', 'f'],
    '[0]: expected number, found "a"; [1]: expected number, found "b"; [2]: expected number, found "c"; [3]: expected number, found "d"; and 2 more',
  ],
]

test.each(cases)('a value that does not fit is described: %s', (_, codec, value, expected) => {
  expect(said(codec, value)).toBe(expected)
})

test('the value is what the codec makes of it, not what was handed in', () => {
  const Doubled = new t.Type<number, number>(
    'Doubled',
    t.number.is,
    (u, c) => (t.number.is(u) ? t.success(u * 2) : t.failure(u, c)),
    n => n / 2,
  )
  expect(decode(Doubled, 4, { place: 'p', remedy: 'R.', code: 'UNDECODABLE' })).toBe(8)
})

test("a codec's own message is kept", () => {
  const Odd = new t.Type<number>('Odd', t.number.is, (u, c) => t.failure(u, c, 'must be odd'), t.identity)
  expect(said(t.type({ n: Odd }), { n: 2 })).toBe('n: must be odd')
})
