import { expect, test } from 'vitest'
import {
  type GenerationEffect,
  type Generations,
  generations,
  initialGenerations,
} from '../../lib/channel/generations.ts'

/** `A^` a marker of channel A, `A‖` its last, `A|` its end; what comes of it: `B A` released, `^` or `‖` sent. */
const told = (channels: number, events: string): string => {
  let state: Generations = initialGenerations(channels)
  return events
    .split(' ')
    .map(([lane = '', what]) => {
      const channel = lane.charCodeAt(0) - 65
      const [next, effects] = generations(
        state,
        what === '|' ? { kind: 'end', channel } : { kind: 'marker', channel, last: what === '‖' },
      )
      state = next
      return `${lane}${what}${effects.map(shown).join('')}`
    })
    .join(' ')
}

const shown = (effect: GenerationEffect): string =>
  effect.kind === 'send'
    ? `>${effect.last ? '‖' : '^'}`
    : `(${effect.channels.map(channel => String.fromCharCode(65 + channel)).join('')})`

test.each([
  ['a channel is held behind its marker until all have delivered theirs', 2, 'A^ B^(AB)>^'],
  ['the last marker is sent once all channels have delivered their last', 2, 'A^ B^(AB)>^ A‖ B‖(AB)>‖'],
  ['a channel that has delivered its last marker is waited for no more', 2, 'A‖ B^(AB)>^ B^(B)>^ B‖(B)>‖'],
  ['an end counts as the last marker, and is not held', 2, 'A^ B|(A)>^ A‖(A)>‖'],
  ['a task whose channels have all ended has sent its last marker', 2, 'A| B|()>‖'],
  ['one channel passes from generation to generation', 1, 'A^(A)>^ A^(A)>^ A‖(A)>‖'],
])('%s', (_, channels, picture) => {
  expect(told(channels, picture.replace(/\([A-Z]*\)>[‖^]/g, ''))).toBe(picture)
})
