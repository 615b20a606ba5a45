import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ChannelWatermarks } from '../../lib/time/watermarks.ts'

type Step = readonly [of: 'advance' | 'idle' | 'active' | 'end', channel: number, timeMs?: number]

/** What follows for the task from each step: its own watermark, or that it is idle or active, or `-`. */
const told = (steps: readonly Step[], watermarks = new ChannelWatermarks(2)): readonly string[] =>
  steps.map(([of, channel, timeMs]) => {
    if (of === 'advance') return String(watermarks.advance(channel, timeMs as number) ?? '-')
    const own = of === 'end' ? watermarks.end(channel) : watermarks.setIdle(channel, of === 'idle')
    const advancedMs = watermarks.advanceWithoutIdle()
    return [own, advancedMs].filter(said => said !== undefined).join(' ') || '-'
  })

const cases: readonly (readonly [claim: string, steps: readonly Step[], told: readonly string[]])[] = [
  [
    'the smallest watermark counts',
    [
      ['advance', 0, 5],
      ['advance', 1, 3],
      ['advance', 1, 9],
    ],
    ['-', '3', '5'],
  ],
  [
    'a channel without one holds it back',
    [
      ['advance', 0, 5],
      ['advance', 0, 6],
    ],
    ['-', '-'],
  ],
  [
    'a watermark that goes back is ignored',
    [
      ['advance', 0, 5],
      ['advance', 1, 5],
      ['advance', 0, 2],
      ['advance', 1, 7],
      ['advance', 0, 6],
    ],
    ['-', '5', '-', '-', '6'],
  ],
  [
    'an idle channel does not count',
    [
      ['advance', 0, 5],
      ['idle', 1],
      ['advance', 0, 6],
    ],
    ['-', '5', '6'],
  ],
  [
    'one that is active again does',
    [
      ['advance', 0, 5],
      ['idle', 1],
      ['active', 1],
      ['advance', 0, 6],
      ['advance', 1, 9],
    ],
    ['-', '5', '-', '-', '6'],
  ],
  [
    'time does not go back when a channel that is behind becomes active',
    [
      ['advance', 0, 5],
      ['idle', 1],
      ['active', 1],
      ['advance', 1, 3],
    ],
    ['-', '5', '-', '-'],
  ],
  [
    'the task is idle when all channels are, and told once',
    [
      ['idle', 0],
      ['idle', 0],
      ['idle', 1],
      ['idle', 1],
      ['active', 0],
      ['active', 1],
    ],
    ['-', '-', 'idle', '-', 'active', '-'],
  ],
  [
    'an ended channel does not count',
    [
      ['advance', 0, 5],
      ['end', 1],
      ['advance', 0, 6],
    ],
    ['-', '5', '6'],
  ],
  [
    'the task is idle when all channels that have not ended are',
    [
      ['idle', 0],
      ['end', 1],
      ['active', 0],
    ],
    ['-', 'idle', 'active'],
  ],
  [
    'when all have ended nothing follows any more',
    [
      ['advance', 0, 5],
      ['end', 0],
      ['end', 1],
    ],
    ['-', '-', '-'],
  ],
  [
    'what has been idle to the end stays idle',
    [
      ['idle', 0],
      ['idle', 1],
      ['end', 0],
      ['end', 1],
    ],
    ['-', 'idle', '-', '-'],
  ],
  [
    'an infinite watermark is one',
    [
      ['advance', 0, Number.POSITIVE_INFINITY],
      ['advance', 1, 3],
      ['advance', 1, Number.POSITIVE_INFINITY],
    ],
    ['-', '3', 'Infinity'],
  ],
]

test.each(cases)('%s', (_, steps, expected) => {
  expect(told(steps)).toEqual(expected)
})

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: fc.tuple(fc.constant('advance' as const), fc.nat(2), fc.nat(20)) },
  { weight: 3, arbitrary: fc.tuple(fc.constantFrom('idle' as const, 'active' as const), fc.nat(2)) },
)

test('captured anywhere and restored, the rest is told as without a restore', () => {
  fc.assert(
    fc.property(
      fc.array(step, { maxLength: 20, size: 'max' }),
      fc.array(step, { maxLength: 20, size: 'max' }),
      (before, after) => {
        const undisturbed = new ChannelWatermarks(3)
        told(before, undisturbed)
        const captured = undisturbed.capture()
        const expected = told(after, undisturbed)
        expect(told(after, new ChannelWatermarks(3, structuredClone(captured)))).toEqual(expected)
      },
    ),
  )
})

test('what is told of the task’s own watermark only grows', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40, size: 'max' }), steps => {
      const times = told(steps, new ChannelWatermarks(3))
        .flatMap(said => said.match(/\d+/g) ?? [])
        .map(Number)
      expect(times).toEqual([...new Set(times)].sort((a, b) => a - b))
    }),
  )
})
