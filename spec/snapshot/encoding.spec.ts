import { deepStrictEqual } from 'node:assert'
import { createContext, runInContext } from 'node:vm'
import fc from 'fast-check'
import { pack, Unpackr, unpack } from 'msgpackr'
import { describe, expect, test } from 'vitest'
import { checkEncodable, msgpackEncoding } from '../../lib/snapshot/encoding.ts'
import { failureOf } from '../failureOf.ts'

const encoding = msgpackEncoding()
const again = (value: unknown) => encoding.decode(encoding.encode(value))

/** Same values, prototypes and order. */
function comesBack(value: unknown): void {
  checkEncodable(value, 'a value')
  const bytes = encoding.encode(value)
  const decoded = encoding.decode(bytes)
  deepStrictEqual(decoded, value)
  deepStrictEqual(encoding.encode(decoded), bytes) // order of keys, of Maps and Sets
}

describe('comes back as it was', () => {
  const numbers = [0, 1, -1, 31, 32, 63, 64, 127, 128, 255, 256, 65_535, 65_536, -32, -33, -128, -129, -32_769]
  const limits = [2 ** 31 - 1, 2 ** 31, -(2 ** 31), -(2 ** 31) - 1, 2 ** 32 - 1, 2 ** 32, 2 ** 53, -(2 ** 53)]
  const fractions = [0.1, -0.1, 1e-320, Number.MIN_VALUE, Number.MAX_VALUE, Number.NaN, Infinity, -Infinity]
  const bigints = [0n, 1n, -1n, 127n, -128n].concat(
    [63n, 64n, 65n, 71n, 72n, 127n, 128n, 1000n, 5000n].flatMap(bits => {
      const power = 1n << bits
      return [power - 1n, power, power + 1n, -power + 1n, -power, -power - 1n]
    }),
  )
  const strings = ['', 'a', 'é', '漢', '🌊', 'a\0b', '\ufeff', 'x\ufeff', `x\ufeff${'x'.repeat(100)}`]
  const lengths = [31, 32, 85, 86, 255, 256, 21_845, 21_846, 65_535, 65_536, 300_000]
  const long = lengths.flatMap(length => ['a', 'é', '漢', '🌊'].map(unit => unit.repeat(length)))
  const dates = [0, 1, -1, 999, 1000, -1000, -1001, 1.7e12 + 1, 2 ** 32 * 1000, 2 ** 34 * 1000, 8.64e15, -8.64e15]
  const buffer = Uint8Array.from({ length: 64 }, (_, i) => 255 - i).buffer
  const binary = [
    ...[Int8Array, Uint8Array, Uint8ClampedArray, Int16Array, Uint16Array, Int32Array, Uint32Array].map(
      T => new T(buffer, 8, 3),
    ),
    ...[Float32Array, Float64Array].map(T => new T(buffer, 8, 3)),
    ...[BigInt64Array, BigUint64Array].map(T => new T(buffer, 8, 3)),
    ...[0, 1, 254, 255, 256, 70_000].map(length => new Uint8Array(length).fill(7)),
    new Float64Array([Number.NaN, -0, Infinity]),
    new DataView(buffer, 3, 5),
    buffer,
    new ArrayBuffer(0),
  ]
  const objects: readonly unknown[] = [
    {},
    [],
    [[], {}, [{}]],
    { a: undefined, b: null },
    [undefined, null],
    {
      '': 1,
      'a b': 2,
      ünïcode: 3,
      'quote"\\\n\u2028': 4,
      7: 5,
      constructor: 6,
      toString: 7,
      hasOwnProperty: 8,
      toJSON: 9,
    },
    [{ a: 1, b: 2 }, { b: 1, a: 2 }, { a: 1 }, { a: 1, b: 2, c: 3 }, { a: 3, b: 4 }],
    { length: 3, size: 4, then: 'x' },
    [/a+b/giu, /(?:)/],
    Array.from({ length: 200 }, (_, i) => ({ [`k${i % 130}`]: { [`m${i % 70}`]: i, x: { y: i } } })),
    Array.from({ length: 3 }, (_, i) => Object.fromEntries(Array.from({ length: 20_000 }, (_, j) => [`${i}/${j}`, j]))),
    Array.from({ length: 70_000 }, (_, i) => i),
  ]
  const collections = [
    new Map(),
    new Set(),
    new Map<unknown, unknown>([
      [1, 'a'],
      ['1', 'b'],
      [Number.NaN, 'c'],
      [null, new Map([[{ k: 1 }, new Set([1n])]])],
      [undefined, 1],
    ]),
    new Set<unknown>([1, '1', [1], { a: 0 }, undefined]),
    new Map(Array.from({ length: 70_000 }, (_, i) => [i, `${i}`])),
    {
      kind: 'buffer',
      records: [{ a: 1 }],
      times: new Float64Array([1, 2]),
      notes: undefined,
      groups: new Uint16Array([3]),
    },
  ]
  const table = {
    numbers,
    limits,
    fractions,
    bigints,
    strings,
    long,
    dates: dates.map(ms => new Date(ms)),
    binary,
    objects,
    collections,
  }

  test.each(Object.entries(table))('%s', (_, values) => {
    for (const value of values) {
      comesBack(value)
      comesBack([value])
      comesBack({ a: { b: value }, c: new Map([['d', value]]), e: new Set([value]) })
    }
    comesBack(values)
  })

  test('booleans, null and undefined', () => comesBack([true, false, null, undefined, { a: [undefined] }]))

  test('an invalid Date', () => {
    const { at } = again({ at: new Date(Number.NaN) }) as { at: Date }
    expect(at).toBeInstanceOf(Date)
    expect(at.getTime()).toBeNaN()
  })

  test('500 levels', () => {
    let deep: unknown = 'bottom'
    for (let i = 0; i < 500; i++) deep = i % 2 === 0 ? [deep] : { deep }
    comesBack(deep)
  })

  const seed = Number(process.env.SEED ?? Date.now() % 1e9)
  test(`whatever is nested in whatever (SEED=${seed})`, () => {
    fc.assert(fc.property(anyValue, comesBack), { seed, numRuns: 1500 })
  })

  test(`several values through one encoding, in any order (SEED=${seed})`, () => {
    fc.assert(
      fc.property(fc.array(anyValue, { maxLength: 5 }), values => {
        const encoded = values.map(value => encoding.encode(value))
        for (const i of [...values.keys()].reverse()) deepStrictEqual(encoding.decode(encoded[i]!), values[i])
      }),
      { seed, numRuns: 200 },
    )
  })
})

