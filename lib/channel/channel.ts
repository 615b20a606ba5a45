import type { Unsubscribable } from 'rxjs'
import { type Barrier, type CheckpointId, isUnaligned, type StreamElement, sliceBuffer } from '../element.ts'
import { invariant } from '../invariant.ts'

/** What stands in a channel, or passed into it, before a checkpoint's barrier: part of that checkpoint's in-flight data. */
export type InFlight<T> = StreamElement<T>

/** A new channel: what its writer and its gate see of it. */
export interface Halves<T> {
  readonly sending: SendingHalf<T>
  readonly receiving: ReceivingHalf<T>
  /** What joins them, if they are apart: closed, it loses what is on its way. */
  readonly link?: Unsubscribable
}

/** What a writer sees of a channel. */
export interface SendingHalf<T> {
  producer: Producer | undefined
  /** What waits here to be sent; undefined: what is pushed has arrived. */
  readonly outbox: Outbox<T> | undefined
  /** Buffers sent and not yet taken whole. */
  readonly queued: number
  /** Records from which on a buffer is to be sent, by its consumer's wish. */
  readonly bufferRecordsMax: number
  /** Set by the writer: a buffer is being filled for it. */
  filling: boolean
  push(element: StreamElement<T>): void
  /** Puts a barrier before the end that its producer, which has ended, has already sent. */
  pushBeforeEnd(barrier: Barrier): void
}

/** What waits in a sending half: in-flight data that its producer's snapshots hold, where a barrier passes it here. */
export interface Outbox<T> {
  /** A barrier that may time out, or the end, has left. */
  onLeft: () => void
  /** It is still here: the checkpoint's barrier, if that may time out, or the end. */
  holds(what: CheckpointId | 'end'): boolean
  /** Gives the data before the checkpoint's barrier that is still here; none if the barrier has left in its turn. */
  capture(checkpoint: CheckpointId): readonly InFlight<T>[]
  /** The checkpoint's barrier has timed out: it goes at once, unaligned, if it is still here. */
  prioritize(checkpoint: CheckpointId): void
}

/** What a gate sees of a channel. */
export interface ReceivingHalf<T> {
  /** Set by the gate: nothing is taken until the alignment ends. */
  blocked: boolean
  /** The element that would be taken next. */
  readonly head: StreamElement<T> | undefined
  readonly headIsUnaligned: boolean
  /** Who is told what happens, and the channel's number there. */
  connect(consumer: Consumer<T>, number: number): void
  take(recordsMax: number): StreamElement<T>
  /**
   * Gives the data before the checkpoint's barrier that is still here, and hands what arrives before that barrier to the
   * consumer's `captured`.
   */
  capture(checkpoint: CheckpointId): readonly InFlight<T>[]
  /** The checkpoint has been given up. */
  endCapture(checkpoint: CheckpointId): void
  /** The checkpoint's barrier, which stands in the queue, moves behind the unaligned ones at its head. */
  prioritize(checkpoint: CheckpointId): void
  /** Buffers that stood here when the checkpoint's barrier came. */
  buffersBefore(checkpoint: CheckpointId): number | undefined
  /** Buffers queued, or being filled. */
  readonly inUse: number
  /** Those of them that are in this process, without what a held channel does not count as its producer's. */
  readonly held: number
  /** Buffers are to have so many records at the most, from the next one on. */
  announce(bufferRecordsMax: number): void
  /** Puts restored data in front of everything that the producer will send. */
  restore(elements: readonly InFlight<T>[]): void
  /**
   * Puts restored data in front of everything that is here. It does not count as the producer's.
   */
  restoreFirst(elements: readonly InFlight<T>[]): void
  /**
   * While its gate holds it behind a marker (`generations.ts`), what is queued does not count as its producer's: that must go
   * on for the marker to come that the gate waits for.
   */
  hold(held: boolean): void
}

/** A channel's writer. */
export interface Producer {
  /** A restore has put a buffer into the channel; so many are queued with it. */
  restored(queued: number): void
  /** A buffer has been taken whole; so many were queued with it. */
  taken(queued: number): void
  /** The consumer wishes another size of buffers. */
  announced(): void
}

/** A channel's gate. */
export interface Consumer<T> {
  /** No barrier overtakes data as it arrives. */
  readonly keepsOrder: boolean
  arrived(channel: number, element: StreamElement<T>): void
  /** Data that arrives before the barrier of the checkpoint being captured. */
  captured(channel: number, checkpoint: CheckpointId, element: InFlight<T>): void
}

/**
 * The bounded queue between two tasks of one process. Producer and consumer share it, so what is sent has arrived.
 *
 * - Data (buffers, watermarks, idle, active), aligned barriers, cancel markers and ends stand in the order sent; of two
 *   watermarks in a row the later replaces the earlier.
 * - Unaligned barriers stand first, in the order sent among themselves; so does an aligned one from `prioritize` on.
 * - A push is never refused, because what is not data must always get through: the writer asks its pool before it pushes a
 *   buffer, and is told when one has been taken whole.
 *
 * A large exchange has a million channels, most of them empty: one that has never been used is this object alone, and one
 * that has been sent nothing but what all have been sent shares its queue with them.
 */
