import { type Barrier, type Buffer, buffer, type Key, type StreamElement, type Watermark } from '../element.ts'
import { SpillwayError } from '../error.ts'
import { absurd } from '../invariant.ts'
import type { BufferPool, PoolStand } from './budget.ts'
import type { Producer, SendingHalf } from './channel.ts'
import { forcedAligned } from './forcedAligned.ts'

/** How a writer deals records to its channels. */
export type Dealing =
  /** Fills a buffer for one channel, then one for the next. With one channel: forward. */
  | { readonly kind: 'rebalance' }
  /** By key group: `channelOf[group]` is the channel. */
  | { readonly kind: 'keyed'; readonly channelOf: readonly number[] }
  /** Each buffer to every channel, by reference. */
  | { readonly kind: 'broadcast' }
  /** All to the first channel. */
  | { readonly kind: 'global' }
  /** To the channels that it gives, one for each record. */
  | { readonly kind: 'custom'; readonly channelsOf: (records: readonly unknown[]) => readonly number[] }

export interface WriterOptions {
  /** The stage, for messages. */
  readonly name: string
  readonly bufferRecordsMax: number
  readonly pool: BufferPool
  readonly dealing: Dealing
  /** Its barriers are aligned, whatever the checkpoint's are. */
  readonly alignedOnly?: boolean
}

/**
 * A task's output over one exchange: deals the records of buffers to its channels, in buffers of `bufferRecordsMax`.
 *
 * A partly filled buffer is flushed before a barrier and an end, and whenever the runtime says so. A watermark waits behind
 * its channel's partly filled buffer: it may come later than records sent after it, never earlier than one before it.
 *
 * A buffer being filled is one a channel; one that is sent is its pool's, until the consumer has taken it whole. What a batch
 * that has been begun brings beyond the pool's size is overdraft; where that ends, `OUTPUT_OVERFLOW`.
 */
export class Writer<T> implements Producer {
  /** There is something to flush, for the first time since the last flush. */
  onPartial: () => void = () => {}
  /** So many records at once fill no more than a buffer, or two, of the smallest that is wished for. */
  batchRecordsMax = Number.POSITIVE_INFINITY
  readonly #channels: readonly SendingHalf<T>[]
  readonly #options: WriterOptions
  /** Of each channel, made with its first record; a broadcast has one for all. */
  readonly #partials: (Partial<T> | undefined)[]
  #current = 0
  #partial = false
  #ended = false

  constructor(channels: readonly SendingHalf<T>[], options: WriterOptions) {
    this.#channels = channels
    this.#options = options
    this.#partials = new Array(options.dealing.kind === 'broadcast' ? 1 : channels.length).fill(undefined)
    for (const channel of channels) {
      channel.producer = this
      for (let held = 0; held < channel.queued; held++) options.pool.restore(held)
    }
  }

  /** Its pool has a buffer left, and no channel holds as many as it may. */
  get available(): boolean {
    return this.#options.pool.available
  }

  /** What a dump says of its pool. */
  get poolStand(): PoolStand {
    return this.#options.pool.stand
  }

  restored(queued: number): void {
    this.#options.pool.restore(queued - 1)
  }

  taken(queued: number): void {
    this.#options.pool.release(queued)
  }

