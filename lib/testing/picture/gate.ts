import type { Observable } from 'rxjs'
import { Channel } from '../../channel/channel.ts'
import { type Appetite, ChannelGate, Gate, type GateOrder } from '../../channel/gate.ts'
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

/** A gate over channels that lanes feed, which takes when it is told to, and tells its orders. */
export class LaneGate<T> extends Gate<T> {
  readonly lanes: readonly string[]
  /** An order is being carried out. */
  onOrder: (order: GateOrder) => void = ignore
  readonly #gate: ChannelGate<T>

  constructor(lanes: Readonly<Record<string, Stream<T>>>, takes$: Observable<Appetite['takes']>) {
    const channels = Object.values(lanes).map(lane => ({ lane, channel: new Channel<T>() }))
    const gate = new ChannelGate(channels.map(({ channel }) => channel))
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

/** A lane is as long as it is drawn. */

const ignore = () => {}
