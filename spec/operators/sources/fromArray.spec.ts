import { expect, test } from 'vitest'
import { fromArray } from '../../../operators/sources/fromArray.ts'
import { readSplit, splitsOf } from './readSplit.ts'

const letters = ['a', 'b', 'c', 'd', 'e', 'f', 'g']

test.each([1, 2, 3, 7, 9])(
  'each record is in one of %i splits, in ranges that differ by one at the most',
  async splits => {
    const source = fromArray(letters, { splits })
    const ids = await splitsOf(source)
    expect(ids).toHaveLength(splits)
    const ranges = await Promise.all(ids.map(async id => (await readSplit(source, id)).records))
    expect(ranges.flat()).toEqual(letters)
    const lengths = ranges.map(({ length }) => length)
    expect(Math.max(...lengths) - Math.min(...lengths)).toBeLessThanOrEqual(1)
  },
)

test('an empty array ends at once', async () => {
  expect((await readSplit(fromArray([]), '0/1')).records).toEqual([])
})

test('an array that has become shorter is an error at a restore', () => {
  expect(() => fromArray(letters).open('0/1', 8)).toThrow('READ_FAILED')
  expect(() => fromArray(letters).open('0/1', 7)).not.toThrow()
})

test.each([0, -1, 1.5, Number.NaN])('%d splits are refused', splits => {
  expect(() => fromArray(letters, { splits })).toThrow('INVALID_OPTION')
})

test('the name is the verb, or what is given', () => {
  expect([fromArray(letters).name, fromArray(letters, { name: 'letters' }).name]).toEqual(['fromArray', 'letters'])
})
