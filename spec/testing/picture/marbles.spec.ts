import { watermark } from 'spillway'
import { map } from 'spillway/operators'
import { marbles } from 'spillway/testing'
import { test } from 'vitest'

test('an operator changes records and forwards the rest', () =>
  marbles(({ lane, expectLane }) => {
    const source = lane('a-b-w-1|', { w: watermark(10) })
    expectLane(source.pipe(map(letter => letter.toUpperCase()))).toBe('A-B-w-1|', { w: watermark(10) })
  }))
