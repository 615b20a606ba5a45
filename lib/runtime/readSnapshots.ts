import { defer, from, last, map, mergeMap, type Observable, startWith, tap } from 'rxjs'
import { SpillwayError } from '../error.ts'
import type { Coding } from '../snapshot/chunk.ts'
import { checksumOf, type Section } from '../snapshot/container.ts'
import { readPiece, readSections } from '../snapshot/format.ts'
import { damagedRemedy } from '../snapshot/log.ts'
import type { Piece, ReadSnapshot, StoredSnapshot, TaskId } from '../snapshot/snapshot.ts'
import type { Store } from '../store/store.ts'

/** A snapshot, and the number of the log's entry that names it. */
export interface Named {
  readonly entry: number
  readonly snapshot: StoredSnapshot
}

export interface ReadOptions {
  readonly encoding: Coding
  /** Objects being read at the same time. */
  readonly readsMax: number
}

/**
 * What is in these snapshots, by task: checked, and decoded but for tables, which are decoded as they are put back. Each object is read
 * once, however many tasks have a piece of it, and its bytes are held until all that these tasks have elsewhere has come too. Errs with DAMAGED,
 * FORMAT_UNKNOWN, OBJECT_NOT_FOUND, STORE_FAILED.
 */
export const readSnapshots = (
  store: Store,
  snapshots: readonly Named[],
  { encoding, readsMax }: ReadOptions,
): Observable<ReadonlyMap<TaskId, ReadSnapshot>> =>
  defer(() => {
    const readings = snapshots.map(named => new Reading(named, encoding))
    return from(byObject(readings)).pipe(
      mergeMap(
        ([object, owned]) =>
          store.get(object).pipe(
            tap(bytes => {
              for (const { owner, piece } of owned) owner.take(piece, bytes)
            }),
          ),
        readsMax,
      ),
      startWith(undefined),
      last(),
      map(() => new Map(readings.map(reading => [reading.task, reading.read()] as const))),
    )
  })

/** One snapshot, of which pieces come as they are read. */
class Reading {
  readonly #named: Named
  readonly #encoding: Coding
  #sections = new Map<Piece, readonly Section[]>()
  #read: ReadSnapshot | undefined

  constructor(named: Named, encoding: Coding) {
    this.#named = named
    this.#encoding = encoding
  }

  get task(): TaskId {
    return this.#named.snapshot.task
  }

  get pieces(): readonly Piece[] {
    return this.#named.snapshot.pieces
  }

  take(piece: Piece, bytes: Uint8Array): void {
    const place = `${piece.object}, ${this.task}`
    const own = pieceIn(bytes, { piece, task: this.task })
    this.#sections.set(piece, readPiece(own, { place, encoding: this.#encoding }))
    if (this.#sections.size === this.pieces.length) this.read()
  }

  read(): ReadSnapshot {
    this.#read ??= this.#decoded()
    this.#sections = none
    return this.#read
  }

  #decoded(): ReadSnapshot {
    const { entry, snapshot } = this.#named
    const { ended, pieces } = snapshot
    const sections = [...snapshot.sections, ...pieces.flatMap(piece => this.#sections.get(piece) ?? [])]
    const objects = pieces.map(({ object }) => object).join(', ')
    const place = objects === '' ? `log entry ${entry}, ${this.task}` : objects
    return readSections({ ended, sections }, { place, encoding: this.#encoding })
  }
}

const none = new Map<Piece, readonly Section[]>()

interface Owned<O> {
  readonly owner: O
  readonly piece: Piece
}

/** The pieces in each object, and whose they are. */
export const byObject = <O extends { readonly pieces: readonly Piece[] }>(
  owners: readonly O[],
): ReadonlyMap<string, readonly Owned<O>[]> => {
  const owned = new Map<string, Owned<O>[]>()
  for (const owner of owners) {
    for (const piece of owner.pieces) {
      const of = owned.get(piece.object)
      if (of === undefined) owned.set(piece.object, [{ owner, piece }])
      else of.push({ owner, piece })
    }
  }
  return owned
}

/** The piece's bytes in its object. @throws DAMAGED */
export const pieceIn = (
  bytes: Uint8Array,
  { piece, task }: { readonly piece: Piece; readonly task: TaskId },
): Uint8Array => {
  const { object, begin, bytes: size, crc } = piece
  const own = bytes.subarray(begin, begin + size)
  if (own.length !== size || checksumOf(own) !== crc) {
    throw new SpillwayError('DAMAGED', {
      place: object,
      problem: `it is not what was written for task ${task} (${own.length} bytes instead of ${size}, or a wrong checksum).`,
      remedy: damagedRemedy,
    })
  }
  return own
}
