import type { Subscriber } from 'rxjs'
import { type Buffer, buffer, type SplitId, type StreamElement, side } from '../element.ts'
import { SpillwayError } from '../error.ts'
import type { Out } from './handlers.ts'
import type { Sides } from './stream.ts'

/**
 * Collects the results of handler calls into buffers and hands these on.
 *
 * Counts the deliveries of each call, so that a call that is repeated after a restore skips those made before.
 */
export class Collector<R, S extends Sides> implements Out<R, S> {
  /** Deliveries of the call under way that a restored frame has already made. */
  skip = 0
  /** Deliveries of the call under way. */
  delivered = 0
  /** A full buffer has been handed on since this was last set back: time to ask whether to go on. */
  flushed = false
  readonly #downstream: Subscriber<StreamElement<R>>
  readonly #recordsMax: number
  readonly #name: string
  /** Undefined: there are none. */
  readonly #sides: ReadonlyMap<string, Filling> | undefined
  #main: Filling
  #timeMs = Number.NEGATIVE_INFINITY
  #noteMs = Number.NEGATIVE_INFINITY
  #group = 0
  #withTimes = false
  #withNotes = false
  #withGroups = false
  #input: Buffer<unknown> | undefined

  constructor(
    downstream: Subscriber<StreamElement<R>>,
    options: { name: string; sides: readonly string[]; recordsMax: number },
  ) {
    this.#downstream = downstream
    this.#recordsMax = options.recordsMax
    if (options.sides.length > 0) {
      this.#sides = new Map(options.sides.map(side => [side, new Filling(options.recordsMax)]))
    }
    this.#name = options.name
    this.#main = new Filling(0)
  }

  /** Results take their columns from this buffer from now on. */
  follow(input: Buffer<unknown>): void {
    this.#input = input
    this.#withTimes = input.times !== undefined
    if (!this.#withTimes) this.#timeMs = Number.NEGATIVE_INFINITY
    this.#withNotes = input.notes !== undefined
    this.#withGroups = input.groups !== undefined
    this.#main.sizeMax = Math.min(this.#recordsMax, Math.max(16, input.records.length))
  }

  /** Results take time and key group of a timer from now on. */
  followTimers(): void {
    this.#input = undefined
    this.#withTimes = true
    this.#withNotes = false
    this.#withGroups = true
    this.#main.sizeMax = this.#recordsMax
  }

  /** Results belong to no record from now on, but to a time. */
  followTime(timeMs: number): void {
    this.followNothing()
    this.#withTimes = true
    this.#timeMs = timeMs
  }

  /** Results belong to no record from now on, as those at the end of the input; those of a call under way count on. */
  followNothing(): void {
    this.flush()
    this.#input = undefined
    this.#timeMs = Number.NEGATIVE_INFINITY
    this.#withTimes = false
    this.#withNotes = false
    this.#withGroups = false
    this.#main.sizeMax = this.#recordsMax
  }

  beginRecord(index: number): void {
    this.delivered = 0
    this.followRecord(index)
  }

  /** Results take time, note and group of this record of the buffer from now on. */
  followRecord(index: number): void {
    const { times, notes, groups } = this.#input as Buffer<unknown>
    if (times !== undefined) this.#timeMs = times[index] as number
    if (notes !== undefined) this.#noteMs = notes[index] as number
    if (groups !== undefined) this.#group = groups[index] as number
  }

  beginTimer(timeMs: number, group: number): void {
    this.delivered = 0
    this.#timeMs = timeMs
    this.#group = group
  }

  beginEnd(): void {
    this.delivered = 0
  }

  emit(record: R): void {
    if (this.skip > 0) return this.#skipOne()
    this.delivered++
    const filling = this.#main
    this.#put(filling, record, this.#timeMs, this.#noteMs)
    if (filling.count >= filling.sizeMax) {
      this.#flushMain()
      this.flushed = true
      this.#main.sizeMax = Math.min(this.#recordsMax, 2 * filling.sizeMax)
    }
  }

  emitAt(timeMs: number, record: R): void {
    if (this.skip > 0) return this.#skipOne()
    if (!this.#withTimes) {
      this.flush()
      this.#withTimes = true
    }
    const [inheritedMs, notedMs] = [this.#timeMs, this.#noteMs]
    this.#timeMs = timeMs
    this.#noteMs = Number.NEGATIVE_INFINITY
    this.emit(record)
    this.#timeMs = inheritedMs
    this.#noteMs = notedMs
  }

  side<N extends keyof S & string>(name: N, record: S[N]): void {
    if (this.skip > 0) return this.#skipOne()
    this.delivered++
    const filling = this.#sides?.get(name)
    if (filling === undefined) throw unknownSide(this.#name, name)
    this.#put(filling, record, this.#timeMs, this.#noteMs)
    if (filling.count >= filling.sizeMax) {
      this.#flushSide(name, filling)
      this.flushed = true
    }
  }

  /** Hands on what has been collected. */
  flush(): void {
    this.#flushMain()
    if (this.#sides === undefined) return
    for (const [name, filling] of this.#sides) this.#flushSide(name, filling)
  }

  /** Takes as many as there are, at most, of the deliveries still to be skipped as made, and gives their number. */
  skipAll(deliveries = this.skip): number {
    const skipped = Math.min(this.skip, deliveries)
    this.skip -= skipped
    this.delivered += skipped
    return skipped
  }

  #skipOne(): void {
    this.skip--
    this.delivered++
  }

  #put(filling: Filling, record: unknown, timeMs: number, noteMs: number): void {
    const { count } = filling
    if (count === 0) filling.begin(this.#withTimes, this.#withNotes, this.#withGroups)
    filling.records[count] = record
    if (this.#withTimes) filling.times![count] = timeMs
    if (this.#withNotes) filling.notes![count] = noteMs
    if (this.#withGroups) filling.groups![count] = this.#group
    filling.count = count + 1
  }

  #flushMain(): void {
    if (this.#main.count > 0) this.#downstream.next(this.#main.finish(this.#input?.split) as Buffer<R>)
  }

  #flushSide(name: string, filling: Filling): void {
    if (filling.count > 0) this.#downstream.next(side(name, filling.finish(this.#input?.split)))
  }
}

/** A buffer being filled. */
class Filling {
  count = 0
  sizeMax: number
  records: unknown[] = nothing
  times: Float64Array | undefined = undefined
  notes: Float64Array | undefined = undefined
  groups: Uint16Array | undefined = undefined

  constructor(sizeMax: number) {
    this.sizeMax = sizeMax
  }

  begin(withTimes: boolean, withNotes: boolean, withGroups: boolean): void {
    const size = this.sizeMax
    this.records = new Array(size)
    this.times = withTimes ? new Float64Array(size) : undefined
    this.notes = withNotes ? new Float64Array(size) : undefined
    this.groups = withGroups ? new Uint16Array(size) : undefined
  }

  finish(split: SplitId | undefined): Buffer<unknown> {
    const { records, times, notes, groups, count } = this
    const whole = count === records.length
    if (!whole) records.length = count
    this.count = 0
    this.records = nothing
    return buffer(records, {
      times: whole ? times : times?.slice(0, count),
      notes: whole ? notes : notes?.slice(0, count),
      groups: whole ? groups : groups?.slice(0, count),
      split,
    })
  }
}

const nothing: unknown[] = []

const unknownSide = (operator: string, side: string) =>
  new SpillwayError('UNKNOWN_SIDE', {
    place: operator,
    problem: `it has no side output "${side}": the record would be lost.`,
    remedy: `Declare it where the operator is made: { sides: ['${side}'] }.`,
  })
