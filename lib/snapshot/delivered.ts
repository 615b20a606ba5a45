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

/** By channel: its own, then what was sent. */
const behind = (own: readonly ChannelData[], sent: readonly ChannelData[]): readonly ChannelData[] => {
  const channels = new Map<string, ChannelData>()
  for (const { input, from, elements } of [...own, ...sent]) {
    const channel = `${input} ${from}`
    channels.set(channel, { input, from, elements: [...(channels.get(channel)?.elements ?? []), ...elements] })
  }
  return [...channels.values()]
}