export class Channel<T> implements Halves<T>, SendingHalf<T>, ReceivingHalf<T> {
  blocked = false
  producer: Producer | undefined = undefined
  bufferRecordsMax = Number.POSITIVE_INFINITY
  filling = false
  /** Records sent, and records taken, since the channel was made. */
  recordsSent = 0
  recordsTaken = 0
  #consumer: Consumer<T> | undefined = undefined
  #number = 0
  /** Its own, or shared with other channels. */
  #queue: readonly StreamElement<T>[] = unused
  #owns = false
  /** So many elements at the head of the queue are barriers that stand first. */
  #first = 0
  #buffers = 0
  #held = false
  /** The first of the buffers, which came while it was held, or were restored there. */
  #uncounted = 0
  /** Elements pushed so far, unaligned barriers not counted: the ordinal of the next. */
  #pushed = 0
  /** Barriers sent, but those older than the last one taken: elements with a smaller ordinal are before it. */
  #barriers: readonly SentBarrier[] = unused
  #capturing: CheckpointId | undefined = undefined

  connect(consumer: Consumer<T>, number: number): void {
    this.#consumer = consumer
    this.#number = number
  }

  get sending(): this {
    return this
  }

  get receiving(): this {
    return this
  }

  get outbox(): undefined {
    return undefined
  }

  get queued(): number {
    return this.#buffers - this.#uncounted
  }

  get held(): number {
    return this.queued + (this.filling ? 1 : 0)
  }

  get inUse(): number {
    return this.#buffers + (this.filling ? 1 : 0)
  }

  announce(bufferRecordsMax: number): void {
    this.bufferRecordsMax = bufferRecordsMax
    this.producer?.announced()
  }

  get head(): StreamElement<T> | undefined {
    return this.#queue[0]
  }

  get headIsUnaligned(): boolean {
    return this.#first > 0
  }

