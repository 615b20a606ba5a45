import type { SchedulerLike } from 'rxjs'
import { Line } from '../line.ts'
import { type Coding, costOf } from './chunk.ts'
import type { Section } from './container.ts'
import { type Chunk, countsChunk, hasMore, keptChunks, moreChunks } from './format.ts'
import type { SnapshotSizes, TaskSnapshot } from './snapshot.ts'

export interface Encoded {
  readonly state: EncodedSections
  readonly inFlight: EncodedSections
  readonly sizes: SnapshotSizes
}

export interface EncodedSections {
  readonly sections: readonly Section[]
  /** Of all chunks. */
  readonly bytes: number
}

/** A snapshot to encode, and who hears what has become of it, once. */
export interface ToEncode {
  readonly snapshot: TaskSnapshot
  /** Nobody waits for it any more. */
  readonly stopped: boolean
  encoded(encoded: Encoded): void
  /** With `NOT_ENCODABLE`, naming operator and path. */
  failed(error: unknown): void
}

/**
 * Encodes snapshots one after the other in pieces of about a millisecond, each an action of the scheduler: a piece is a chunk of
 * a large snapshot, or many small snapshots.
 */
export class SnapshotEncoder {
  readonly #encoding: Coding
  readonly #scheduler: SchedulerLike
  readonly #waiting = new Line<ToEncode>()
  /** Of a snapshot that has more than small values. */
  #underWay: UnderWay | undefined
  #scheduled = false

  constructor(encoding: Coding, scheduler: SchedulerLike) {
    this.#encoding = encoding
    this.#scheduler = scheduler
  }

  encode(of: ToEncode): void {
    this.#waiting.push(of)
    if (this.#scheduled) return
    this.#scheduled = true
    const encoder = this
    this.#scheduler.schedule(function () {
      for (let left = pieceBytes; left > 0 && encoder.#busy; ) left -= encoder.#encodeSome()
      if (encoder.#busy) this.schedule()
      else encoder.#scheduled = false
    })
  }

  get #busy(): boolean {
    return this.#underWay !== undefined || this.#waiting.length > 0
  }

  /** Gives what it costs. A snapshot has left its place before anybody hears of it, as others may come then. */
  #encodeSome(): number {
    return this.#underWay === undefined ? this.#begin(this.#waiting.take()) : this.#goOn(this.#underWay)
  }

  #begin(of: ToEncode): number {
    if (of.stopped) return 0
    const encoded = nothing()
    let cost = snapshotBytes
    try {
      for (const kept of keptChunks(of.snapshot, this.#encoding)) {
        add(encoded, kept)
        cost += costOf(kept.chunk)
      }
      const counts = countsChunk(of.snapshot, this.#encoding)
      if (counts !== undefined) add(encoded, counts)
    } catch (error) {
      of.failed(error)
      return snapshotBytes
    }
    if (hasMore(of.snapshot)) this.#underWay = { of, encoded, chunks: moreChunks(of.snapshot, this.#encoding) }
    else of.encoded(encoded)
    return cost
  }

  #goOn({ of, encoded, chunks }: UnderWay): number {
    try {
      const next = of.stopped ? undefined : chunks.next()
      if (next?.done === false) {
        add(encoded, next.value)
        return costOf(next.value.chunk)
      }
      this.#underWay = undefined
    } catch (error) {
      this.#underWay = undefined
      of.failed(error)
      return snapshotBytes
    }
    if (!of.stopped) of.encoded(encoded)
    return 0
  }
}

interface UnderWay {
  readonly of: ToEncode
  readonly encoded: Growing
  readonly chunks: Iterator<Chunk>
}

interface Growing extends Encoded {
  readonly state: GrowingSections
  readonly inFlight: GrowingSections
  readonly sizes: { -readonly [K in keyof SnapshotSizes]: SnapshotSizes[K] }
}

interface GrowingSections extends EncodedSections {
  sections: { readonly name: string; readonly chunks: Uint8Array[] }[]
  bytes: number
}

const nothing = (): Growing => ({
  state: { sections: [], bytes: 0 },
  inFlight: { sections: [], bytes: 0 },
  sizes: { stateBytes: 0, inFlightBytes: 0, inFlightRecords: 0 },
})

const add = (to: Growing, { section, holds, chunk, records }: Chunk): void => {
  const { sizes, [holds]: into } = to
  into.bytes += chunk.length
  const last = into.sections.at(-1)
  if (last?.name === section) last.chunks.push(chunk)
  // Not by push, which makes room for more: most of the small ones, which stay in memory until their commit, have no other.
  else if (last === undefined) into.sections = [{ name: section, chunks: [chunk] }]
  else into.sections.push({ name: section, chunks: [chunk] })
  if (records === undefined) sizes.stateBytes += chunk.length
  else {
    sizes.inFlightBytes += chunk.length
    sizes.inFlightRecords += records
  }
}

/** A piece: about a millisecond of encoding. */
const pieceBytes = 30_000
/** What a snapshot costs however small it is, as bytes. */
const snapshotBytes = 600
