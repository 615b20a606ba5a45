import { type Buffer, recovered, type StreamElement } from '../../element.ts'
import { invariant } from '../../invariant.ts'
import type { ChannelData, RestoredTask } from '../snapshot.ts'
import { sharesOfBuffer } from './buffers.ts'
import { heirOf, type Spread } from './spread.ts'

/**
 * By new tasks: the in-flight data of a stage's channels, and behind that of each channel the marker of the generations
 * (`lib/channel/generations.ts`).
 *
 * | exchange  | goes to                                                                      | order that is kept |
 * | --------- | ---------------------------------------------------------------------------- | ------------------ |
 * | keyed     | each record to the owner of its key group                                      | per key            |
 * | forward   | an old channel whole to the heir of its task; several stand one after the other | of the channel     |
 * | rebalance | buffers in turns                                                               | none               |
 *
 * What an old producer sent comes from its heir. Watermarks, idle and active are left out: one of an old channel does not hold
 * for what stands beside it in a new one, and whatever the sources say again at their start passes all that was in flight.
 * Markers of a recovery that was still under way are left out too: its generations become one.
 */
export const redistributedInFlight = (
  tasks: readonly RestoredTask[],
  spread: Spread,
): readonly (readonly ChannelData[])[] => {
  const { after, inputs } = spread
  const channels = Array.from({ length: after }, (_, task) =>
    inputs.map((exchange, input) => channelsOf(exchange, { task, input, after })),
  )
  const put = (task: number, input: number, from: number, buffer: Buffer<unknown>) => {
    const to = channels[task]?.[input]?.find(channel => channel.from === from)
    invariant(to !== undefined, () => `input ${input} of task ${task} has a channel from task ${from}`)
    to.elements.push(buffer)
  }
  let turn = 0
  for (const [old, { inFlight }] of tasks.entries()) {
    for (const { input, from, elements } of inFlight) {
      const heir = heirOf(from, spread)
      for (const element of elements) {
        if (element.kind !== 'buffer') continue
        switch (inputs[input]) {
          case 'rebalance':
            put(turn++ % after, input, heir, element)
            break
          case 'forward':
            put(heirOf(old, spread), input, heir, element)
            break
          default:
            for (const [task, share] of sharesOfBuffer(element, old, spread).entries()) {
              if (share !== undefined) put(task, input, heir, share)
            }
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

const channelsOf = (
  exchange: Spread['inputs'][number],
  { task, input, after }: { readonly task: number; readonly input: number; readonly after: number },
): readonly Filling[] =>
  exchange === 'forward'
    ? [{ input, from: task, elements: [] }]
    : Array.from({ length: after }, (_, from) => ({ input, from, elements: [] }))
