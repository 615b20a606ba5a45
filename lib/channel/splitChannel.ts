import type { SchedulerLike } from 'rxjs'
import type { Barrier, CheckpointId, StreamElement } from '../element.ts'
import { invariant } from '../invariant.ts'
import {
  Channel,
  type Consumer,
  type InFlight,
  type Producer,
  type ReceivingHalf,
  type SendingHalf,
} from './channel.ts'

export interface SplitChannelOptions {
  /** Credits: buffers that may be on the link or in the receiver. */
  readonly buffersMax: number
  /** Of the link, each way. */
  readonly latencyMs: number
  readonly scheduler: SchedulerLike
}

/** What goes over the link to the receiver: an element, and how many records went before it. */
export interface Sent<T> {
  readonly sequence: number
  readonly element: StreamElement<T>
}

/**
 * A channel of two halves, joined by an asynchronous link that keeps order: what is sent arrives later, and a buffer is only
 * sent when the receiver has room for it (a credit). What is no buffer needs no credit, but waits for those before it;
 * unaligned barriers pass what waits in both halves, and nothing of what is on the link.
 *
 * In-flight data is the receiver's: what waits there and what arrives before the barrier; and what the barrier has passed in
 * the sending half (`overtaken`), which is newer. Bound: a credit for each buffer on the link or in the receiver,
 * beside those of the writer's pool, which wait in the sending half.
 * Source: credits as in Flink's network stack; sequence numbers count records.
 */
export const splitChannel = <T>(
  options: SplitChannelOptions,
): { readonly sending: SplitSending<T>; readonly receiving: ReceivingHalf<T> } => {
  const receiving = new SplitReceiving<T>(options)
  const sending = new SplitSending<T>(options, sent => receiving.arrived(sent))
  receiving.onCredit = () => sending.credited()
  receiving.onAnnounced = bufferRecordsMax => sending.announced(bufferRecordsMax)
  return { sending, receiving }
}

/** The producer's half. */
export class SplitSending<T> implements SendingHalf<T>, Consumer<T> {
  producer: Producer | undefined = undefined
  bufferRecordsMax = Number.POSITIVE_INFINITY
  filling = false
  readonly keepsOrder = false
  readonly #options: SplitChannelOptions
  readonly #deliver: (sent: Sent<T>) => void
  readonly #queue: Channel<T>
  #credits: number
  #recordsSent = 0
  #sending = false
  /** Checkpoints whose barriers wait here. */
  #barriers: readonly CheckpointId[] = []
  #timedOut: CheckpointId | undefined

