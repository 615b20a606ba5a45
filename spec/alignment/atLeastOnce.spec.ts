import { expect, test } from 'vitest'
import { type AlignmentState, alignment, initialAlignment } from '../../lib/alignment/alignment.ts'
import { barrier } from '../../lib/element.ts'

const taken = (state: AlignmentState, of: { channel: number; checkpoint: number }) =>
  alignment(state, {
    kind: 'barrier',
    channel: of.channel,
    barrier: barrier(of.checkpoint),
    nowMs: 0,
    buffers: 0,
  })

test('the 51st checkpoint under way drops the oldest, whose last barrier then does nothing', () => {
  let state = initialAlignment(2, 'at-least-once')
  for (let checkpoint = 1; checkpoint <= 51; checkpoint++) [state] = taken(state, { channel: 0, checkpoint })
  expect(taken(state, { channel: 1, checkpoint: 1 })[1]).toEqual([])
  expect(taken(state, { channel: 1, checkpoint: 2 })[1]).toMatchObject([{ kind: 'begin' }, { kind: 'aligned' }])
})
