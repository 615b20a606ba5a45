import { invariant } from '../invariant.ts'
import type { ChannelData, OutputData, ReadSnapshot, RestoredTask, TaskId } from './snapshot.ts'

/**
 * What all tasks of a checkpoint are restored from: what a barrier has passed in a sending half goes to the consumer's channel,
 * behind the consumer's own in-flight data, which was sent before it.
 */
export const delivered = (snapshots: ReadonlyMap<TaskId, ReadSnapshot>): ReadonlyMap<TaskId, RestoredTask> => {
  const byConsumer = new Map<TaskId, OutputData[]>()
  for (const { outputs } of snapshots.values()) {
    for (const data of outputs) {
      const known = byConsumer.get(data.to)
      if (known === undefined) byConsumer.set(data.to, [data])
      else known.push(data)
    }
  }
  for (const to of byConsumer.keys()) {
    invariant(snapshots.get(to)?.ended === false, () => `${to}, to which data is on its way, has not ended`)
  }
  return new Map(
    Array.from(snapshots, ([task, { ended, operators, inFlight }]) => {
      const sent = byConsumer.get(task) ?? []
      return [task, { ended, operators, inFlight: sent.length === 0 ? inFlight : behind(inFlight, sent) }]
    }),
  )
}

/** What was sent comes behind what stands in the consumer's channel, but before what is held back there for a later generation. */
const behind = (own: readonly ChannelData[], sent: readonly OutputData[]): readonly ChannelData[] => {
  const inFlight = [...own]
  // The oldest of a channel comes first: what stands in it, if anything does.
  const oldest = new Map(own.map((data, index) => [channelOf(data), index] as const).reverse())
  for (const { input, from, generation, elements } of sent) {
    const index = oldest.get(channelOf({ input, from })) ?? -1
    const before = inFlight[index]
    if (before === undefined || isLater(before.generation, generation))
      inFlight.push({ input, from, generation, elements })
    else inFlight[index] = { ...before, elements: [...before.elements, ...elements] }
  }
  return inFlight
}

const channelOf = ({ input, from }: Pick<ChannelData, 'input' | 'from'>): string => `${input} ${from}`

/** What has no generation is newer than all. */
const isLater = (a: number | undefined, b: number | undefined): boolean =>
  (a ?? Number.POSITIVE_INFINITY) > (b ?? Number.POSITIVE_INFINITY)
