import { from, last, map, mergeMap, type Observable, startWith, tap } from 'rxjs'
import { SpillwayError } from '../error.ts'
import { checksumOf, type Section } from '../snapshot/container.ts'
import type { Encoding } from '../snapshot/encoding.ts'
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
  readonly encoding: Encoding
  /** Objects being read at the same time. */
  readonly readsMax: number
}

/**
 * What is in these snapshots, by task: checked, and decoded but for tables, which are decoded as they are put back. Each object is read
 * once, however many tasks have a piece of it. Errs with DAMAGED, OBJECT_NOT_FOUND, STORE_FAILED.
 */
export const readSnapshots = (
  store: Store,
  snapshots: readonly Named[],
  { encoding, readsMax }: ReadOptions,
): Observable<ReadonlyMap<TaskId, ReadSnapshot>> => {
  const sectionsOf = new Map<Piece, readonly Section[]>()
  return from(byObject(snapshots)).pipe(
    mergeMap(
      ([object, owned]) =>
        store.get(object).pipe(
          tap(bytes => {
            for (const { piece, task } of owned) sectionsOf.set(piece, sectionsIn(bytes, piece, task))
          }),
        ),
      readsMax,
    ),
    startWith(undefined),
    last(),
    map(() => {
      const read = ({ entry, snapshot }: Named) => {
        const { task, ended, pieces } = snapshot
        const sectionsThat = (holds: Piece['holds']) =>
          pieces.filter(piece => piece.holds === holds).map(piece => sectionsOf.get(piece) as readonly Section[])
        const states = sectionsThat('state')
        const sections = [...snapshot.sections, ...(states.at(-1) ?? []), ...sectionsThat('inFlight').flat()]
        const place =
          pieces.length === 0 ? `log entry ${entry}, ${task}` : pieces.map(({ object }) => object).join(', ')
        return [task, readSections({ ended, sections, base: states.slice(0, -1) }, { place, encoding })] as const
      }
      return new Map(snapshots.map(read))
    }),
  )
}

interface Owned {
  readonly task: TaskId
  readonly piece: Piece
}

const byObject = (snapshots: readonly Named[]): ReadonlyMap<string, readonly Owned[]> => {
  const pieces = new Map<string, Owned[]>()
  for (const { snapshot } of snapshots) {
    for (const piece of snapshot.pieces) {
      const owned = pieces.get(piece.object)
      if (owned === undefined) pieces.set(piece.object, [{ task: snapshot.task, piece }])
      else owned.push({ task: snapshot.task, piece })
    }
  }
  return pieces
}

const sectionsIn = (
  bytes: Uint8Array,
  { object, begin, bytes: size, crc }: Piece,
  task: TaskId,
): readonly Section[] => {
  const own = bytes.subarray(begin, begin + size)
  if (own.length !== size || checksumOf(own) !== crc) {
    throw new SpillwayError('DAMAGED', {
      place: object,
      problem: `it is not what was written for task ${task} (${own.length} bytes instead of ${size}, or a wrong checksum).`,
      remedy: damagedRemedy,
    })
  }
  return readPiece(own, `${object}, ${task}`)
}
