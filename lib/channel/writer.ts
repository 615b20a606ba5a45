import { type Barrier, type Buffer, buffer, type Key, type StreamElement, type Watermark } from '../element.ts'
import { SpillwayError } from '../error.ts'
import { absurd } from '../invariant.ts'
import type { Producer, SendingHalf } from './channel.ts'

/** How a writer deals records to its channels. */
export type Dealing =
  /** Fills a buffer for one channel, then one for the next. With one channel: forward. */
  | { readonly kind: 'rebalance' }
  /** By key group: `channelOf[group]` is the channel. */
  | { readonly kind: 'keyed'; readonly channelOf: readonly number[] }

export interface WriterOptions {
  /** The stage, for messages. */
  readonly name: string
  readonly bufferRecordsMax: number
  readonly buffersMax: number
  readonly overdraftBuffersMax: number
  readonly dealing: Dealing
}

/**
 * A task's output over one exchange: deals the records of buffers to its channels, in buffers of `bufferRecordsMax`.
 *
 * A partly filled buffer is flushed before a barrier and an end, and whenever the runtime says so. A watermark waits behind
 * its channel's partly filled buffer: it may come later than records sent after it, never earlier than one before it.
 *
 * Bound: a channel holds at most buffersMax buffers from operators that ask `mayGoOn`, two more from the batch being handed
 * over, and `overdraftBuffersMax` + 64 from one that emits in a loop; then `OUTPUT_OVERFLOW`.
 */
export class Writer<T> implements Producer<T> {
  /** There is something to flush, for the first time since the last flush. */
  onPartial: () => void = () => {}
  readonly #channels: readonly SendingHalf<T>[]
  readonly #options: WriterOptions
  /** Made with the first record for a channel. */
  readonly #partials: (Partial<T> | undefined)[]
  readonly #onFreed: () => void
  #full = 0
  #current = 0
  #partial = false
  #ended = false

  constructor(channels: readonly SendingHalf<T>[], options: WriterOptions, onFreed: () => void) {
    this.#channels = channels
    this.#options = options
    this.#onFreed = onFreed
    this.#partials = new Array(channels.length).fill(undefined)
    for (const channel of channels) {
      if (channel.full) this.#full++
      channel.producer = this
    }
  }

  /** No channel is full. */
  get available(): boolean {
    return this.#full === 0
  }

  sent(_channel: SendingHalf<T>, queued: number): void {
    if (queued === this.#options.buffersMax) this.#full++
  }

  taken(_channel: SendingHalf<T>, queued: number): void {
    if (queued !== this.#options.buffersMax) return
    this.#full--
    if (this.#full === 0) this.#onFreed()
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
        if (this.#ended) return this.#sendBeforeEnd(element)
        return this.#sendToAll(element)
      case 'end':
        this.#ended = true
        return this.#sendToAll(element)
      case 'cancel':
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

  /** Sends what is partly filled, and the watermarks behind it. */
  flush(): void {
    this.#partial = false
    for (let id = 0; id < this.#partials.length; id++) this.#flush(id)
  }

  #sendToAll(element: StreamElement<T>): void {
    this.flush()
    for (const channel of this.#channels) channel.push(element)
  }

  /** The barrier of a task that has ended stands behind all that it has sent, but the end. */
  #sendBeforeEnd(barrier: Barrier): void {
    for (const channel of this.#channels) channel.pushBeforeEnd(barrier)
  }

  #deal(from: Buffer<T>): void {
    const { dealing } = this.#options
    if (dealing.kind === 'keyed') return this.#dealKeyed(from, dealing.channelOf)
    const partial = this.#partials[this.#current]
    if ((partial === undefined || partial.count === 0) && 2 * from.records.length >= this.#options.bufferRecordsMax) {
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

  #put(id: number, from: Buffer<T>, i: number): void {
    let partial = this.#partials[id]
    if (partial === undefined) {
      partial = new Partial<T>(this.#options.bufferRecordsMax)
      this.#partials[id] = partial
    }
    if (!partial.takes(from)) this.#flush(id)
    if (partial.count === 0) partial.begin(from)
    const at = partial.count
    partial.records[at] = from.records[i] as T
    if (partial.keys !== undefined) partial.keys[at] = (from.keys as readonly Key[])[i] as Key
    if (partial.groups !== undefined) partial.groups[at] = (from.groups as Uint16Array)[i] as number
    if (partial.times !== undefined) partial.times[at] = (from.times as Float64Array)[i] as number
    if (from.notes !== undefined) partial.note(at, from.notes[i] as number)
    partial.count = at + 1
    if (partial.count === partial.records.length) {
      this.#flush(id)
      if (id === this.#current) this.#turn()
    }
  }

  #turn(): void {
    this.#current = (this.#current + 1) % this.#channels.length
  }

  #sendWatermark(element: Watermark): void {
    for (let id = 0; id < this.#partials.length; id++) {
      const partial = this.#partials[id]
      if (partial === undefined || partial.count === 0) (this.#channels[id] as SendingHalf<T>).push(element)
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
    if (partial.count > 0) this.#push(id, partial.finish())
    const { watermark } = partial
    if (watermark === undefined) return
    partial.watermark = undefined
    ;(this.#channels[id] as SendingHalf<T>).push(watermark)
  }

  #push(id: number, full: Buffer<T>): void {
    const channel = this.#channels[id] as SendingHalf<T>
    const { name, buffersMax, overdraftBuffersMax } = this.#options
    if (channel.queued >= buffersMax + overdraftBuffersMax + pendingBuffersMax) {
      throw outputOverflow(
        name,
        `${channel.queued} buffers wait for one task behind it, because an operator emits without being asked to.`,
      )
    }
    channel.push(full)
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
  records: T[] = []
  keys: Key[] | undefined = undefined
  groups: Uint16Array | undefined = undefined
  times: Float64Array | undefined = undefined
  notes: Float64Array | undefined = undefined
  /** To be sent behind the buffer. */
  watermark: Watermark | undefined = undefined
  readonly #recordsMax: number

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

  begin(from: Buffer<T>): void {
    const size = this.#recordsMax
    this.records = new Array<T>(size)
    this.keys = from.keys === undefined ? undefined : new Array<Key>(size)
    this.groups = from.groups === undefined ? undefined : new Uint16Array(size)
    this.times = from.times === undefined ? undefined : new Float64Array(size)
    this.notes = undefined
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

/** For what is emitted in a loop, beyond the overdraft. */
const pendingBuffersMax = 64
