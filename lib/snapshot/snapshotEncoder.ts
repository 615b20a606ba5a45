import { Observable, type SchedulerLike, type Subscriber } from 'rxjs'
import type { Section } from './container.ts'
import type { Encoding } from './encoding.ts'
import { type Chunk, chunksOf } from './format.ts'
import type { SnapshotSizes, TaskSnapshot } from './snapshot.ts'

export interface Encoded {
  readonly sections: readonly Section[]
  readonly sizes: SnapshotSizes
}

/**
 * Encodes snapshots one after the other in pieces of about a millisecond, each an action of the scheduler: a piece is a chunk of
 * a large snapshot, or many small snapshots.
 *
 * What it gives emits once; unsubscribing gives the snapshot up. Errs with `NOT_ENCODABLE`, naming operator and path.
 */
export const snapshotEncoder = (
  encoding: Encoding,
  scheduler: SchedulerLike,
): ((snapshot: TaskSnapshot) => Observable<Encoded>) => {
  const waiting: UnderWay[] = []
  let scheduled = false

  const schedule = (): void => {
    if (scheduled) return
    scheduled = true
    scheduler.schedule(function () {
      for (let left = pieceBytes; left > 0 && waiting.length > 0; ) left -= encodeNext()
      if (waiting.length > 0) this.schedule()
      else scheduled = false
    })
  }

  /** Of the first snapshot; gives what it costs. It leaves its place before anybody hears of it, as others may come then. */
  const encodeNext = (): number => {
    const underWay = waiting[0] as UnderWay
    const { subscriber, chunks } = underWay
    if (subscriber.closed) {
      waiting.shift()
      return 0
    }
    try {
      const next = chunks.next()
      if (next.done !== true) {
        addChunk(underWay, next.value)
        return next.value.chunk.length
      }
      waiting.shift()
      subscriber.next({ sections: underWay.sections, sizes: underWay.sizes })
      subscriber.complete()
    } catch (error) {
      waiting.shift()
      subscriber.error(error)
    }
    return snapshotBytes
  }

  return snapshot =>
    new Observable(subscriber => {
      const sizes = { stateBytes: 0, inFlightBytes: 0, inFlightRecords: 0 }
      waiting.push({ subscriber, chunks: chunksOf(snapshot, encoding), sections: [], sizes })
      schedule()
    })
}

interface UnderWay {
  readonly subscriber: Subscriber<Encoded>
  readonly chunks: Iterator<Chunk>
  sections: MutableSection[]
  readonly sizes: { -readonly [K in keyof SnapshotSizes]: SnapshotSizes[K] }
}

interface MutableSection extends Section {
  readonly chunks: Uint8Array[]
}

const addChunk = (underWay: UnderWay, { section, chunk, records }: Chunk): void => {
  const { sections, sizes } = underWay
  const last = sections.at(-1)
  if (last?.name === section) last.chunks.push(chunk)
  // Not by push, which makes room for more: of small snapshots, which stay in memory until their commit, it is the only one.
  else if (last === undefined) underWay.sections = [{ name: section, chunks: [chunk] }]
  else sections.push({ name: section, chunks: [chunk] })
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