  announced(): void {
    let smallest = Number.POSITIVE_INFINITY
    for (const { bufferRecordsMax } of this.#channels) smallest = Math.min(smallest, bufferRecordsMax)
    this.batchRecordsMax = smallest
    // What is being filled and has so many records already waits for no other.
    for (let id = 0; id < this.#partials.length; id++) this.#resize(id)
  }

  next(element: StreamElement<T>): void {
    switch (element.kind) {
      case 'buffer':
        this.#deal(element)
        if (!this.#partial) this.#notePartial()
        return
      case 'watermark':
        return this.#sendWatermark(element)
      case 'barrier':
        return this.#sendBarrier(this.#options.alignedOnly === true ? forcedAligned(element) : element)
      case 'end':
        this.#ended = true
        return this.#sendToAll(element)
      case 'cancel':
        // Behind the end it would stand between that and the barriers still to come.
        return this.#ended ? undefined : this.#sendToAll(element)
      case 'idle':
      case 'active':
      case 'recovered':
        return this.#sendToAll(element)
      case 'side':
      case 'splits':
        return
      default:
        return absurd(element)
    }
  }

  /** Its task is no more. */
  close(): void {
    this.#options.pool.close()
  }

  /** Sends what is partly filled, and the watermarks behind it. */
  flush(): void {
    this.#partial = false
    for (let id = 0; id < this.#partials.length; id++) this.#flush(id)
  }

  #sendToAll(element: StreamElement<T>): void {
    this.flush()
    for (const channel of this.#channels) channel.push(element)
  }

  /** That of a task that has ended stands behind all that it has sent, but the end. */
  #sendBarrier(barrier: Barrier): void {
    if (!this.#ended) return this.#sendToAll(barrier)
    for (const channel of this.#channels) channel.pushBeforeEnd(barrier)
  }

  #deal(from: Buffer<T>): void {
    const { dealing } = this.#options
    switch (dealing.kind) {
      case 'keyed':
        return this.#dealKeyed(from, dealing.channelOf)
      case 'custom':
        return this.#dealTo(from, dealing.channelsOf(from.records))
      case 'rebalance':
      case 'broadcast':
      case 'global':
        return this.#dealInTurns(from)
      default:
        return absurd(dealing)
    }
  }

  #dealInTurns(from: Buffer<T>): void {
    const partial = this.#partials[this.#current]
    const wishedMax = this.#wishedMax(this.#current)
    const { bufferRecordsMax, pool } = this.#options
    const isWhole = 2 * from.records.length >= Math.min(bufferRecordsMax, wishedMax) && pool.available
    if ((partial === undefined || partial.count === 0) && isWhole && from.records.length <= wishedMax) {
      this.#push(this.#current, withoutSplit(from))
      this.#turn()
      return
    }
    const { length } = from.records
    for (let i = 0; i < length; i++) this.#put(this.#current, from, i)
  }

  #dealKeyed(from: Buffer<T>, channelOf: readonly number[]): void {
    const groups = from.groups as Uint16Array
    const { length } = from.records
    for (let i = 0; i < length; i++) this.#put(channelOf[groups[i] as number] as number, from, i)
  }

  #dealTo(from: Buffer<T>, channels: readonly number[]): void {
    const { length } = channels
    for (let i = 0; i < length; i++) this.#put(channels[i] as number, from, i)
  }

  #put(id: number, from: Buffer<T>, i: number): void {
    let partial = this.#partials[id]
    if (partial === undefined) {
      partial = new Partial<T>(this.#options.bufferRecordsMax)
      this.#partials[id] = partial
    }
    if (!partial.takes(from)) this.#flush(id)
    if (partial.count === 0) {
      partial.begin(from, this.#wishedMax(id))
      this.#noteFilling(id, true)
    }
    const at = partial.count
    partial.records[at] = from.records[i] as T
    if (partial.keys !== undefined) partial.keys[at] = (from.keys as readonly Key[])[i] as Key
    if (partial.groups !== undefined) partial.groups[at] = (from.groups as Uint16Array)[i] as number
    if (partial.times !== undefined) partial.times[at] = (from.times as Float64Array)[i] as number
    if (from.notes !== undefined) partial.note(at, from.notes[i] as number)
    partial.count = at + 1
    if (partial.count >= partial.wishedMax) this.#closeFull(id, partial)
  }

  #resize(id: number): void {
    const partial = this.#partials[id]
    if (partial === undefined || partial.count === 0) return
    partial.resize(this.#wishedMax(id))
    if (partial.count >= partial.wishedMax) this.#closeFull(id, partial)
  }

  /** Where there is no buffer left, a larger one is better than more of them. */
  #closeFull(id: number, { count }: Partial<T>): void {
    if (count < this.#options.bufferRecordsMax && !this.#options.pool.available) return
    this.#flush(id)
    if (id === this.#current) this.#turn()
  }

  #turn(): void {
    if (this.#options.dealing.kind === 'rebalance') this.#current = (this.#current + 1) % this.#channels.length
  }

  #sendWatermark(element: Watermark): void {
    for (let id = 0; id < this.#partials.length; id++) {
      const partial = this.#partials[id]
      if (partial === undefined || partial.count === 0) this.#push(id, element)
      else partial.watermark = element
    }
  }

  #notePartial(): void {
    this.#partial = true
    this.onPartial()
  }

  #flush(id: number): void {
    const partial = this.#partials[id]
    if (partial === undefined) return
    if (partial.count > 0) {
      this.#noteFilling(id, false)
      this.#push(id, partial.finish())
    }
    const { watermark } = partial
    if (watermark === undefined) return
    partial.watermark = undefined
    this.#push(id, watermark)
  }

