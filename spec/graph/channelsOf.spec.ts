import { expect, test } from 'vitest'
import { channelsOf } from '../../lib/graph/channelsOf.ts'

const dealt = (partitioner: (n: number, channels: number) => number) =>
  channelsOf({ name: 'byNumber', partitioner, channels: 3 }, [0, 1, 2, 5])

test('a partitioner is told the number of channels and gives one for each record', () => {
  expect(dealt((n, channels) => n % channels)).toEqual([0, 1, 2, 2])
})

test.each([
  ['the number of channels', 3],
  ['below 0', -1],
  ['a fraction', 0.5],
  ['no number', Number.NaN],
  ['undefined', undefined as unknown as number],
])('%s is no channel: the error names operator and record', (_, index) => {
  expect(() => dealt(n => (n === 5 ? index : 0))).toThrow(
    expect.objectContaining({
      code: 'INVALID_PARTITION',
      place: 'byNumber',
      message: expect.stringContaining(`gave ${index} on record 5`),
    }),
  )
})

test('what a partitioner throws names operator and record', () => {
  const failing = (n: number) => {
    if (n === 2) throw new Error('odd')
    return 0
  }
  expect(() => dealt(failing)).toThrow(
    expect.objectContaining({
      code: 'USER_FUNCTION_FAILED',
      place: 'byNumber',
      message: expect.stringContaining('record 2'),
    }),
  )
})
