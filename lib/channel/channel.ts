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
 * A large exchange has a million channels, most of them empty: one that has never been used is this object alone. One that has
 * never carried data shares its queue, and what it knows of barriers, with all to which the same was sent and from which as much
 * was taken; its first buffer gives it a queue of its own.
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
  /** Its own, or shared with other channels: then never changed, but replaced. */
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
        if (this.#replacesLast()) this.#splice(this.#queue.length - 1, 1, element)
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
    const barrier = this.#queue[at] as StreamElement<T>
    this.#splice(at, 1)
    this.#splice(this.#first, 0, barrier)
    this.#first++
    // It has no place among the data any more: what stands behind that place counts one less.
    this.#pushed--
    const moved = this.#owns ? withoutPlace : sharedWithoutPlace
    this.#barriers = moved(this.#barriers, checkpoint)
  }

  pushBeforeEnd(barrier: Barrier): void {
    const last = this.#queue.at(-1)
    if (last?.kind !== 'end') return
    this.#splice(this.#queue.length - 1, 1)
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
    const sent = this.#owns ? withBarrier : sharedWithBarrier
    this.#barriers = sent(this.#barriers, barrier.checkpoint, this.#pushed, this.#buffers)
    if (!isFirst) return this.#append(barrier)
    this.#splice(this.#first, 0, barrier)
    this.#first++
  }

  /** The task has taken a barrier: it asks for no older checkpoint any more. */
  #forgetBefore(checkpoint: CheckpointId): void {
    if (this.#barriers.some(sent => sent.checkpoint < checkpoint)) {
      const kept = this.#owns ? withoutBefore : sharedWithoutBefore
      this.#barriers = kept(this.#barriers, checkpoint)
    }
    if (this.#capturing !== undefined && this.#capturing < checkpoint) this.#capturing = undefined
  }

  #append(element: StreamElement<T>): void {
    if (this.#owns || element.kind === 'buffer') this.#own().push(element)
    else this.#splice(this.#queue.length, 0, element)
    this.#pushed++
  }

  /** A channel that has never carried data gives its queue back. */
  #shift(): void {
    if (!this.#owns) {
      if (this.#queue.length > 1) this.#splice(0, 1)
      else this.#queue = unused
      return
    }
    this.#own().shift()
    if (this.recordsSent > 0 || this.#queue.length > 0) return
    this.#queue = unused
    this.#owns = false
  }

  /** Puts these elements in the place of as many as are removed, in its own queue or by another shared one. */
  #splice(at: number, removed: number, ...elements: StreamElement<T>[]): void {
    if (this.#owns) this.#own().splice(at, removed, ...elements)
    else this.#queue = sharedSpliced(this.#queue, at, removed, ...elements)
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

const withBarrier = (
  before: readonly SentBarrier[],
  checkpoint: CheckpointId,
  ordinal: number,
  buffers: number,
): readonly SentBarrier[] => [...before, { checkpoint, ordinal, buffers }]

const withoutBefore = (before: readonly SentBarrier[], checkpoint: CheckpointId): readonly SentBarrier[] =>
  before.filter(sent => sent.checkpoint >= checkpoint)

const withoutPlace = (before: readonly SentBarrier[], checkpoint: CheckpointId): readonly SentBarrier[] => {
  const place = before.find(sent => sent.checkpoint === checkpoint)?.ordinal ?? 0
  return before.map(sent => (sent.ordinal > place ? { ...sent, ordinal: sent.ordinal - 1 } : sent))
}

/** Shared by all channels that have nothing to keep. */
const unused: readonly never[] = []

/**
 * What goes to a whole exchange is kept once: channels that share a list, changed alike, share the list that it becomes. Each
 * list remembers its last change, because a writer sends an element to one channel after the other; tasks take from lists of
 * many writers by turns. It does not keep what it became, or one that stays would keep all that came after it.
 */
const shared = <One, Args extends readonly unknown[]>(
  change: (before: readonly One[], ...args: Args) => readonly One[],
): ((before: readonly One[], ...args: Args) => readonly One[]) => {
  const lastOf = new WeakMap<readonly One[], { readonly args: Args; readonly after: WeakRef<readonly One[]> }>()
  return (before, ...args) => {
    const last = lastOf.get(before)
    const known = last !== undefined && isSame(last.args, args) ? last.after.deref() : undefined
    if (known !== undefined) return known
    const after = change(before, ...args)
    lastOf.set(before, { args, after: new WeakRef(after) })
    return after
  }
}

const isSame = (some: readonly unknown[], others: readonly unknown[]): boolean =>
  some.length === others.length && some.every((one, i) => one === others[i])

const sharedSpliced = shared(
  (queue: readonly StreamElement<any>[], at: number, removed: number, ...elements: readonly StreamElement<any>[]) => {
    const spliced = queue.toSpliced(at, removed, ...elements)
    return spliced.length === 0 ? unused : spliced
  },
)

const sharedWithBarrier = shared(withBarrier)

const sharedWithoutBefore = shared(withoutBefore)

const sharedWithoutPlace = shared(withoutPlace)
