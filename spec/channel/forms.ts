import { VirtualTimeScheduler } from 'rxjs'
import { Channel, type Halves } from '../../lib/channel/channel.ts'
import { splitChannel } from '../../lib/channel/splitChannel.ts'
import type { Barrier } from '../../lib/element.ts'
import { element, elements, picture } from './pictures.ts'

/** A form of the channel. */
export interface Form {
  readonly name: string
  /** With so many credits; `settle`: all that is on a link arrives. */
  readonly make: <T>(options?: { readonly buffersMax?: number }) => {
    readonly halves: Halves<T>
    readonly settle: () => void
  }
}

/** What holds of a channel holds of both. */
export const forms: readonly Form[] = [
  { name: 'one queue', make: <T>() => ({ halves: new Channel<T>(), settle: () => {} }) },
  {
    name: 'two halves',
    make: <T>({ buffersMax = 100 } = {}) => {
      const scheduler = new VirtualTimeScheduler()
      return {
        halves: splitChannel<T>({ buffersMax, latencyMs: 1, scheduler }),
        settle: () => scheduler.flush(),
      }
    },
  },
]

/** What is done to a channel, as a transcript's commands. */
export const commandsOf = ({ sending, receiving }: Halves<string>, said: string[]) => ({
  push: (pictures: string) => {
    for (const pushed of elements(pictures)) sending.push(pushed)
  },
  restore: (pictures: string) => receiving.restore(elements(pictures)),
  pushBeforeEnd: (of: string) => sending.pushBeforeEnd(element(of) as Barrier),
  take: (recordsMax: string) => said.push(picture(receiving.take(Number(recordsMax || 1_000)))),
  rest: () => {
    while (receiving.head !== undefined) said.push(picture(receiving.take(1_000)))
  },
  capture: (checkpoint: string) => said.push(...receiving.capture(Number(checkpoint)).map(picture)),
  head: () => said.push(receiving.headIsUnaligned ? 'unaligned' : 'other'),
  is: () => said.push(`${sending.queued} queued`),
})