  constructor(options: SplitChannelOptions, deliver: (sent: Sent<T>) => void) {
    this.#options = options
    this.#deliver = deliver
    this.#credits = options.buffersMax
    this.#queue = new Channel<T>()
    this.#queue.connect(this, 0)
    this.#queue.producer = {
      restored: () => {},
      taken: queued => this.producer?.taken(queued),
      announced: () => {},
    }
  }

  get queued(): number {
    return this.#queue.queued
  }

  push(element: StreamElement<T>): void {
    if (element.kind === 'barrier') this.#barriers = [...this.#barriers, element.checkpoint]
    this.#queue.push(element)
  }

  pushBeforeEnd(barrier: Barrier): void {
    if (this.#queue.head === undefined) return
    this.#barriers = [...this.#barriers, barrier.checkpoint]
    this.#queue.pushBeforeEnd(barrier)
  }

  /** What the checkpoint's unaligned barrier has passed here: asked for as soon as it has been pushed. */
  overtaken(checkpoint: CheckpointId): readonly InFlight<T>[] {
    return this.#queue.capture(checkpoint)
  }

  /** The checkpoint's barrier is still here. */
  holds(checkpoint: CheckpointId): boolean {
    return this.#barriers.includes(checkpoint)
  }

  /** The barrier has timed out: if it is still here it goes at once, unaligned, and what it passes is given. */
  timeOut(checkpoint: CheckpointId): readonly InFlight<T>[] {
    if (!this.holds(checkpoint)) return []
    const passed = this.#queue.capture(checkpoint)
    this.#timedOut = checkpoint
    this.#queue.prioritize(checkpoint)
    this.#send()
    return passed
  }

  announced(bufferRecordsMax: number): void {
    this.bufferRecordsMax = bufferRecordsMax
    this.producer?.announced()
  }

  credited(): void {
    this.#credits++
    this.#send()
  }

  arrived(): void {
    this.#send()
  }

  captured(): void {
    invariant(false, () => 'a barrier is in the sending half before what it has passed there is asked for')
  }

  #send(): void {
    // Taking tells the producer, which may push: that is sent behind.
    if (this.#sending) return
    this.#sending = true
    for (let head = this.#queue.head; head !== undefined; head = this.#queue.head) {
      if (head.kind === 'buffer') {
        if (this.#credits === 0) break
        this.#credits--
      }
      this.#sendOne(this.#queue.take(Number.POSITIVE_INFINITY))
    }
    this.#sending = false
  }

  #sendOne(taken: StreamElement<T>): void {
    const { scheduler, latencyMs } = this.#options
    const sent = { sequence: this.#recordsSent, element: this.#asItIsNow(taken) }
    if (taken.kind === 'buffer') this.#recordsSent += taken.records.length
    scheduler.schedule(() => this.#deliver(sent), latencyMs)
  }

  #asItIsNow(taken: StreamElement<T>): StreamElement<T> {
    if (taken.kind !== 'barrier') return taken
    this.#barriers = this.#barriers.filter(checkpoint => checkpoint !== taken.checkpoint)
    return taken.checkpoint === this.#timedOut ? { ...taken, alignment: 'unaligned' } : taken
  }
}

/** The consumer's half. */
class SplitReceiving<T> implements ReceivingHalf<T>, Producer {
  onCredit: () => void = () => {}
  onAnnounced: (bufferRecordsMax: number) => void = () => {}
  readonly #options: SplitChannelOptions
  readonly #queue: Channel<T>
  #recordsArrived = 0
  /** Restored buffers in the queue: the sender knows nothing of them. */
  #restored = 0

  constructor(options: SplitChannelOptions) {
    this.#options = options
    this.#queue = new Channel<T>()
    this.#queue.producer = this
  }

  get blocked(): boolean {
    return this.#queue.blocked
  }

  set blocked(blocked: boolean) {
    this.#queue.blocked = blocked
  }

  get head(): StreamElement<T> | undefined {
    return this.#queue.head
  }

  get headIsUnaligned(): boolean {
    return this.#queue.headIsUnaligned
  }

  connect(consumer: Consumer<T>, number: number): void {
    this.#queue.connect(consumer, number)
  }

  take(recordsMax: number): StreamElement<T> {
    return this.#queue.take(recordsMax)
  }

  capture(checkpoint: CheckpointId): readonly InFlight<T>[] {
    return this.#queue.capture(checkpoint)
  }

  endCapture(checkpoint: CheckpointId): void {
    this.#queue.endCapture(checkpoint)
  }

  prioritize(checkpoint: CheckpointId): void {
    this.#queue.prioritize(checkpoint)
  }

  hold(held: boolean): void {
    this.#queue.hold(held)
  }

  restore(elements: readonly InFlight<T>[]): void {
    this.#restored += elements.filter(({ kind }) => kind === 'buffer').length
    this.#queue.restore(elements)
  }

  restoreFirst(elements: readonly InFlight<T>[]): void {
    this.#queue.restoreFirst(elements)
  }

  arrived({ sequence, element }: Sent<T>): void {
    invariant(sequence === this.#recordsArrived, () => `record ${this.#recordsArrived} arrives next, not ${sequence}`)
    if (element.kind === 'buffer') this.#recordsArrived += element.records.length
    this.#queue.push(element)
  }

  /** Those that the sender fills are not known here. */
  get inUse(): number {
    return this.#queue.inUse
  }

  announce(bufferRecordsMax: number): void {
    this.#options.scheduler.schedule(() => this.onAnnounced(bufferRecordsMax), this.#options.latencyMs)
  }

  announced(): void {}

  restored(): void {}

  taken(): void {
    if (this.#restored > 0) this.#restored--
    else this.#options.scheduler.schedule(() => this.onCredit(), this.#options.latencyMs)
  }
}
