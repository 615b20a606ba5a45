import { type SchedulerLike, Subscription } from 'rxjs'
import { type Barrier, type CheckpointId, type StreamElement, timeoutMsOf } from '../element.ts'
import { invariant } from '../invariant.ts'
import {
  Channel,
  type Consumer,
  type Halves,
  type InFlight,
  type Outbox,
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

/** What goes over the link to the receiver: an element. */
interface Sent<T> {
  /** So many records went before it. */
  readonly sequence: number
  readonly element: StreamElement<T>
  /** So many buffers wait behind it for credits. */
  readonly backlog: number
}

/** What goes over the link to the sender. */
type Answer = { readonly kind: 'credit' } | { readonly kind: 'announced'; readonly bufferRecordsMax: number }

/**
 * A channel of two halves, joined by an asynchronous link that keeps order: what is sent arrives later, and a buffer is only
 * sent when the receiver has room for it (a credit). What is no buffer needs no credit, but waits for those before it;
 * unaligned barriers pass what waits in both halves, and nothing of what is on the link.
 *
 * In-flight data is the receiver's: what waits there and what arrives before the barrier; and the producer's: what the barrier
 * has passed in the sending half (`outbox`), which is newer. A barrier of a producer that has ended follows the end, and is put
 * before it in the receiver, as long as it is there. Bound: a credit for each buffer on the link or in the receiver,
 * beside those of the writer's pool, which wait in the sending half.
 * Source: credits and backlog as in Flink's network stack; sequence numbers count records.
 */
export const splitChannel = <T>({ buffersMax, ...options }: SplitChannelOptions): Halves<T> => {
  const link = new Subscription()
  const receiving: SplitReceiving<T> = new SplitReceiving<T>(
    linked<Answer>(link, options, answer => sending.answered(answer)),
  )
  const sending: SplitSending<T> = new SplitSending<T>(
    buffersMax,
    linked<Sent<T>>(link, options, sent => receiving.arrived(sent)),
  )
  return { sending, receiving, link }
}

/** One way of the link. */
const linked =
  <A>(
    link: Subscription,
    { latencyMs, scheduler }: Omit<SplitChannelOptions, 'buffersMax'>,
    arrived: (of: A) => void,
  ): ((of: A) => void) =>
  of => {
    const underWay = scheduler.schedule(() => {
      link.remove(underWay)
      arrived(of)
    }, latencyMs)
    link.add(underWay)
  }

/** The producer's half. */
class SplitSending<T> implements SendingHalf<T>, Outbox<T>, Consumer<T> {
  producer: Producer | undefined = undefined
  onLeft: () => void = () => {}
  bufferRecordsMax = Number.POSITIVE_INFINITY
  filling = false
  readonly keepsOrder = false
  readonly #deliver: (sent: Sent<T>) => void
  readonly #queue = new Channel<T>()
  #credits: number
  #recordsSent = 0
  #sending = false
  /** Checkpoints whose barriers wait here and may time out. */
  #mayTimeOut: readonly CheckpointId[] = []
  #timedOut: CheckpointId | undefined

  constructor(credits: number, deliver: (sent: Sent<T>) => void) {
    this.#credits = credits
    this.#deliver = deliver
    this.#queue.connect(this, 0)
    this.#queue.producer = {
      restored: () => {},
      taken: queued => this.producer?.taken(queued),
      announced: () => {},
    }
  }

  get outbox(): Outbox<T> {
    return this
  }

  get queued(): number {
    return this.#queue.queued
  }

  push(element: StreamElement<T>): void {
    if (element.kind === 'barrier') this.#note(element)
    this.#queue.push(element)
  }

  pushBeforeEnd(barrier: Barrier): void {
    if (!this.holds('end')) return this.#sendOne(barrier)
    this.#note(barrier)
    this.#queue.pushBeforeEnd(barrier)
  }

  /** Behind an end nothing is pushed: it is here as long as anything is. */
  holds(what: CheckpointId | 'end'): boolean {
    return what === 'end' ? this.#queue.head !== undefined : this.#mayTimeOut.includes(what)
  }

  capture(checkpoint: CheckpointId): readonly InFlight<T>[] {
    return this.#queue.capture(checkpoint)
  }

  prioritize(checkpoint: CheckpointId): void {
    if (!this.holds(checkpoint)) return
    this.#timedOut = checkpoint
    this.#queue.prioritize(checkpoint)
    this.#send()
  }

  answered(answer: Answer): void {
    if (answer.kind === 'credit') {
      this.#credits++
      return this.#send()
    }
    this.bufferRecordsMax = answer.bufferRecordsMax
    this.producer?.announced()
  }

  arrived(): void {
    this.#send()
  }

  captured(): void {
    invariant(false, () => 'a barrier is in the sending half before what it has passed there is asked for')
  }

  #note(barrier: Barrier): void {
    if (timeoutMsOf(barrier) !== undefined) this.#mayTimeOut = [...this.#mayTimeOut, barrier.checkpoint]
  }

  #send(): void {
    // Taking tells the producer, which may push: that is sent behind.
    if (this.#sending) return
    this.#sending = true
    let left = false
    for (let head = this.#queue.head; head !== undefined; head = this.#queue.head) {
      if (head.kind === 'buffer') {
        if (this.#credits === 0) break
        this.#credits--
      }
      left ||= head.kind === 'barrier' || head.kind === 'end'
      this.#sendOne(this.#queue.take(Number.POSITIVE_INFINITY))
    }
    this.#sending = false
    if (left) this.onLeft()
  }

  #sendOne(taken: StreamElement<T>): void {
    const sequence = this.#recordsSent
    if (taken.kind === 'buffer') this.#recordsSent += taken.records.length
    this.#deliver({ sequence, element: this.#asItIsNow(taken), backlog: this.queued })
  }

  #asItIsNow(taken: StreamElement<T>): StreamElement<T> {
    if (taken.kind !== 'barrier') return taken
    this.#mayTimeOut = this.#mayTimeOut.filter(checkpoint => checkpoint !== taken.checkpoint)
    return taken.checkpoint === this.#timedOut ? { ...taken, alignment: 'unaligned' } : taken
  }
}