describe('comes back as something near', () => {
  test.each([
    ['an object without a prototype, as a plain one', Object.assign(Object.create(null), { a: 1 }), { a: 1 }],
    ['a hole, as undefined', new Array(2), [undefined, undefined]],
    ['a getter, as its value', { get a() { return 1 } }, { a: 1 }], // biome-ignore format: one line a case
    ['a property with a symbol as key, not at all', { a: 1, [Symbol('b')]: 2 }, { a: 1 }],
    ['-0, as 0', [-0, { a: -0 }], [0, { a: 0 }]],
    ['a lone surrogate, as U+FFFD', 'a\ud800b'.repeat(30), 'a\ufffdb'.repeat(30)],
    ['a key __proto__, as __proto_', JSON.parse('{"__proto__": 1, "b": 2}'), { __proto_: 1, b: 2 }],
    ['a property beside the members of an array, not at all', Object.assign([1], { b: 2 }), [1]],
    ['a frozen object, unfrozen', Object.freeze({ a: 1 }), { a: 1 }],
    [
      'plain objects and arrays of another realm',
      runInContext('({ a: [1, { b: 2 }] })', createContext()),
      { a: [1, { b: 2 }] },
    ],
  ])('%s', (_, value, expected) => deepStrictEqual(again(value), expected))

  test('one object in two places, as two', () => {
    const shared = { a: 1 }
    const [first, second] = again([shared, shared]) as [object, object]
    deepStrictEqual([first, second], [shared, shared])
    expect(first).not.toBe(second)
  })
})

/** Found in a sample, because `encode` does not see it. */
describe('is refused by checkEncodable only, and comes back as', () => {
  class Names extends Array {}
  class Tags extends Set {}
  class Moment extends Date {}
  class Pixels extends Uint8Array {}
  const cases: readonly [string, object, unknown, string][] = [
    ['an Array, if it extends one', Names.of(1, 2), [1, 2], 'Names'],
    ['a Set, if it extends one', new Tags([1]), new Set([1]), 'Tags'],
    ['a Date, if it extends one', new Moment(5), new Date(5), 'Moment'],
    ['a Uint8Array, if it is a Buffer', Buffer.from('abc'), new Uint8Array([97, 98, 99]), 'Use new Uint8Array(it)'],
  ]
  const refused = (value: unknown) => failureOf(() => checkEncodable(value, 'countPerKey'))

  test.each(cases)('%s', (_, value, expected, text) => {
    expect(refused({ a: [value] })).toMatchObject({ code: 'NOT_ENCODABLE', place: 'countPerKey at .a[0]' })
    expect(refused(value).message).toContain(text)
    deepStrictEqual(again(value), expected)
  })

  test('an Error with name, message and cause, if it has more', () => {
    const error = Object.assign(new TypeError('a', { cause: 1 }), { more: 2 })
    expect(refused({ error }).message).toContain('an instance of TypeError')
    expect(again(error)).toMatchObject({ name: 'TypeError', message: 'a', cause: 1 })
    expect(again(error)).not.toHaveProperty('more')
  })

  test('nothing, if it extends a typed array', () => {
    expect(refused(new Pixels(2)).message).toContain('Use new Uint8Array(it)')
    expect(failureOf(() => again(new Pixels(2)))).toMatchObject({ code: 'DAMAGED' })
  })

  test('what it is, if it has 501 levels', () => {
    let deep: unknown = 0
    for (let i = 0; i < 501; i++) deep = [deep]
    expect(refused(deep).message).toContain('more than 500 levels')
    deepStrictEqual(again(deep), deep)
  })
})

