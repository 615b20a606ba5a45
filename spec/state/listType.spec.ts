import * as Either from 'fp-ts/lib/Either.js'
import * as t from 'io-ts'
import { describe, expect, test } from 'vitest'
import { mismatch } from '../../lib/decode.ts'
import { listType } from '../../lib/state/listType.ts'

/** Reads '3' as 3. */
const written = new t.Type<number, string>(
  'written',
  t.number.is,
  (stored, context) => (Number.isNaN(Number(stored)) ? t.failure(stored, context) : t.success(Number(stored))),
  String,
)

describe.each([
  ['of plain values', t.number, [1, 2, 3]],
  ['of values that are stored otherwise', written, ['1', '2', '3']],
  ['that is empty', t.number, []],
  ['with one that does not decode', t.type({ n: t.number }), [{ n: 1 }, { n: 'two' }, 3]],
  ['that is none', t.number, { length: 1 }],
])('a list %s', (_, codec: t.Type<any, any>, stored: unknown) => {
  const list = listType(codec)
  const expected = t.readonlyArray(codec)

  test('decodes as by io-ts, or is refused with the same words', () => {
    const saying = (of: t.Validation<unknown>) => (Either.isLeft(of) ? mismatch(of.left) : of.right)
    expect(saying(list.decode(stored))).toEqual(saying(expected.decode(stored)))
  })

  test('encodes as by io-ts', () => {
    const values = expected.decode(stored)
    if (Either.isRight(values)) expect(list.encode(values.right)).toEqual(expected.encode(values.right))
  })
})

test('what decoding leaves as it is is not copied, and what it changes leaves the stored as it is', () => {
  const [plain, texts] = [
    [1, 2],
    ['1', '2'],
  ]
  expect(listType(t.number).decode(plain)).toEqual(Either.right(plain))
  expect((listType(t.number).decode(plain) as Either.Right<unknown>).right).toBe(plain)
  expect(listType(written).decode(texts)).toEqual(Either.right([1, 2]))
  expect(texts).toEqual(['1', '2'])
})

test('a codec has one list type, whoever asks for it', () => {
  expect(listType(written)).toBe(listType(written))
  expect(listType(written)).not.toBe(listType(t.number))
})
