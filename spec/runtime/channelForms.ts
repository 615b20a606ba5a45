import type { SchedulerLike } from 'rxjs'
import type { Environment } from 'spillway/testing'
import { splitChannel } from '../../lib/channel/splitChannel.ts'

/** What an environment gives for both forms of the channel; links are short. */
export const channelForms: readonly {
  readonly form: 'one queue' | 'two halves'
  readonly channelIn: (scheduler: SchedulerLike) => Pick<Environment, 'channel'>
}[] = [
  { form: 'one queue', channelIn: () => ({}) },
  {
    form: 'two halves',
    channelIn: scheduler => ({ channel: () => splitChannel({ buffersMax: 1, latencyMs: 0.1, scheduler }) }),
  },
]

export type ChannelForm = (typeof channelForms)[number]