describe('memory', () => {
  test('encoded bytes stay as they are through later calls', () => {
    const first = encoding.encode(['first', 1.5])
    const copy = first.slice()
    for (let i = 0; i < 100; i++) encoding.encode(['another', i + 0.5, 'x'.repeat(i * 1000)])
    expect(first).toEqual(copy)
    expect(first.buffer.byteLength).toBe(first.length)
  })

  test('what is decoded keeps its content when the bytes are overwritten', () => {
    const value = {
      text: 'a longer text that is not only a few letters, é',
      binary: new Uint8Array([1, 2, 3]),
      b: new DataView(new ArrayBuffer(4)),
    }
    for (const bytes of [encoding.encode(value), Buffer.from(encoding.encode(value))]) {
      const decoded = encoding.decode(bytes)
      bytes.fill(0)
      deepStrictEqual(decoded, value)
    }
  })

  test('so does what msgpackr writes as MessagePack binary: a Buffer, and in a browser each Uint8Array', () => {
    const bytes = encoding.encode(Buffer.from('abc'))
    const decoded = encoding.decode(bytes)
    bytes.fill(0)
    deepStrictEqual(decoded, new Uint8Array([97, 98, 99]))
  })

  test('a view writes only what it shows', () => {
    expect(encoding.encode(new Uint8Array(new ArrayBuffer(100_000), 50_000, 10)).length).toBeLessThan(20)
  })

  test('keys are written once a call, not once a record', () => {
    const records = Array.from({ length: 1000 }, (_, i) => ({ aRatherLongKey: i % 50, anotherRatherLongKey: i % 50 }))
    expect(encoding.encode(records).length).toBeLessThan(4000)
  })
})

describe('NOT_ENCODABLE names the path and a remedy', () => {
  class Money {
    readonly cents = 1
  }
  class Index extends Map {}
  const cycle: Record<string, unknown> = { a: [1] }
  cycle.b = { c: cycle }
  const ring: unknown[] = []
  ring.push([ring])
  const mapped = new Map<unknown, unknown>()
  mapped.set('self', { mapped })
  let deep: unknown = 0
  for (let i = 0; i < 50_000; i++) deep = [deep]

  test.each<[string, unknown, string, string]>([
    ['a function', { user: { name: 'a', callback: () => 1 } }, ' at .user.callback', 'the function callback'],
    ['a function itself', () => 1, '', 'a function'],
    ['a class', [1, { made: Money }], ' at [1].made', 'the function Money'],
    ['a symbol', { 'a b': [Symbol('x')] }, ' at ["a b"][0]', 'a symbol'],
    ['an instance', { price: new Money() }, ' at .price', 'an instance of Money'],
    ['an instance whose constructor is hidden', [Object.create({ x: 1 })], ' at [0]', 'an instance of Object'],
    ['a subclass of Map', { index: new Index() }, ' at .index', 'Index'],
    ['a Promise', { later: Promise.resolve() }, ' at .later', 'Promise'],
    ['a WeakMap', { weak: new WeakMap() }, ' at .weak', 'WeakMap'],
    ['a boxed number', { n: Object(1) }, ' at .n', 'Number'],
    ['a Map of another realm', runInContext('new Map()', createContext()), '', 'Map'],
    ['within a Map', new Map([['x', { f: () => 1 }]]), ' at .get("x").f', 'function'],
    ['a key of a Map', new Map([[{ k: Symbol('s') }, 1]]), ' at [key 0].k', 'symbol'],
    ['within a Set', new Set([1, [new Money()]]), ' at [member 1][0]', 'Money'],
    ['an instance with a toJSON', [new URL('http://a.b')], ' at [0]', 'an instance of URL'],
    ['a key __keys__', [{ a: 1 }, { b: { a: 1, __keys__: 2 } }], ' at [1].b', 'the key __keys__'],
    ['a cycle', cycle, ' at .b.c', 'found a cycle: it is the same object as the one that it is in'],
    ['a cycle of arrays', { ring }, ' at .ring[0][0]', 'the same object as the one at .ring'],
    ['a cycle through a Map', mapped, ' at .get("self").mapped', 'cycle'],
    ['50,000 levels', deep, ' at [0][0]', 'more than 500 levels'],
  ])('%s', (_, value, path, text) => {
    const failure = failureOf(() => encoding.encode(value, 'countPerKey, state count'))
    expect(failure.code).toBe('NOT_ENCODABLE')
    expect(failureOf(() => checkEncodable(value, 'countPerKey, state count'))).toEqual(failure)
    expect(failure.place.startsWith(`countPerKey, state count${path}`), failure.place).toBe(true)
    expect(failure.message).toContain(text)
    expect(failure.remedy.length).toBeGreaterThan(5)
    expect(failure.message.length).toBeLessThan(400)
    comesBack({ after: 'a failure', all: ['is well'] })
  })

  test('a getter that throws', () => {
    const getter = {
      get a() {
        throw new Error('not today')
      },
    }
    const failure = failureOf(() => encoding.encode([getter], 'a sum'))
    expect(failure).toMatchObject({ code: 'NOT_ENCODABLE', place: 'a sum at [0]' })
    expect(failure.message).toContain('not today')
  })

  test('values after a stack that overflowed while the buffer grew are whole', () => {
    const { copy } = Buffer.prototype
    Buffer.prototype.copy = () => {
      throw new RangeError('Maximum call stack size exceeded')
    }
    try {
      failureOf(() => encoding.encode('x'.repeat(2 ** 24)))
    } finally {
      Buffer.prototype.copy = copy
    }
    comesBack([1.5, 70_000])
  })
})

