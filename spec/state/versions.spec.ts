import { expect, test } from 'vitest'
import { ABSENT, noVersion } from '../../lib/state/entry.ts'
import { Versions } from '../../lib/state/versions.ts'

test('a capture sees the newest version that is not newer than itself', () => {
  const versions = new Versions<string>()
  const a = versions.keep({ value: 'a', epoch: 0, older: noVersion }, 2)
  const b = versions.keep({ value: 'b', epoch: 2, older: a }, 5)
  expect([0, 1, 2, 3, 4].map(capture => versions.find(b, capture))).toEqual(['a', 'a', 'b', 'b', 'b'])
  const c = versions.keep({ value: 'c', epoch: 3, older: noVersion }, 4)
  expect([2, 3].map(capture => versions.find(c, capture))).toEqual([ABSENT, 'c'])
})

test('captures that close in the order in which they opened free their places', () => {
  const versions = new Versions<number>()
  for (let capture = 0; capture < 100; capture++) {
    for (let i = 0; i < 1_000; i++) versions.keep({ value: i, epoch: capture, older: noVersion }, capture + 1)
    versions.release([capture, capture + 1])
    expect(versions.count([capture, capture + 1])).toBe(1_000)
    // Of two captures, and of the two chunks where these begin and end.
    expect(versions.places).toBeLessThan(2 * 1_000 + 2 * 256)
  }
  versions.release([])
  expect(versions.places).toBe(0)
})
