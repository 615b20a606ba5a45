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
  return from(byObject(snapshots.map(({ snapshot }) => snapshot))).pipe(
    mergeMap(
      ([object, owned]) =>
        store.get(object).pipe(
          tap(bytes => {
            for (const { piece, task } of owned) {
              sectionsOf.set(piece, readPiece(pieceIn(bytes, { piece, task }), `${object}, ${task}`))
            }
          }),
        ),
      readsMax,
    ),
    startWith(undefined),
    last(),
    map(() => {
      const read = ({ entry, snapshot }: Named) => {
        const { task, ended, pieces } = snapshot
        const sections = [...snapshot.sections, ...pieces.flatMap(piece => sectionsOf.get(piece) as readonly Section[])]
        const place =
          pieces.length === 0 ? `log entry ${entry}, ${task}` : pieces.map(({ object }) => object).join(', ')
        return [task, readSections({ ended, sections }, { place, encoding })] as const
      }
      return new Map(snapshots.map(read))
    }),
  )
}

/** A piece, and whose it is. */
export interface Owned {
  readonly task: TaskId
  readonly piece: Piece
}

/** The pieces in each object. */
export const byObject = (snapshots: readonly StoredSnapshot[]): ReadonlyMap<string, readonly Owned[]> => {
  const pieces = new Map<string, Owned[]>()
  for (const { task, pieces: own } of snapshots) {
    for (const piece of own) {
      const owned = pieces.get(piece.object)
      if (owned === undefined) pieces.set(piece.object, [{ task, piece }])
      else owned.push({ task, piece })
    }
  }
  return pieces
}

/** The piece's bytes in its object. @throws DAMAGED */
export const pieceIn = (bytes: Uint8Array, { piece, task }: Owned): Uint8Array => {
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
