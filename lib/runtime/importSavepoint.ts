import { last, map, type Observable, switchMap } from 'rxjs'
import type { CheckpointId } from '../element.ts'
import { SpillwayError } from '../error.ts'
import type { Coding } from '../snapshot/chunk.ts'
import { checksumOf } from '../snapshot/container.ts'
import type { History } from '../snapshot/history.ts'
import { type Commit, objectNames, readEntry, type StartedFromSavepoint } from '../snapshot/log.ts'
import type { StoredSnapshot, TaskId } from '../snapshot/snapshot.ts'
import type { Store } from '../store/store.ts'
import { copyOf } from './copiedSnapshots.ts'
import type { FromSavepoint } from './options.ts'
import type { ReadOptions } from './readSnapshots.ts'
import type { Found } from './restore.ts'
import { restoredJob, withoutPublished } from './restoredJob.ts'

/** A savepoint that a start is to go on from. */
export interface FoundSavepoint {
  readonly store: Store
  readonly commit: Commit
  /** Which it is. */
  readonly identity: StartedFromSavepoint
  readonly acceptDuplicates: boolean
}

/** What is to be copied, and the entry that names the copies. */
export interface Imported {
  readonly from: Store
  readonly snapshots: readonly StoredSnapshot[]
  readonly name: (task: TaskId, piece: number) => string
  readonly commit: Commit
}

/** Errs with CHECKPOINT_NOT_FOUND if there is no whole savepoint, DAMAGED, STORE_FAILED. */
export const foundSavepoint = (
  { savepoint: store, allowDropped = [], acceptDuplicates = false }: FromSavepoint,
  encoding: Coding,
): Observable<FoundSavepoint> =>
  store.entries().pipe(
    switchMap(([first]) => {
      if (first === undefined) throw noSavepoint(store)
      return store.entry(first).pipe(map(bytes => ({ bytes, commit: readEntry(first, bytes, encoding) })))
    }),
    last(),
    map(({ bytes, commit }) => {
      if (commit.kind !== 'commit' || commit.savepoint === undefined) throw noSavepoint(store)
      const identity = { checkpoint: commit.checkpoint, crc: checksumOf(bytes), allowDropped }
      return { store, commit, identity, acceptDuplicates }
    }),
  )

/** The job has begun with it, and has a copy: later starts go on from what it has done since. */
export const isGoneOnWith = ({ savepoint, interrupted }: History, { identity }: FoundSavepoint): boolean =>
  !interrupted && savepoint?.checkpoint === identity.checkpoint && savepoint.crc === identity.crc

/**
 * A start with a savepoint. Its copy is the entry behind the start's, so that a start that is interrupted between the two is seen;
 * epoch and id are larger than the savepoint's too, since pending transactions of its job have names with those.
 */
export const imported = (
  { store, commit, identity }: FoundSavepoint,
  base: Omit<Found, 'from' | 'restored' | 'imported' | 'allowDropped' | 'completedBy' | 'retained'>,
  options: ReadOptions,
): Observable<Found> => {
  const epoch = Math.max(base.epoch, commit.epoch + 1)
  const checkpoint: CheckpointId = Math.max(base.nextCheckpoint, commit.checkpoint)
  const entry = base.nextEntry + 1
  const name = objectNames(epoch).fromSavepoint
  const copies = commit.parts.map(({ tasks }) => ({ tasks: tasks.map(snapshot => copyOf(snapshot, name)) }))
  const own = commit.parts.map(({ tasks }) => ({ checkpoint, entry, snapshots: tasks }))
  return restoredJob(store, commit, { ...options, parts: own }).pipe(
    map(restored => ({
      ...base,
      epoch,
      nextCheckpoint: checkpoint + 1,
      from: { checkpoint, entries: [entry], savepoint: identity },
      restored: {
        ...withoutPublished(restored, new Set(commit.savepoint?.published === true ? [entry] : [])),
        parts: copies.map(({ tasks }) => ({ checkpoint, entry, snapshots: tasks })),
      },
      imported: {
        from: store,
        snapshots: commit.parts.flatMap(({ tasks }) => tasks),
        name,
        commit: { ...commit, epoch, checkpoint, parts: copies },
      },
      allowDropped: identity.allowDropped,
      completedBy: entry,
      retained: [],
    })),
  )
}

const noSavepoint = (store: Store) =>
  new SpillwayError('CHECKPOINT_NOT_FOUND', {
    place: `restoring the savepoint in ${store.name}`,
    problem: 'there is no savepoint in it, or not all of one.',
    remedy: 'Name the store that job.savepoint has been given; one that was interrupted is none.',
  })
