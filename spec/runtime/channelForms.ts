import { asapScheduler, type SchedulerLike } from 'rxjs'
import type { Environment } from 'spillway/testing'
import { splitChannel } from '../../lib/channel/splitChannel.ts'

const latencyMs = 0.1

/** What an environment gives for both forms of the channel; links are short. */
export const channelForms: readonly {
  readonly form: 'one queue' | 'two halves'
  readonly latencyMs: number
  readonly channelIn: (scheduler: SchedulerLike) => Pick<Environment, 'channel'>
}[] = [
  { form: 'one queue', latencyMs: 0, channelIn: () => ({}) },
  {
    form: 'two halves',
    latencyMs,
    channelIn: scheduler => ({ channel: () => splitChannel({ buffersMax: 1, latencyMs, scheduler }) }),
  },
]

export type ChannelForm = (typeof channelForms)[number]

/** Of two halves whose link takes no time, but is asynchronous: for environments without virtual time. */
export const promptHalves: Pick<Environment, 'channel'> = {
  channel: () => splitChannel({ buffersMax: 1, latencyMs: 0, scheduler: asapScheduler }),
}
