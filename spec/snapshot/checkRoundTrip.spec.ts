import { describe, expect, test } from 'vitest'
import { SpillwayError } from '../../lib/error.ts'
import { checkRoundTrip } from '../../lib/snapshot/checkRoundTrip.ts'
import { type Encoding, msgpackEncoding } from '../../lib/snapshot/encoding.ts'

const msgpack = msgpackEncoding()

/** Gives back what it is told to, whatever it was given. */
const giving = (back: unknown): Encoding => ({
  name: 'giving',
  encode: () => Uint8Array.of(0),
  decode: () => back,
})

const place = 'scan, state value'
const failureOf = (value: unknown, encoding: Encoding): SpillwayError => {
  try {
    checkRoundTrip(value, { place, encoding })
  } catch (error) {
    expect(error).toBeInstanceOf(SpillwayError)
    return error as SpillwayError
  }
  throw new Error('it passes')
}

describe('what comes back as it was passes', () => {
  const cycleFree = { a: [1] }
  test.each<[string, unknown, unknown]>([
    ['-0 as 0', [-0], [0]],
    ['NaN', Number.NaN, Number.NaN],
    ['an invalid Date', new Date(Number.NaN), new Date(Number.NaN)],
    ['a hole as undefined', new Array(2), [undefined, undefined]],
    ['an object without a prototype as a plain one', Object.assign(Object.create(null), { a: 1 }), { a: 1 }],
    ['one object in two places as two', [cycleFree, cycleFree], [{ a: [1] }, { a: [1] }]],
    ['a view as what it shows', new Uint16Array([1, 2, 3]).subarray(1), new Uint16Array([2, 3])],
  ])('%s', (_, value, back) => {
    expect(checkRoundTrip(value, { place, encoding: giving(back) })).toBe(back)
    expect(checkRoundTrip(value, { place, encoding: msgpack })).toEqual(back)
  })
})

describe('what comes back as another value is NOT_ENCODABLE, with the path to it', () => {
  test.each<[string, unknown, unknown, string]>([
    ['a text', { user: { name: 'é' } }, { user: { name: 'e' } }, ' at .user.name'],
    ['a number as a text', [1], ['1'], ' at [0]'],
    ['a bigint as a number', { n: [0, 1n] }, { n: [0, 1] }, ' at .n[1]'],
    ['undefined as null', { a: undefined }, { a: null }, ' at .a'],
    ['a member that is undefined as none', { a: undefined, b: 1 }, { b: 1 }, ' at .a'],
    ['a member as one more', { a: 1 }, { a: 1, b: 2 }, ''],
    ['an array as a shorter one', [1, 2], [1], ' at [1]'],
    ['an array as a longer one', [1], [1, 2], ''],
    ['an array as an object', [], {}, ''],
    ['a Map as an object', { m: new Map() }, { m: {} }, ' at .m'],
    ['a key of a Map', new Map([[1, 2]]), new Map([['1', 2]]), ' at [key 0]'],
    ['a value of a Map', new Map([['x', { a: 1 }]]), new Map([['x', { a: 2 }]]), ' at .get("x").a'],
    ['the order of a Map', new Map([['x', 1], ['y', 1]]), new Map([['y', 1], ['x', 1]]), ' at [key 0]'], // biome-ignore format: one line a case
    ['a member of a Set', new Set([1]), new Set([2]), ' at [member 0]'],
    ['a Date by a millisecond', { at: new Date(1) }, { at: new Date(0) }, ' at .at'],
    ['a Date as a number', { at: new Date(1) }, { at: 1 }, ' at .at'],
    ['a RegExp without flags', /a/g, /a/, ''],
    ['a typed array of another type', new Uint8Array(4), new Int8Array(4), ''],
    ['a typed array with another byte', [Float64Array.of(0.5)], [Float64Array.of(0.25)], ' at [0]'],
  ])('%s', (_, value, back, path) => {
    const failure = failureOf(value, giving(back))
    expect(failure).toMatchObject({ code: 'NOT_ENCODABLE', place: `${place}${path}` })
    expect(failure.message.length).toBeLessThan(350)
  })

  test.each<[string, unknown, string]>([
    ['a lone surrogate', { text: ['a\ud800'] }, ' at .text[0]'],
    ['a key __proto__', JSON.parse('{ "a": { "__proto__": 1 } }'), ' at .a.__proto__'],
  ])('by msgpack: %s', (_, value, path) => {
    expect(failureOf(value, msgpack)).toMatchObject({ code: 'NOT_ENCODABLE', place: `${place}${path}` })
  })
})

test('what an encoding cannot read again is NOT_ENCODABLE', () => {
  const decode = () => {
    throw new Error('not mine')
  }
  const failure = failureOf({ a: 1 }, { ...msgpack, decode })
  expect(failure).toMatchObject({ code: 'NOT_ENCODABLE', place })
  expect(failure.message).toContain('not mine')
})
