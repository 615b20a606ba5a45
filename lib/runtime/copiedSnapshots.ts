import { concatMap, from, ignoreElements, last, map, mergeMap, type Observable, startWith } from 'rxjs'
import type { Piece, StoredSnapshot, TaskId } from '../snapshot/snapshot.ts'
import type { Store } from '../store/store.ts'
import { byObject, pieceIn } from './readSnapshots.ts'

export interface CopyOptions {
  readonly from: Store
  readonly to: Store
  /** In the other store, of a piece of a task's snapshot; each is an object of its own there. */
  readonly name: (task: TaskId, piece: number) => string
  /** Objects being read at the same time. */
  readonly readsMax: number
}

/**
 * Copies snapshots into another store, and gives for each what an entry there would say. Each object is read once, and checked.
 * Errs with DAMAGED, OBJECT_NOT_FOUND, OBJECT_EXISTS, STORE_FAILED.
 */
export const copiedSnapshots = (
  snapshots: readonly StoredSnapshot[],
  { from: store, to, name, readsMax }: CopyOptions,
): Observable<ReadonlyMap<StoredSnapshot, StoredSnapshot>> => {
  const names = new Map<Piece, string>()
  for (const { task, pieces } of snapshots) {
    for (const [nth, piece] of pieces.entries()) names.set(piece, name(task, nth))
  }
  const objectOf = (piece: Piece) => names.get(piece) as string
  return from(byObject(snapshots)).pipe(
    mergeMap(
      ([object, owned]) =>
        store.get(object).pipe(
          concatMap(bytes => from(owned.map(of => [of.piece, pieceIn(bytes, of)] as const))),
          // A copy: a store may hold what it is given, and the rest of the object with it.
          concatMap(([piece, own]) => to.put(objectOf(piece), new Uint8Array(own))),
        ),
      readsMax,
    ),
    ignoreElements(),
    startWith(undefined),
    last(),
    map(() => new Map(snapshots.map(snapshot => [snapshot, inObjects(snapshot, objectOf)]))),
  )
}

/** With each piece in an object of its own. */
const inObjects = (snapshot: StoredSnapshot, objectOf: (piece: Piece) => string): StoredSnapshot => ({
  ...snapshot,
  pieces: snapshot.pieces.map(piece => ({ ...piece, object: objectOf(piece), begin: 0 })),
})
