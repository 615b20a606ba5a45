import { expect, test } from 'vitest'
import type { Key } from '../../lib/element.ts'
import { chunkOf } from '../../lib/snapshot/chunk.ts'
import { msgpackEncoding } from '../../lib/snapshot/encoding.ts'
import { type Layer, laidOver } from '../../lib/snapshot/layers.ts'

const encoding = msgpackEncoding()

/** `a1 b2` sets, `-a` removes; the first letter is the key; `(a)1`: the key is a tuple. */
const batch = (picture: string) =>
  picture.split(' ').map((of): readonly [number, Key, number?] => {
    const [, key = ''] = /([a-z]|\([a-z]\))/.exec(of) ?? []
    const named = key.startsWith('(') ? [key] : key
    return of.startsWith('-') ? [0, named] : [0, named, Number(of.slice(key.length))]
  })

/** `table a1 b2 | c3`: chunks. */
const layer = (picture: string): Layer => {
  const [kind, ...rest] = picture.split(' ')
  const chunks = rest.length === 0 ? [] : rest.join(' ').split(' | ')
  return {
    kind: kind as Layer['kind'],
    place: 'a',
    chunks: chunks.map(of => chunkOf(batch(of), { coding: encoding, place: 'a' })),
  }
}

test.each([
  ['one whole table is what it is', ['table a1 b2 | c3'], 'a1 b2 c3'],
  ['a key has its newest value', ['table a1 b2', 'changed a3', 'changed c4 a5'], 'a5 b2 c4'],
  ['a removed key is gone', ['table a1 b2', 'removed -a'], 'b2'],
  ['and may come back', ['table a1', 'removed -a', 'changed a2'], 'a2'],
  ['one that came and went is not there', ['table a1', 'changed b2', 'removed -b'], 'a1'],
  ['tuples are keys by their members', ['table (a)1 (b)2', 'changed (a)3', 'removed -(b)'], '(a)3'],
  ['a whole table ends what was before', ['table a1', 'changed b2', 'table c3', 'changed d4'], 'c3 d4'],
  ['also an empty one', ['table a1', 'table'], ''],
  ['a table of nothing but changes is these', ['changed a1 | b2'], 'a1 b2'],
])('%s', (_, layers, expected) => {
  const read = [...laidOver(layers.map(layer), encoding)].flat().map(([, key, value]) => `${key}${value}`)
  expect(read.sort().join(' ')).toBe(expected)
})