test('bytes that are none of its own are DAMAGED, naming the place', () => {
  for (const bytes of [[], [0xc1, 1], [0x92, 1], [0xd9, 5], [0xdd, 255, 255, 255, 255]]) {
    const failure = failureOf(() => encoding.decode(Uint8Array.from(bytes), 'e1/c1/a'))
    expect(failure).toMatchObject({ code: 'DAMAGED', place: 'e1/c1/a' })
  }
})

test('it works where code may not be generated from strings', () => {
  const records = Array.from({ length: 50 }, (_, i) => ({ a: i, b: { c: 'x' } }))
  const bytes = encoding.encode(records)
  const original = globalThis.Function
  globalThis.Function = (() => {
    throw new EvalError('unsafe-eval is not allowed')
  }) as unknown as FunctionConstructor
  try {
    expect(msgpackEncoding().decode(bytes)).toEqual(records)
  } finally {
    globalThis.Function = original
  }
})

test('any msgpackr reads it, and is itself left as it was', () => {
  const value = { a: [1, 'é', 1n << 70n], b: new Map([[new Date(5), new Set([undefined])]]) }
  deepStrictEqual(new Unpackr({ useRecords: true, moreTypes: true }).unpack(encoding.encode(value)), value)
  class Money {
    readonly cents = 1
  }
  deepStrictEqual(unpack(pack(new Money())), { cents: 1 })
})

const anyText = fc
  .oneof(fc.string(), fc.string({ unit: 'binary' }), fc.string({ unit: 'grapheme', maxLength: 300 }))
  .map(text => text.replace(/^\ufeff+/, ''))
const anyKey = fc
  .oneof({ weight: 8, arbitrary: fc.constantFrom('a', 'b', 'id', 'name', '0') }, anyText)
  .filter(key => key !== '__proto__' && key !== '__keys__')

const { value: anyValue } = fc.letrec<{ value: unknown }>(tie => ({
  value: fc.oneof(
    { maxDepth: 5, withCrossShrink: true },
    fc.oneof(
      fc.double().map(number => (number === 0 ? 0 : number)),
      fc.integer(),
      fc.nat(300),
      fc.maxSafeInteger(),
      fc.bigInt(),
      fc.bigInt({ min: -(1n << 200n), max: 1n << 200n }),
      anyText,
      fc.boolean(),
      fc.constantFrom(null, undefined, Number.NaN, Infinity),
      fc.date({ noInvalidDate: true }),
      fc.float64Array(),
      fc.uint8Array().map(array => array.subarray(1)),
      fc.int16Array(),
      fc.bigUint64Array(),
    ),
    fc.array(tie('value'), { maxLength: 6 }),
    fc.array(fc.tuple(anyKey, tie('value')), { maxLength: 6 }).map(entries => Object.fromEntries(entries)),
    fc.array(fc.tuple(tie('value'), tie('value')), { maxLength: 4 }).map(entries => new Map(entries)),
    fc.array(tie('value'), { maxLength: 4 }).map(members => new Set(members)),
  ),
}))
