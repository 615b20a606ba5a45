import { defer, from, last, map, mergeMap, type Observable, startWith, tap } from 'rxjs'
import type { CheckpointId } from '../element.ts'
import { SpillwayError } from '../error.ts'
import type { Coding } from '../snapshot/chunk.ts'
import { checksumOf, type Section } from '../snapshot/container.ts'
import { readPiece, readSections } from '../snapshot/format.ts'
import { damagedRemedy, inFlightIsDamaged } from '../snapshot/log.ts'
import { isInFlight, type Piece, type ReadSnapshot, type StoredSnapshot, type TaskId } from '../snapshot/snapshot.ts'
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
  /** In-flight data is not read at all. */
  readonly withoutInFlight?: boolean
  /** That a start may go on from without its in-flight data, if that is damaged. */
  readonly lastResort?: CheckpointId | undefined
}

/**
 * What is in these snapshots, by task: checked, and decoded but for tables, which are decoded as they are put back. Each object is read
 * once, however many tasks have a piece of it, and its bytes are held until all that these tasks have elsewhere has come too. Errs with DAMAGED,
 * FORMAT_UNKNOWN, OBJECT_NOT_FOUND, STORE_FAILED.
 */
export const readSnapshots = (
  store: Store,
  snapshots: readonly Named[],
  options: ReadOptions,
): Observable<ReadonlyMap<TaskId, ReadSnapshot>> =>
  defer(() => {
    const readings = snapshots.map(
      named => new Reading(options.withoutInFlight === true ? stateOnly(named) : named, options),
    )
    return from(byObject(readings)).pipe(
      mergeMap(
        ([object, owned]) =>
          store.get(object).pipe(
            tap(bytes => {
              for (const { owner, piece } of owned) owner.take(piece, bytes)
            }),
          ),
        options.readsMax,
      ),
      startWith(undefined),
      last(),
      map(() => new Map(readings.map(reading => [reading.task, reading.read()] as const))),
    )
  })

const stateOnly = ({ entry, snapshot }: Named): Named => ({
  entry,
  snapshot: {
    ...snapshot,
    sections: snapshot.sections.filter(({ name }) => !isInFlight(name)),
    pieces: snapshot.pieces.filter(({ holds }) => holds === 'state'),
  },
})

/** One snapshot, of which pieces come as they are read. */
class Reading {
  readonly #named: Named
  readonly #options: ReadOptions
  #sections = new Map<Piece, readonly Section[]>()
  #read: ReadSnapshot | undefined

  constructor(named: Named, options: ReadOptions) {
    this.#named = named
    this.#options = options
  }

  get task(): TaskId {
    return this.#named.snapshot.task
  }

  get pieces(): readonly Piece[] {
    return this.#named.snapshot.pieces
  }

  take(piece: Piece, bytes: Uint8Array): void {
    this.#sections.set(piece, this.#sectionsIn(bytes, piece))
    if (this.#sections.size === this.pieces.length) this.read()
  }

  read(): ReadSnapshot {
    this.#read ??= snapshotOf(this.#named, piece => this.#sections.get(piece) ?? [], this.#options.encoding)
    this.#sections = none
    return this.#read
  }

  #sectionsIn(bytes: Uint8Array, piece: Piece): readonly Section[] {
    const { lastResort, encoding } = this.#options
    try {
      const own = pieceIn(bytes, { piece, task: this.task })
      return readPiece(own, { place: `${piece.object}, ${this.task}`, encoding })
    } catch (error) {
      if (piece.holds === 'state' || lastResort === undefined || !(error instanceof SpillwayError)) throw error
      throw inFlightIsDamaged(error, lastResort)
    }
  }
}

/** What the sections of a snapshot's pieces are together: of its state each piece builds on those before it. @throws DAMAGED, FORMAT_UNKNOWN */
export const snapshotOf = (
  { entry, snapshot }: Named,
  sectionsOf: (piece: Piece) => readonly Section[],
  encoding: Coding,
): ReadSnapshot => {
  const { task, ended, pieces } = snapshot
  const sectionsThat = (holds: Piece['holds']) => pieces.filter(piece => piece.holds === holds).map(sectionsOf)
  const states = sectionsThat('state')
  const sections = [...snapshot.sections, ...(states.at(-1) ?? []), ...sectionsThat('inFlight').flat()]
  const objects = pieces.map(({ object }) => object).join(', ')
  const place = objects === '' ? `log entry ${entry}, ${task}` : objects
  return readSections({ ended, sections, base: states.slice(0, -1) }, { place, encoding })
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
