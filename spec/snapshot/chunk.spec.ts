import { deflateSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { zlib } from '../../lib/node/zlib.ts'
import { type Coding, chunkOf, costOf, valueIn } from '../../lib/snapshot/chunk.ts'
import type { Compression } from '../../lib/snapshot/compression.ts'
import { msgpackEncoding } from '../../lib/snapshot/encoding.ts'
import { groupOf } from '../../lib/state/keyGroups.ts'
import { failureOf } from '../failureOf.ts'

const place = 'e1/c1/part, section ["table","sum","value"]'
const plain: Coding = msgpackEncoding()
const zipped: Coding = { ...plain, compression: zlib() }
const readsZipped: Coding = { ...plain, oldCompressions: [zlib()] }

/** Leaves out the zeros at the end. */
const zeros: Compression = {
  name: 'zeros',
  compress: bytes => bytes.slice(0, bytes.findLastIndex(byte => byte !== 0) + 1),
  decompress: (bytes, length) => Uint8Array.from({ length }, (_, i) => bytes[i] ?? 0),
}

const large = Array.from({ length: 1_000 }, (_, i) => [i >> 3, `key-${i}`, { sum: i / 7 }])
const random = Uint8Array.from({ length: 5_000 }, (_, i) => groupOf(i, 256))

describe('a value comes back', () => {
  const values = { small: ['a', 1n, new Date(5)], large, 'what cannot be made smaller': random, nothing: undefined }
  const ways: readonly [string, Coding, Coding][] = [
    ['without a compression', plain, plain],
    ['with one', zipped, zipped],
    ['written without, read with one', plain, zipped],
    ['written with one, read by a job that only reads it', zipped, readsZipped],
  ]
  test.each(ways)('%s', (_, coding, reading) => {
    for (const [what, value] of Object.entries(values)) {
      expect(valueIn(chunkOf(value, { coding, place }), { coding: reading, place }), what).toEqual(value)
    }
  })

  test('of chunks of several compressions each by its own', () => {
    const value = new Uint8Array(5_000)
    const other = chunkOf(value, { coding: { ...plain, compression: zeros }, place })
    expect(new TextDecoder().decode(other.subarray(1, 6))).toBe('zeros')
    const coding = { ...zipped, oldCompressions: [zeros] }
    for (const chunk of [other, chunkOf(value, { coding, place })]) {
      expect(valueIn(chunk, { coding, place })).toHaveLength(5_000)
    }
  })
})

describe('a chunk is compressed', () => {
  const length = (value: unknown, coding: Coding) => chunkOf(value, { coding, place }).length

  test('if that makes it smaller', () => expect(length(large, zipped)).toBeLessThan(length(large, plain) / 2))
  test('not if it is small', () => expect(length('a'.repeat(1_000), zipped)).toBe(length('a'.repeat(1_000), plain)))
  test('not if it stays as large', () => expect(length(random, zipped)).toBe(length(random, plain)))
})

test('compressing is part of what a chunk costs', () => {
  const raw = chunkOf(large, { coding: plain, place })
  expect(costOf(raw)).toBe(raw.length)
  expect(costOf(chunkOf(large, { coding: zipped, place }))).toBe(3 * (raw.length - 1))
})

test.each<[string, Coding, string]>([
  ['none', plain, 'it is compressed by "zlib", and the job has been given no compression'],
  ['another', { ...plain, compression: zeros }, 'it is compressed by "zlib", and the job has been given "zeros"'],
])('a compression that the reader has not been given is FORMAT_UNKNOWN: it has %s', (_, coding, says) => {
  const failure = failureOf(() => valueIn(chunkOf(large, { coding: zipped, place }), { coding, place }))
  expect(failure).toMatchObject({ code: 'FORMAT_UNKNOWN', place })
  expect(failure.message).toContain(says)
  expect(failure.remedy).toContain('checkpoints.oldCompressions')
})

describe('a damaged chunk is DAMAGED, should its checksum not have told', () => {
  const whole = chunkOf(large, { coding: zipped, place })
  const withLength = (length: number) => {
    const bytes = whole.slice()
    new DataView(bytes.buffer).setUint32(5, length)
    return bytes
  }
  const length = new DataView(whole.buffer).getUint32(5)
  test.each<[string, Uint8Array]>([
    ['nothing', whole.subarray(0, 0)],
    ['half of the name', whole.subarray(0, 3)],
    ['half of the length', whole.subarray(0, 7)],
    ['nothing behind its header', whole.subarray(0, 9)],
    ['an end too early', whole.subarray(0, whole.length - 1)],
    ['a wrong byte', whole.with(100, (whole[100] as number) ^ 1)],
    ['a length that is too small', withLength(length - 1)],
    ['a length that is too large', withLength(length + 1)],
    ['no length', withLength(0)],
    ['a value that ends too early', chunkOf(large, { coding: plain, place }).subarray(0, 100)],
  ])('%s', (_, bytes) => {
    expect(failureOf(() => valueIn(bytes, { coding: zipped, place }))).toMatchObject({ code: 'DAMAGED', place })
  })

  test('what would become larger than it says is given up', () => {
    const bomb = Uint8Array.of(...withLength(1_000).subarray(0, 9), ...deflateSync(new Uint8Array(10_000_000)))
    const failure = failureOf(() => valueIn(bomb, { coding: zipped, place }))
    expect(failure.code).toBe('DAMAGED')
    expect(failure.message).toContain('larger than 1000 bytes')
  })
})

test.each([0, 10, 1.5, Number.NaN])('zlib has no level %d', level => {
  expect(failureOf(() => zlib({ level }))).toMatchObject({ code: 'INVALID_OPTION', place: 'zlib, option level' })
})
