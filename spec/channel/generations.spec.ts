import { expect, test } from 'vitest'
import { generations, initialGenerations, isHeld, isOver, mayPass } from '../../lib/channel/generations.ts'

/** `A^` a marker of channel A, after which those in parentheses are held; `>1` the task passes to generation 1 as soon as it may. */
const told = (count: number, channels: number, events: string): string => {
  let state = initialGenerations(count, channels)
  return events
    .split(' ')
    .map(lane => {
      state = generations(state, { kind: 'marker', channel: lane.charCodeAt(0) - 65 })
      const held = state.delivered.flatMap((_, channel) =>
        isHeld(state, channel) ? [String.fromCharCode(65 + channel)] : [],
      )
      const parts = [`${lane}^(${held.join('')})`]
      while (!isOver(state) && mayPass(state)) {
        state = generations(state, { kind: 'passed' })
        parts.push(`>${isOver(state) ? 'over' : state.generation}`)
      }
      return parts.join('')
    })
    .join(' ')
}

test.each([
  ['a channel is held behind its marker until all have delivered theirs', 2, 2, 'A^(A) B^(AB)>1'],
  ['the last marker ends it', 2, 2, 'A^(A) B^(AB)>1 B^(B) A^(AB)>over'],
  ['one channel passes from generation to generation', 3, 1, 'A^(A)>1 A^(A)>2 A^(A)>over'],
])('%s', (_, count, channels, picture) => {
  expect(told(count, channels, picture.replace(/\^\([A-Z]*\)(>\w+)*/g, ''))).toBe(picture)
})

test('a source passes all at once', () => {
  expect(mayPass(initialGenerations(2, 0))).toBe(true)
})
