import { expect, test } from 'vitest'
import { fromIterable } from '../../../operators/sources/fromIterable.ts'
import { readSplit } from './readSplit.ts'

const letters = ['a', 'b', 'c', 'd', 'e']

test('the iterable is read to its end', async () => {
  expect(
    (
      await readSplit(
        fromIterable(() => letters),
        '0/1',
      )
    ).records,
  ).toEqual(letters)
})

test('the position before the first record read again is the restored one', () => {
  expect(
    fromIterable(() => letters)
      .open('0/1', 3)
      .position(),
  ).toBe(3)
})

test('an endless iterable is read no further than asked, and told when it is no longer needed', () => {
  let made = 0
  let closed = false
  const source = fromIterable(function* () {
    try {
      for (;;) yield made++
    } finally {
      closed = true
    }
  })
  const reader = source.open('0/1', undefined)
  expect(made).toBe(0)
  expect(reader.next(3)).toEqual([0, 1, 2])
  expect(made).toBe(3)
  reader.close()
  expect(closed).toBe(true)
})

test('an iterable that throws is an error that names the record', async () => {
  const source = fromIterable(function* () {
    yield 1
    throw new Error('boom')
  })
  await expect(readSplit(source, '0/1')).rejects.toMatchObject({
    code: 'READ_FAILED',
    message: expect.stringContaining('record 2 could not be read: boom'),
  })
})

test('an iterable that has become shorter is an error at a restore', async () => {
  await expect(
    readSplit(
      fromIterable(() => letters),
      '0/1',
      { from: 6 },
    ),
  ).rejects.toMatchObject({
    code: 'READ_FAILED',
    message: expect.stringContaining('6 records were read before the restore, but there are only 5 now'),
  })
})