  /** Records from which on a buffer is sent; what goes to all channels is not to be too large for any. */
  #wishedMax(id: number): number {
    if (this.#options.dealing.kind === 'broadcast') return this.batchRecordsMax
    return (this.#channels[id] as SendingHalf<T>).bufferRecordsMax
  }

  #noteFilling(id: number, filling: boolean): void {
    if (this.#options.dealing.kind !== 'broadcast') (this.#channels[id] as SendingHalf<T>).filling = filling
    else for (const channel of this.#channels) channel.filling = filling
  }

  /** A broadcast fills one buffer for all its channels. */
  #push(id: number, element: Buffer<T> | Watermark): void {
    if (this.#options.dealing.kind !== 'broadcast') return this.#pushOne(this.#channels[id] as SendingHalf<T>, element)
    for (const channel of this.#channels) this.#pushOne(channel, element)
  }

  #pushOne(channel: SendingHalf<T>, element: Buffer<T> | Watermark): void {
    const { name, pool } = this.#options
    if (element.kind === 'buffer' && !pool.request(channel.queued)) {
      throw outputOverflow(
        name,
        `${pool.held} buffers wait for the tasks behind it, because an operator emits without being asked to.`,
      )
    }
    channel.push(element)
  }
}

/** What an operator that cannot be suspended has emitted fits nowhere any more. */
export const outputOverflow = (place: string, problem: string): SpillwayError =>
  new SpillwayError('OUTPUT_OVERFLOW', {
    place,
    problem,
    remedy:
      'Let the handler that has many results for one record return an iterable instead of calling out.emit in a loop.',
  })

/** A buffer being filled for one channel. */
class Partial<T> {
  count = 0
  /** Records from which on it is to be sent. */
  wishedMax = 0
  records: T[] = []
  keys: Key[] | undefined = undefined
  groups: Uint16Array | undefined = undefined
  times: Float64Array | undefined = undefined
  notes: Float64Array | undefined = undefined
  /** To be sent behind the buffer. */
  watermark: Watermark | undefined = undefined
  readonly #recordsMax: number
  /** What arrays are made for, as the last buffer was: of thousands of channels with a record each, none holds a whole buffer. */
  #likely = 0

  constructor(recordsMax: number) {
    this.#recordsMax = recordsMax
  }

  /** The records begun have the same columns. */
  takes(from: Buffer<T>): boolean {
    return (
      this.count === 0 ||
      ((this.times === undefined) === (from.times === undefined) &&
        (this.keys === undefined) === (from.keys === undefined) &&
        (this.groups === undefined) === (from.groups === undefined))
    )
  }

  begin(from: Buffer<T>, wishedMax: number): void {
    const size = this.#recordsMax
    this.resize(wishedMax)
    this.records = new Array<T>(this.#likely)
    this.keys = from.keys === undefined ? undefined : new Array<Key>(this.#likely)
    this.groups = from.groups === undefined ? undefined : new Uint16Array(size)
    this.times = from.times === undefined ? undefined : new Float64Array(size)
    this.notes = undefined
  }

  resize(wishedMax: number): void {
    this.wishedMax = Math.min(wishedMax, this.#recordsMax)
  }

  note(at: number, noteMs: number): void {
    if (this.notes === undefined) {
      if (noteMs === Number.NEGATIVE_INFINITY) return
      this.notes = new Float64Array(this.#recordsMax).fill(Number.NEGATIVE_INFINITY)
    }
    this.notes[at] = noteMs
  }

  finish(): Buffer<T> {
    const { count, records, keys, groups, times, notes } = this
    const whole = count === this.#recordsMax
    if (!whole) {
      records.length = count
      if (keys !== undefined) keys.length = count
    }
    this.count = 0
    this.#likely = count
    return buffer(records, {
      keys,
      groups: whole ? groups : groups?.slice(0, count),
      times: whole ? times : times?.slice(0, count),
      notes: whole ? notes : notes?.slice(0, count),
    })
  }
}

/** Splits are known up to the first exchange. */
const withoutSplit = <T>(of: Buffer<T>): Buffer<T> =>
  of.split === undefined ? of : buffer(of.records, { ...of, split: undefined })
