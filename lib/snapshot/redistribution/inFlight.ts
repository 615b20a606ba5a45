import { type Buffer, pickRecords, recovered, type StreamElement } from '../../element.ts'
import { absurd, invariant } from '../../invariant.ts'
import type { ChannelData, RestoredTask } from '../snapshot.ts'
import { sharesOfBuffer } from './buffers.ts'
import { heirOf, type Spread, type SpreadInput } from './spread.ts'

/**
 * By new tasks: the in-flight data of a stage's channels, and behind that of each channel the marker of the generations
 * (`lib/channel/generations.ts`).
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
 * Markers of a recovery that was still under way are left out too: its generations become one.
 */
export const redistributedInFlight = (
  tasks: readonly RestoredTask[],
  spread: Spread,
): readonly (readonly ChannelData[])[] => {
  const { after, inputs, broadcast } = spread
  const channels = Array.from({ length: after }, (_, task) =>
    inputs.map((of, input) => channelsTo(task, { ...of, input })),
  )
  /** From the heir of the old producer, or where it has no channel to the task, from another: behind the marker that is one. */
  const put = (task: number, { input, from }: ChannelData, buffer: Buffer<unknown>) => {
    const all = channels[task]?.[input] ?? []
    const heir = from % (inputs[input] as SpreadInput).producers
    const to = all.find(channel => channel.from === heir) ?? all[0]
    invariant(to !== undefined, () => `input ${input} of task ${task} has a channel`)
    to.elements.push(buffer)
  }
  let turn = 0
  for (const [old, { inFlight }] of tasks.entries()) {
    for (const data of inFlight) {
      const input = inputs[data.input] as SpreadInput
      for (const element of data.elements) {
        if (element.kind !== 'buffer') continue
        switch (input.exchange) {
          case 'rebalance':
            put(turn++ % after, data, element)
            break
          case 'global':
            put(0, data, element)
            break
          case 'forward':
          case 'rescale':
            put(heirOf(old, spread), data, element)
            break
          case 'broadcast':
            if (broadcast === undefined) put(heirOf(old, spread), data, element)
            else if (broadcast.effect === 'broadcastState' && old === 0) {
              for (let task = 0; task < after; task++) put(task, data, element)
            }
            break
          case 'custom': {
            const tasksOf = input.tasksOf?.(element.records) ?? []
            for (let task = 0; task < after; task++) {
              const own = [...tasksOf.keys()].filter(i => tasksOf[i] === task)
              if (own.length > 0) put(task, data, pickRecords(element, own))
            }
            break
          }
          case 'keyed':
            for (const [task, share] of sharesOfBuffer(element, old, spread).entries()) {
              if (share !== undefined) put(task, data, share)
            }
            break
          default:
            absurd(input.exchange)
        }
      }
    }
  }
  for (const channel of channels.flat(2)) channel.elements.push(recovered(false))
  return channels.map(of => of.flat())
}

interface Filling extends ChannelData {
  readonly elements: StreamElement<unknown>[]
}

const channelsTo = (
  task: number,
  { producers, joined, input }: SpreadInput & { readonly input: number },
): readonly Filling[] =>
  Array.from({ length: producers }, (_, from) => ({ input, from, elements: [] })).filter(({ from }) =>
    joined(from, task),
  )
