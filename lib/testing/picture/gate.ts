import type { Observable } from 'rxjs'
import { Channel, type ReceivingHalf } from '../../channel/channel.ts'
import { type Appetite, ChannelGate, Gate, type GateOrder } from '../../channel/gate.ts'
import type { StreamElement } from '../../element.ts'
import type { Stream } from '../../graph/stream.ts'
import type { TaskLane } from './task.ts'

/**
 * The gate of a picture's task: a real gate over real channels, which the lanes feed and the task takes from.
 *
 * A lane that fails (`#`) fails the gate at once.
 */
export const gate = <T>(lanes: Readonly<Record<string, Stream<T>>>, task: TaskLane): Gate<T> => {
  const [missing] = Object.entries(lanes).find(([, lane]) => lane === undefined) ?? []
  if (missing !== undefined) throw new Error(`gate: the picture has no lane ${missing}.`)
  if (task === undefined) throw new Error('gate: the picture has no lane task, without which nothing is taken.')
  if (task.gate !== undefined) throw new Error('gate: the task of a picture has one gate.')
  task.gate = new LaneGate(lanes, task.takes$)
  return task.gate
}

/** What a lane feeds, and what the gate takes from: what is pushed has arrived. */
export interface LaneChannel<T> {
  readonly receiving: ReceivingHalf<T>
  push(element: StreamElement<T>): void
}

/** A gate over channels that lanes feed, which takes when it is told to, and tells its orders. */
export class LaneGate<T> extends Gate<T> {
  readonly lanes: readonly string[]
  /** An order is being carried out. */
  onOrder: (order: GateOrder) => void = ignore
  readonly #gate: ChannelGate<T>

  constructor(
    lanes: Readonly<Record<string, Stream<T>>>,
    takes$: Observable<Appetite['takes']>,
    channelOf: () => LaneChannel<T> = oneQueue,
  ) {
    const channels = Object.values(lanes).map(lane => ({ lane, channel: channelOf() }))
    const gate = new ChannelGate(channels.map(({ channel }) => channel.receiving))
    super(subscriber => {
      subscriber.add(gate.subscribe(subscriber))
      // Before the task, so that what arrives in a column can be taken in it.
      for (const { lane, channel } of channels) {
        subscriber.add(
          lane.subscribe({ next: element => channel.push(element), error: error => subscriber.error(error) }),
        )
      }
      subscriber.add(takes$.subscribe(takes => gate.take({ recordsMax: Number.POSITIVE_INFINITY, takes })))
    })
    this.lanes = Object.keys(lanes)
    this.#gate = gate
  }

  get channels(): number {
    return this.lanes.length
  }

  perform(order: GateOrder): void {
    this.onOrder(order)
    this.#gate.perform(order)
  }
}

const oneQueue = <T>(): LaneChannel<T> => {
  const channel = new Channel<T>()
  return { receiving: channel, push: element => channel.push(element) }
}

const ignore = () => {}
