import { expect, test } from 'vitest'
import { CaptureBudget } from '../../lib/channel/captureBudget.ts'
import { Channel } from '../../lib/channel/channel.ts'
import { SnapshotUnderWay } from '../../lib/runtime/snapshotUnderWay.ts'
import { elements, picture } from '../channel/pictures.ts'

/** Three channels of input 0; of the second two markers have been delivered, of the others one. */
const begun = (
  parked: readonly (readonly [channel: number, generation: number, pictures: string])[],
  budget = new CaptureBudget(10),
) =>
  new SnapshotUnderWay({
    task: 'b/0',
    epoch: 1,
    checkpoint: 1,
    operators: [],
    durable: [],
    syncMs: 0,
    begunAtMs: 0,
    buffers: budget.hold(),
    channels: [0, 1, 2].map(from => ({ channel: new Channel(), input: 0, from })),
    recovering: {
      generations: { count: 4, generation: 1, delivered: [1, 2, 1] },
      parked: parked.map(([channel, generation, pictures]) => ({ channel, generation, elements: elements(pictures) })),
    },
  })

const finished = (snapshot: SnapshotUnderWay) =>
  snapshot.finished({ startDelayMs: 0, alignmentMs: 0, processedDuringAlignment: 0 }, 0)

const inFlight = (snapshot: SnapshotUnderWay) => {
  const of = finished(snapshot)
  if (of.kind === 'declined') throw new Error(of.reason)
  return of.inFlight.map(
    ({ from, generation, elements: data }) => `${from}@${generation} ${data.map(picture as any).join(' ')}`,
  )
}

const captured = (channel: number, pictures: string) =>
  ({ kind: 'captured', checkpoint: 1, channel, elements: elements(pictures) }) as const

test('what stands in a channel begins in the generation whose marker it delivers next', () => {
  const snapshot = begun([])
  snapshot.capture(captured(1, 'a ^2'))
  snapshot.capture(captured(0, 'b'))
  snapshot.capture(captured(1, 'c'))
  expect(inFlight(snapshot)).toEqual(['1@2 a ^2 c', '0@1 b'])
})

test('restored data of a later generation comes before what stands in its channel, if that begins in it', () => {
  const snapshot = begun([
    [0, 2, 'r'],
    [0, 3, 's'],
    [1, 2, 'u'],
    [2, 2, 'v'],
  ])
  snapshot.capture(captured(0, 'a ^1 b'))
  snapshot.capture(captured(1, '^2 c'))
  expect(inFlight(snapshot)).toEqual(['1@2 u ^2 c', '0@1 a ^1 b', '0@2 r', '0@3 s', '2@2 v'])
})

test('what was captured for another checkpoint is not in it', () => {
  const snapshot = begun([])
  snapshot.capture({ ...captured(0, 'a'), checkpoint: 2 })
  expect(inFlight(snapshot)).toEqual([])
})

test('what is held back counts in what snapshots may hold', () => {
  const budget = new CaptureBudget(2)
  const snapshot = begun(
    [
      [0, 1, 'r'],
      [0, 2, 's'],
    ],
    budget,
  )
  expect(budget.held).toBe(2)
  snapshot.capture(captured(1, 'a'))
  expect(finished(snapshot).kind).toBe('declined')
  expect(budget.held).toBe(0)
})
