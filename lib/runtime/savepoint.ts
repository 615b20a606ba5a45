import { concat, concatMap, ignoreElements, last, map, type Observable, switchMap } from 'rxjs'
import type { CheckpointOrder } from '../coordination/events.ts'
import type { CheckpointId } from '../element.ts'
import { SpillwayError } from '../error.ts'
import { invariant } from '../invariant.ts'
import type { Coding } from '../snapshot/chunk.ts'
import { commitsIn, history, newestParts, partsOf } from '../snapshot/history.ts'
import { type Commit, encodedEntry, nameInSavepoint } from '../snapshot/log.ts'
import type { StoredSnapshot } from '../snapshot/snapshot.ts'
import type { Store } from '../store/store.ts'
import { copiedSnapshots } from './copiedSnapshots.ts'
import { logOf } from './restoredJob.ts'

/** A checkpoint that belongs to the user: in a store of its own, which names nothing outside it but sinks' transactions. */
export interface Savepoint {
  readonly checkpoint: CheckpointId
  /** Of the store that it is in. */
  readonly store: string
  readonly bytes: number
  /** All that its transactions hold is published: a restore publishes nothing of it again. */
  readonly published: boolean
}

/** Errs with NOT_EMPTY if anything is in the store. */
export const checkedEmpty = (store: Store): Observable<never> =>
  concat(store.entries(), store.list('')).pipe(
    map(found => {
      if (found.length > 0) throw notEmpty(store)
    }),
    ignoreElements(),
  )

export interface SavepointOptions {
  readonly of: (CheckpointOrder & { kind: 'save' })['of']
  readonly to: Store
  readonly encoding: Coding
  readonly readsMax: number
}

/**
 * Makes a savepoint of what a job's store has. Its log's only entry comes last: what a crash leaves without it is none.
 * Errs with NOT_EMPTY, OBJECT_NOT_FOUND, DAMAGED, STORE_FAILED, OBJECT_EXISTS, FENCED.
 */
export const savepoint = (
  store: Store,
  { of: which, to, encoding, readsMax }: SavepointOptions,
): Observable<Savepoint> =>
  concat(checkedEmpty(to), logOf(store, { encoding })).pipe(
    switchMap(log => {
      const commits = commitsIn(log)
      const published = which === 'what is published'
      const parts = published ? newestParts(history(log).commits) : partsOf(commits, which.checkpoint)
      invariant(parts !== undefined && parts.length > 0, () => 'what a savepoint is made of is kept until it is made')
      const newest = parts.reduce((a, b) => (b.entry > a.entry ? b : a))
      const { keyGroups, stages } = commits.find(({ n }) => n === newest.entry) as Commit
      const facts = { keyGroups, stages, epoch: Math.max(...log.map(({ epoch }) => epoch)) }
      const checkpoint = Math.max(...parts.map(part => part.checkpoint))
      const snapshots = parts.flatMap(part => part.snapshots)
      return copiedSnapshots(snapshots, { from: store, to, name: nameInSavepoint, readsMax }).pipe(
        concatMap(copies => {
          const own = parts.map(part => ({ tasks: part.snapshots.map(of => copies.get(of) as StoredSnapshot) }))
          const entry = encodedEntry(savepointEntry({ ...facts, checkpoint, parts: own, published }), encoding)
          const bytes = snapshots
            .flatMap(({ pieces }) => pieces)
            .reduce((sum, piece) => sum + piece.bytes, entry.length)
          return to.append(1, entry).pipe(
            last(),
            map(() => ({ checkpoint, store: to.name, bytes, published })),
          )
        }),
      )
    }),
  )

/** The entry that is a savepoint. */
export const savepointEntry = ({
  published,
  ...of
}: Pick<Commit, 'keyGroups' | 'stages' | 'epoch' | 'checkpoint' | 'parts'> & {
  readonly published: boolean
}): Commit => ({
  kind: 'commit',
  ...of,
  completes: { carriedOver: [] },
  savepoint: { published },
})

const notEmpty = (store: Store) =>
  new SpillwayError('NOT_EMPTY', {
    place: store.name,
    problem: 'there is something in it, and a savepoint has a store of its own.',
    remedy: 'Give it a directory that is new or empty.',
  })