  push(element: StreamElement<T>): void {
    switch (element.kind) {
      case 'barrier':
        this.#pushBarrier(element)
        break
      case 'buffer':
        this.#buffers++
        this.recordsSent += element.records.length
        this.#append(element)
        if (this.#held) this.#uncount(1)
        this.#capture(element)
        break
      case 'cancel':
      case 'end':
        this.#append(element)
        break
      case 'watermark':
        if (this.#replacesLast()) this.#own()[this.#queue.length - 1] = element
        else this.#append(element)
        this.#capture(element)
        break
      case 'idle':
      case 'active':
      case 'recovered':
        this.#append(element)
        this.#capture(element)
        break
      case 'side':
      case 'splits':
        invariant(false, () => `a ${element.kind} element stays in its task`)
    }
    this.#consumer?.arrived(this.#number, element)
  }

  take(recordsMax: number): StreamElement<T> {
    const element = this.#queue[0]
    invariant(element !== undefined, () => 'an element is only taken from a channel that has one')
    if (element.kind === 'buffer') {
      const { length } = element.records
      if (length > recordsMax) {
        this.#own()[0] = sliceBuffer(element, recordsMax)
        this.recordsTaken += recordsMax
        return sliceBuffer(element, 0, recordsMax)
      }
      this.recordsTaken += length
      this.#shift()
      this.#buffers--
      if (this.#uncounted > 0) this.#uncounted--
      else this.producer?.taken(this.#buffers + 1)
      return element
    }
    this.#shift()
    if (this.#first > 0) this.#first--
    if (element.kind === 'barrier') this.#forgetBefore(element.checkpoint)
    return element
  }

  capture(checkpoint: CheckpointId): readonly InFlight<T>[] {
    const arrived = this.#barriers.find(barrier => barrier.checkpoint === checkpoint)
    this.#capturing = arrived === undefined ? checkpoint : undefined
    const firstOrdinal = this.#pushed - (this.#queue.length - this.#first)
    const before = arrived === undefined ? this.#queue.length : arrived.ordinal - firstOrdinal
    return this.#queue.slice(this.#first, this.#first + Math.max(0, before)).filter(isData)
  }

  buffersBefore(checkpoint: CheckpointId): number | undefined {
    return this.#barriers.find(barrier => barrier.checkpoint === checkpoint)?.buffers
  }

  endCapture(checkpoint: CheckpointId): void {
    if (this.#capturing === checkpoint) this.#capturing = undefined
  }

  prioritize(checkpoint: CheckpointId): void {
    const at = this.#queue.findIndex(element => element.kind === 'barrier' && element.checkpoint === checkpoint)
    if (at < this.#first) return
    const queue = this.#own()
    const [barrier] = queue.splice(at, 1) as [StreamElement<T>]
    queue.splice(this.#first, 0, barrier)
    this.#first++
    // It has no place among the data any more: what stands behind that place counts one less.
    this.#pushed--
    const place = this.#barriers.find(sent => sent.checkpoint === checkpoint)?.ordinal ?? 0
    this.#barriers = this.#barriers.map(sent => (sent.ordinal > place ? { ...sent, ordinal: sent.ordinal - 1 } : sent))
  }

  pushBeforeEnd(barrier: Barrier): void {
    const last = this.#queue.at(-1)
    if (last?.kind !== 'end') return
    this.#own().pop()
    this.#pushed--
    this.push(barrier)
    this.#append(last)
  }

  restore(elements: readonly InFlight<T>[]): void {
    for (const element of elements) {
      if (element.kind === 'buffer') this.producer?.restored(this.queued + 1)
      this.push(element)
    }
  }

  restoreFirst(elements: readonly InFlight<T>[]): void {
    this.#own().splice(this.#first, 0, ...elements)
    for (const element of elements) {
      if (element.kind !== 'buffer') continue
      this.recordsSent += element.records.length
      this.#buffers++
      this.#uncounted++
    }
  }

  hold(held: boolean): void {
    this.#held = held
    if (held) this.#uncount(this.queued)
  }

  #uncount(buffers: number): void {
    for (let left = buffers; left > 0; left--) {
      const counted = this.queued
      this.#uncounted++
      this.producer?.taken(counted)
    }
  }

  #pushBarrier(barrier: Barrier): void {
    if (barrier.checkpoint === this.#capturing) this.#capturing = undefined
    const isFirst = isUnaligned(barrier) && this.#consumer?.keepsOrder !== true
    this.#barriers = withBarrier(this.#barriers, {
      checkpoint: barrier.checkpoint,
      ordinal: this.#pushed,
      buffers: this.#buffers,
    })
    if (!isFirst) return this.#append(barrier)
    if (this.#queue === unused) this.#queue = aloneIn(barrier)
    else this.#own().splice(this.#first, 0, barrier)
    this.#first++
  }

  /** The task has taken a barrier: it asks for no older checkpoint any more. */
  #forgetBefore(checkpoint: CheckpointId): void {
    this.#barriers = withoutBefore(this.#barriers, checkpoint)
    if (this.#capturing !== undefined && this.#capturing < checkpoint) this.#capturing = undefined
  }

  #append(element: StreamElement<T>): void {
    if (this.#queue === unused && element.kind !== 'buffer') this.#queue = aloneIn(element)
    else this.#own().push(element)
    this.#pushed++
  }

  /** A channel that has never carried data gives its queue back. */
  #shift(): void {
    if (!this.#owns) {
      this.#queue = unused
      return
    }
    this.#own().shift()
    if (this.recordsSent > 0 || this.#queue.length > 0) return
    this.#queue = unused
    this.#owns = false
  }

  /** The queue, to be changed. */
  #own(): StreamElement<T>[] {
    if (!this.#owns) {
      this.#queue = [...this.#queue]
      this.#owns = true
    }
    return this.#queue as StreamElement<T>[]
  }

  /** The last element is a watermark, and no barrier lies between it and the next push. */
  #replacesLast(): boolean {
    const { length } = this.#queue
    return (
      length > this.#first &&
      this.#queue[length - 1]?.kind === 'watermark' &&
      this.#barriers.at(-1)?.ordinal !== this.#pushed
    )
  }

  #capture(element: StreamElement<T>): void {
    if (this.#capturing !== undefined) this.#consumer?.captured(this.#number, this.#capturing, element)
  }
}

const isData = ({ kind }: StreamElement<unknown>): boolean =>
  kind === 'buffer' || kind === 'watermark' || kind === 'idle' || kind === 'active' || kind === 'recovered'

interface SentBarrier {
  readonly checkpoint: CheckpointId
  readonly ordinal: number
  /** That stood in the channel. */
  readonly buffers: number
}

/** Shared by all channels that have nothing to keep. */
const unused: readonly never[] = []

/**
 * What goes to a whole exchange is kept once: channels that were alike stay alike, and share what they come to hold. The last
 * result is remembered, because a writer sends an element to one channel after the other, and tasks take them one after the other.
 */
const remembering = <Args extends readonly unknown[], R>(
  compute: (...args: Args) => R,
  key: (...args: Args) => readonly unknown[],
): ((...args: Args) => R) => {
  let last: { readonly of: readonly unknown[]; readonly result: R } | undefined
  return (...args) => {
    const of = key(...args)
    if (last === undefined || of.some((one, i) => one !== last?.of[i])) last = { of, result: compute(...args) }
    return last.result
  }
}

/** The queue of an empty channel that has been sent this. */
const aloneIn = remembering(
  (element: StreamElement<any>): readonly StreamElement<any>[] => [element],
  element => [element],
)

const withBarrier = remembering(
  (before: readonly SentBarrier[], barrier: SentBarrier): readonly SentBarrier[] => [...before, barrier],
  (before, { checkpoint, ordinal, buffers }) => [before, checkpoint, ordinal, buffers],
)

const withoutBefore = remembering(
  (before: readonly SentBarrier[], checkpoint: CheckpointId): readonly SentBarrier[] => {
    const kept = before.filter(barrier => barrier.checkpoint >= checkpoint)
    return kept.length === before.length ? before : kept
  },
  (before, checkpoint) => [before, checkpoint],
)
