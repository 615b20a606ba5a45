import { type Buffer, pickRecords } from '../../element.ts'
import { absurd, invariant } from '../../invariant.ts'
import type { ChannelData, RestoredTask } from '../snapshot.ts'
import { joined, sharesOfBuffer } from './buffers.ts'
import { withGenerations } from './generations.ts'
import { heirOf, type Spread, type SpreadInput } from './spread.ts'

/**
 * By new tasks: the in-flight data of a stage's channels, by the generations in which it is taken (`lib/channel/generations.ts`).
 *
 * | exchange         | goes to                                                                        | order that is kept |
 * | ---------------- | ------------------------------------------------------------------------------ | ------------------ |
 * | keyed            | each record to the owner of its key group                                       | per key            |
 * | forward, rescale | an old channel whole to the heir of its task; several stand one after the other  | of the channel     |
 * | rebalance        | buffers in turns                                                                 | none               |
 * | global           | all to the first task                                                            | of the channel     |
 * | custom           | each record where the partitioner says now                                       | of the channel     |
 * | broadcast        | an old task's remaining line to its heir alone: it is what that task had to do    | of the channel     |
 * | … of broadcast state alone | that of the first old task to all, with its broadcast state                | of the channel     |
 * | … of keys and results too | every old task's line to its heirs, in their operator's frame (`lines.ts`) | of the channel     |
 *
 * What an old producer sent comes from its heir. Watermarks, idle and active are left out: one of an old channel does not hold
 * for what stands beside it in a new one, and whatever the sources say again at their start passes all that was in flight.
 * Markers of a recovery that was still under way are left out too: its generations are among the new ones.
 */
export const redistributedInFlight = (
  tasks: readonly RestoredTask[],
  spread: Spread,
): readonly (readonly ChannelData[])[] => {
  const { after, inputs, broadcast, generations } = spread
  const channels = Array.from({ length: after }, (): Map<string, Filling> => new Map())
  /** From the heir of the old producer, or where it has no channel to the task, from another. */
  const put = (task: number, { input, from }: ChannelData, { buffer, generation }: Aged) => {
    const { producers, joined: areJoined } = inputs[input] as SpreadInput
    const heir = from % producers
    const to = areJoined(heir, task) ? heir : indexes(producers).find(other => areJoined(other, task))
    invariant(to !== undefined, () => `input ${input} of task ${task} has a channel`)
    const all = channels[task] as Map<string, Filling>
    const place = `${generation} ${input} ${to}`
    const known = all.get(place) ?? { input, from: to, generation, elements: [] }
    all.set(place, known)
    known.elements.push(buffer)
  }
  let turn = 0
  for (const [old, { inFlight }] of tasks.entries()) {
    for (const data of inFlight) {
      const input = inputs[data.input] as SpreadInput
      for (const [element, oldGeneration] of withGenerations(data.elements, data.generation ?? generations.before)) {
        if (element.kind !== 'buffer') continue
        const generation = generations.of(oldGeneration)
        const whole: Aged = { buffer: element, generation }
        switch (input.exchange) {
          case 'rebalance':
            put(turn++ % after, data, whole)
            break
          case 'global':
            put(0, data, whole)
            break
          case 'forward':
          case 'rescale':
            put(heirOf(old, spread), data, whole)
            break
          case 'broadcast':
            if (broadcast === undefined) put(heirOf(old, spread), data, whole)
            else if (broadcast.effect === 'broadcastState' && old === 0) {
              for (let task = 0; task < after; task++) put(task, data, whole)
            }
            break
          case 'custom': {
            const tasksOf = input.tasksOf?.(element.records) ?? []
            for (let task = 0; task < after; task++) {
              const own = [...tasksOf.keys()].filter(i => tasksOf[i] === task)
              if (own.length > 0) put(task, data, { buffer: pickRecords(element, own), generation })
            }
            break
          }
          case 'keyed':
            for (const [task, share] of sharesOfBuffer(element, old, spread).entries()) {
              if (share !== undefined) put(task, data, { buffer: share, generation })
            }
            break
          default:
            absurd(input.exchange)
        }
      }
    }
  }
  return channels.map(of => [...of.values()].map(data => ({ ...data, elements: joined(data.elements) })))
}

interface Aged {
  readonly buffer: Buffer<unknown>
  readonly generation: number
}

interface Filling extends ChannelData {
  readonly elements: Buffer<unknown>[]
}

const indexes = (count: number): readonly number[] => Array.from({ length: count }, (_, i) => i)