/** The consumer's half. */
class SplitReceiving<T> implements ReceivingHalf<T>, Producer {
  readonly #answer: (answer: Answer) => void
  readonly #queue = new Channel<T>()
  #recordsArrived = 0
  /** Restored buffers in the queue: the sender knows nothing of them. */
  #restored = 0
  #ended = false
  /** Of the sender, when it sent what arrived last. */
  #backlog = 0

  constructor(answer: (answer: Answer) => void) {
    this.#answer = answer
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

  buffersBefore(checkpoint: CheckpointId): number | undefined {
    return this.#queue.buffersBefore(checkpoint)
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

  arrived({ sequence, element, backlog }: Sent<T>): void {
    invariant(sequence === this.#recordsArrived, () => `record ${this.#recordsArrived} arrives next, not ${sequence}`)
    if (element.kind === 'buffer') this.#recordsArrived += element.records.length
    this.#backlog = backlog
    if (this.#ended && element.kind === 'barrier') return this.#queue.pushBeforeEnd(element)
    this.#ended = element.kind === 'end'
    this.#queue.push(element)
  }

  get held(): number {
    return this.#queue.held
  }

  /** Those that the sender fills are not known here, and its backlog only as of what has arrived. */
  get inUse(): number {
    return this.#queue.inUse + this.#backlog
  }

  announce(bufferRecordsMax: number): void {
    this.#answer({ kind: 'announced', bufferRecordsMax })
  }

  announced(): void {}

  restored(): void {}

  taken(): void {
    if (this.#restored > 0) this.#restored--
    else this.#answer({ kind: 'credit' })
  }
}
