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
  const copies = new Map(snapshots.map(snapshot => [snapshot, copyOf(snapshot, name)]))
  const objects = new Map<Piece, string>()
  for (const [{ pieces }, copy] of copies) {
    for (const [nth, piece] of pieces.entries()) objects.set(piece, copy.pieces[nth]?.object as string)
  }
  return from(byObject(snapshots)).pipe(
    mergeMap(
      ([object, owned]) =>
        store.get(object).pipe(
          concatMap(bytes =>
            from(owned.map(({ owner: { task }, piece }) => [piece, pieceIn(bytes, { piece, task })] as const)),
          ),
          // A copy: a store may hold what it is given, and the rest of the object with it.
          concatMap(([piece, own]) => to.put(objects.get(piece) as string, new Uint8Array(own))),
        ),
      readsMax,
    ),
    ignoreElements(),
    startWith(undefined),
    last(),
    map(() => copies),
  )
}

/** What an entry of the other store says of a copy: each piece is in an object of its own. */
export const copyOf = (snapshot: StoredSnapshot, name: CopyOptions['name']): StoredSnapshot => ({
  ...snapshot,
  pieces: snapshot.pieces.map((piece, nth) => ({ ...piece, object: name(snapshot.task, nth), begin: 0 })),
})
