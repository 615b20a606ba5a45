import { expect, test } from 'vitest'
import { Channel } from '../../lib/channel/channel.ts'
import { barrier } from '../../lib/element.ts'
import { Outboxes } from '../../lib/runtime/outboxes.ts'
import { elements, picture } from '../channel/pictures.ts'

/** What waits before the barrier, while the task sends this generation of recovered data. */
const captured = (waiting: string, sent: number | undefined) => {
  const channel = new Channel<unknown>()
  for (const element of elements(waiting)) channel.push(element)
  channel.push(barrier(1, { alignment: 'unaligned' }))
  const outbox = { onLeft: () => {}, holds: () => true, capture: () => channel.capture(1), prioritize: () => {} }
  const outboxes = new Outboxes([{ outbox, to: 'b/0', input: 0, from: 1 }], () => {})
  return outboxes.capture(1, sent).map(({ generation, elements: of, ...channel }) => ({
    ...channel,
    generation,
    of: of.map(picture as any).join(' '),
  }))
}

test.each<[claim: string, waiting: string, sent: number | undefined, generation: number | undefined]>([
  ['what has no marker is of the generation that the task sends now', 'a w1 b', 2, 2],
  ['what comes before a marker is of its generation', 'a ^1 b', 2, 1],
  ['the first of several markers says it', '^0 ^1 a ^2', 3, 0],
  ['once the task has sent all markers, what comes behind the last is newer than all', 'a b', undefined, undefined],
  ['but not what comes before it', 'a ^2 b', undefined, 2],
])('%s', (_, waiting, sent, generation) => {
  expect(captured(waiting, sent)).toEqual([{ to: 'b/0', input: 0, from: 1, generation, of: waiting }])
})

test('channels in which nothing waits have no share', () => {
  expect(captured('', 1)).toEqual([])
})
