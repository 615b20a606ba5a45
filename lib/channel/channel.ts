import { type CheckpointId, type StreamElement, sliceBuffer } from '../element.ts'
import { invariant } from '../invariant.ts'

/** What stands in a channel, or passed into it, before a checkpoint's barrier: part of that checkpoint's in-flight data. */
export type InFlight<T> = StreamElement<T>

export interface ChannelOptions {
  /** The channel is full, and its producer waits, from so many queued buffers on. */
  readonly buffersMax: number
}

/**
 * The bounded queue between two tasks of one process. Producer and consumer share it, so what is sent has arrived.
 *
 * - Data (buffers, watermarks, idle, active), aligned barriers, cancel markers and ends stand in the order sent; of two
 *   watermarks in a row the later replaces the earlier.
 * - Unaligned barriers stand first, in the order sent among themselves.
 * - Capacity counts buffers alone and is asked for beforehand (`full`); a push is never refused, because what is not data
 *   must always get through. The writer answers for what it pushes beyond (`queued`).
 */
export class Channel<T> {
  /** Set by the gate: nothing is taken until the alignment ends. */
  blocked = false
  /** Records sent, and records taken, since the channel was made. */
  recordsSent = 0
  recordsTaken = 0
  /** Something has been pushed. */
  onArrived: (element: StreamElement<T>) => void = ignore
  /** The channel has become full. */
  onFilled: () => void = ignore
  /** The channel is no longer full. */
  onFreed: () => void = ignore
  /** Data that arrives before the barrier of the checkpoint being captured. */
  onCaptured: (checkpoint: CheckpointId, element: InFlight<T>) => void = ignore
  readonly #buffersMax: number
  readonly #queue: StreamElement<T>[] = []
  /** So many elements at the head of the queue are unaligned barriers. */
  #first = 0
  #buffers = 0
  /** Elements pushed so far, unaligned barriers not counted: the ordinal of the next. */
  #pushed = 0
  /** Barriers sent, but those older than the last one taken: elements with a smaller ordinal are before it. */
  #barriers: { readonly checkpoint: CheckpointId; readonly ordinal: number }[] = []
  #capturing: CheckpointId | undefined

  constructor(options: ChannelOptions) {
    this.#buffersMax = options.buffersMax
  }

  get full(): boolean {
    return this.#buffers >= this.#buffersMax
  }

  /** Buffers in the queue. */
  get queued(): number {
    return this.#buffers
  }

  /** The element that would be taken next. */
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
        if (this.#buffers === this.#buffersMax) this.onFilled()
        this.recordsSent += element.records.length
        this.#append(element)
        this.#capture(element)
        break
      case 'cancel':
      case 'end':
        this.#append(element)
        break
      case 'watermark':
        if (this.#replacesLast()) this.#queue[this.#queue.length - 1] = element
        else this.#append(element)
        this.#capture(element)
        break
      case 'idle':
      case 'active':
        this.#append(element)
        this.#capture(element)
        break
      case 'side':
      case 'splits':
        invariant(false, () => `a ${element.kind} element stays in its task`)
    }
    this.onArrived(element)
  }

  /** Takes the next element; of a buffer at most `recordsMax` records, the rest stays first. */
  take(recordsMax: number): StreamElement<T> {
    const element = this.#queue[0]
    invariant(element !== undefined, () => 'an element is only taken from a channel that has one')
    if (element.kind === 'buffer') {
      const { length } = element.records
      if (length > recordsMax) {
        this.#queue[0] = sliceBuffer(element, recordsMax)
        this.recordsTaken += recordsMax
        return sliceBuffer(element, 0, recordsMax)
      }
      this.recordsTaken += length
      this.#queue.shift()
      this.#buffers--
      if (this.#buffers === this.#buffersMax - 1) this.onFreed()
      return element
    }
    this.#queue.shift()
    if (this.#first > 0) this.#first--
    if (element.kind === 'barrier') this.#forgetBefore(element.checkpoint)
    return element
  }

  /**
   * Gives the data before the checkpoint's barrier that is still here, and hands what arrives before that barrier to
   * `onCaptured`.
   */
  capture(checkpoint: CheckpointId): readonly InFlight<T>[] {
    const arrived = this.#barriers.find(barrier => barrier.checkpoint === checkpoint)
    this.#capturing = arrived === undefined ? checkpoint : undefined
    const firstOrdinal = this.#pushed - (this.#queue.length - this.#first)
    const before = arrived === undefined ? this.#queue.length : arrived.ordinal - firstOrdinal
    return this.#queue.slice(this.#first, this.#first + Math.max(0, before)).filter(isData)
  }

  /** The checkpoint has been given up. */
  endCapture(checkpoint: CheckpointId): void {
    if (this.#capturing === checkpoint) this.#capturing = undefined
  }

  /** Puts a barrier before the end that its producer, which has ended, has already sent. */
  pushBeforeEnd(barrier: StreamElement<T> & { kind: 'barrier' }): void {
    const last = this.#queue.at(-1)
    if (last?.kind !== 'end') return
    this.#queue.pop()
    this.#pushed--
    this.push(barrier)
    this.#append(last)
  }

  /** Puts restored data in front of everything that the producer will send. */
  restore(elements: readonly InFlight<T>[]): void {
    for (const element of elements) this.push(element)
  }

  #pushBarrier(barrier: StreamElement<T> & { kind: 'barrier' }): void {
    if (barrier.checkpoint === this.#capturing) this.#capturing = undefined
    this.#barriers.push({ checkpoint: barrier.checkpoint, ordinal: this.#pushed })
    if (barrier.alignment === 'unaligned' && !barrier.savepoint) {
      this.#queue.splice(this.#first, 0, barrier)
      this.#first++
    } else this.#append(barrier)
  }

  /** The task has taken a barrier: it asks for no older checkpoint any more. */
  #forgetBefore(checkpoint: CheckpointId): void {
    this.#barriers = this.#barriers.filter(barrier => barrier.checkpoint >= checkpoint)
    if (this.#capturing !== undefined && this.#capturing < checkpoint) this.#capturing = undefined
  }

  #append(element: StreamElement<T>): void {
    this.#queue.push(element)
    this.#pushed++
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
    if (this.#capturing !== undefined) this.onCaptured(this.#capturing, element)
  }
}

const isData = ({ kind }: StreamElement<unknown>): boolean =>
  kind === 'buffer' || kind === 'watermark' || kind === 'idle' || kind === 'active'

const ignore = () => {}
