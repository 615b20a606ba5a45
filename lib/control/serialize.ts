import {
  catchError,
  concat,
  concatMap,
  connect,
  defer,
  EMPTY,
  filter,
  finalize,
  from,
  identity,
  ignoreElements,
  last,
  type MonoTypeOperatorFunction,
  map,
  merge,
  mergeMap,
  type Observable,
  type OperatorFunction,
  of,
  retry,
  type SchedulerLike,
  Subject,
  takeUntil,
  tap,
  throwError,
  timer,
} from 'rxjs'
import type { Acknowledged, CheckpointOrder, CoordinateEvent } from '../coordination/events.ts'
import type { FailureCause } from '../coordination/tolerance.ts'
import type { CheckpointId } from '../element.ts'
import { messageOf, SpillwayError } from '../error.ts'
import { checksumOf, type Section } from '../snapshot/container.ts'
import type { Encoding } from '../snapshot/encoding.ts'
import { encodedSnapshot, releaseSnapshot, snapshotObject } from '../snapshot/format.ts'
import { encodedEntry, type JobFacts, type LogEntry, objectNames, readEntry, runOf } from '../snapshot/log.ts'
import type { InlineSnapshot, SnapshotObject, SnapshotSizes, TaskId, TaskSnapshot } from '../snapshot/snapshot.ts'
import { ifNewest } from '../store/ifNewest.ts'
import type { Store } from '../store/store.ts'
import { mergeInTurn } from './mergeInTurn.ts'

export interface SerializeOptions {
  readonly store: Store
  readonly encoding: Encoding
  /** Encoding is done on it in pieces of about a millisecond. */
  readonly scheduler: SchedulerLike
  /** Snapshots being encoded or written at the same time; the others wait as references. */
  readonly writesMax: number
  /** Of the run's start. */
  readonly epoch: number
  /** A snapshot of up to so many bytes is not put, but stands in the log's entry. */
  readonly inlineBytesMax: number
  /** Stored with every commit. */
  readonly job: JobFacts
  /** The number of the next entry of the store's log. */
  readonly nextEntry: number
}

type Stands = Extract<CoordinateEvent, { kind: 'stands' }>

/** How a snapshot is in the store. */
type Kept = Omit<InlineSnapshot, 'task' | 'ended'> | Omit<SnapshotObject, 'task' | 'ended'>

export type SerializeEvent = TaskSnapshot | CheckpointOrder

type StoreEvent = Extract<
  CoordinateEvent,
  {
    kind:
      | 'acknowledged'
      | 'declined'
      | 'committed'
      | 'commitFailed'
      | 'stands'
      | 'epochBegun'
      | 'epochFailed'
      | 'failed'
  }
>

/**
 * Writes snapshots into a store and makes parts durable.
 *
 * In: `snapshot` is encoded and, unless it is small, put, after what it names elsewhere is durable: `acknowledged`, or `declined`; a task's last one
 * is tried again three times. `commit` appends
 * the log entry that makes parts durable: `committed`, or `commitFailed`; `beginEpoch` one that gives tasks an epoch of their own:
 * `epochBegun`, or `epochFailed`; either `failed` if the log is another run's (`FENCED`), and before it `stands` if a commit that had
 * failed has taken place. `stop` is to these tasks' snapshots what `abort` is, the last ones included. `finished`
 * appends that all is published.
 * `abort` stops the writing of these tasks' snapshots and deletes what has been written of them; `release` deletes objects and
 * entries. Everything else passes through. Never errs by itself; completes with its source.
 */
export const serialize =
  <E extends { readonly kind: string }>(
    options: SerializeOptions,
  ): OperatorFunction<SerializeEvent | E, StoreEvent | Exclude<E, SerializeEvent>> =>
  source =>
    source.pipe(connect(shared => serialized(shared, options)))

const serialized = <E extends { readonly kind: string }>(
  shared: Observable<SerializeEvent | E>,
  options: SerializeOptions,
): Observable<StoreEvent | Exclude<E, SerializeEvent>> => {
  const { store, encoding, epoch, job, writesMax, inlineBytesMax, scheduler } = options
  let entry = options.nextEntry
  /** The newest that has been given to a task. */
  let newestEpoch = epoch
  /** The entry that says so, if it is not the start's. */
  let restartEntry: number | undefined
  /** The number of the last entry whose append was tried. */
  let tried = 0
  /** By task: its snapshots up to this checkpoint's are given up; ids only grow, and one is under way at a time. */
  const abortedUpTo = new Map<TaskId, CheckpointId>()
  /** By task: all its snapshots up to this epoch's are given up. */
  const stoppedUpTo = new Map<TaskId, number>()
  const garbage$ = new Subject<string>()

  const kind = <K extends SerializeEvent['kind']>(wanted: K) =>
    shared.pipe(filter((event): event is Extract<SerializeEvent, { kind: K }> => event.kind === wanted))

  const written = (snapshot: TaskSnapshot): Observable<StoreEvent> => {
    const { task, checkpoint, ended } = snapshot
    const names = objectNames(snapshot.epoch)
    const object = (attempt: number) => (ended ? names.ended(task, attempt) : names.snapshot(checkpoint, task))
    const isAborted = () =>
      snapshot.epoch <= (stoppedUpTo.get(task) ?? 0) || (!ended && checkpoint <= (abortedUpTo.get(task) ?? 0))
    let attempts = 0
    /** What has been put, and is not yet the coordinator's. */
    let mayBeThere = false
    const writing = defer(() => {
      const name = object(++attempts)
      return concat(
        merge(...snapshot.durable).pipe(ignoreElements()),
        encodedSnapshot(snapshot, encoding, scheduler).pipe(
          concatMap(({ sections, sizes }) =>
            kept(sections, sizes, name).pipe(
              map((inStore): Acknowledged => {
                // Before the next checkpoint can hear of it, and capture.
                snapshot.captured?.release()
                const times = { ...snapshot.times, asyncMs: scheduler.now() - snapshot.times.wholeAtMs }
                return { kind: 'acknowledged', checkpoint, snapshot: { task, ended, ...inStore }, sizes, times }
              }),
            ),
          ),
        ),
      )
    })
    const kept = (sections: readonly Section[], sizes: SnapshotSizes, name: string): Observable<Kept> => {
      if (sizes.stateBytes + sizes.inFlightBytes <= inlineBytesMax) return of({ sections })
      const bytes = snapshotObject({ ended, sections }, encoding)
      const inStore = { object: name, bytes: bytes.length, crc: checksumOf(bytes) }
      mayBeThere = true
      return concat(store.put(name, bytes).pipe(ignoreElements()), of(inStore)).pipe(
        tap(() => {
          mayBeThere = false
        }),
      )
    }
    const gone = merge(kind('abort'), kind('stop')).pipe(filter(isAborted))
    return (isAborted() ? EMPTY : writing.pipe(ended ? retriedLast(scheduler) : identity)).pipe(
      catchError(error =>
        of<StoreEvent>({ kind: 'declined', task, ended, checkpoint, reason: messageOf(error), cause: causeOf(error) }),
      ),
      takeUntil(gone),
      finalize(() => {
        releaseSnapshot(snapshot)
        // What an abort has interrupted may have reached the store. What has been acknowledged is the coordinator's.
        if (isAborted() && mayBeThere) garbage$.next(object(attempts))
      }),
    )
  }

  const committed = ({ kind: _, ...commit }: CheckpointOrder & { kind: 'commit' }): Observable<StoreEvent> => {
    const { checkpoint } = commit
    return logged(
      { kind: 'commit', epoch, ...job, ...commit },
      {
        done: n => ({ kind: 'committed', checkpoint, entry: n }),
        failed: error => ({ kind: 'commitFailed', checkpoint, reason: messageOf(error) }),
      },
    )
  }

  const epochBegun = ({ tasks }: CheckpointOrder & { kind: 'beginEpoch' }): Observable<StoreEvent> => {
    const next = newestEpoch + 1
    const before = restartEntry
    return concat(
      logged(
        { kind: 'restart', run: epoch, epoch: next },
        {
          done: n => {
            newestEpoch = next
            restartEntry = n
            return { kind: 'epochBegun', tasks, epoch: next }
          },
          failed: error => ({ kind: 'epochFailed', tasks, error }),
        },
      ),
      defer(() => (before === undefined || restartEntry === before ? EMPTY : deleted([], [before]))),
    )
  }

  /** Nobody waits for it: without it the next start publishes once more what is published already. */
  const done = (): Observable<never> =>
    defer(() => appended(encodedEntry({ kind: 'done', epoch }, encoding))).pipe(
      ignoreElements(),
      catchError(() => EMPTY),
    )

  const logged = (
    of_: LogEntry,
    { done, failed }: { done: (n: number) => StoreEvent; failed: (error: unknown) => StoreEvent },
  ): Observable<StoreEvent> =>
    defer(() => appended(encodedEntry(of_, encoding))).pipe(
      map(found => {
        if (typeof found !== 'number') return found
        entry = found + 1
        return done(found)
      }),
      catchError(error =>
        of(
          error instanceof SpillwayError && error.code === 'FENCED'
            ? ({ kind: 'failed', task: 'the store', error } as const)
            : failed(error),
        ),
      ),
    )

  /**
   * Gives the entry's number. An entry of our own in its place is one whose append failed, but took place, which it says first;
   * a newer start may have begun behind it, and have deleted it since.
   */
  const appended = (bytes: Uint8Array): Observable<number | Stands> => {
    const wasTried = tried === entry
    tried = entry
    return store.append(entry, bytes).pipe(
      last(),
      map(() => entry),
      catchError(error => {
        if (!(error instanceof SpillwayError && error.code === 'FENCED')) throw error
        return store.entry(entry).pipe(
          concatMap(found => {
            const stands = readEntry(entry, found, encoding)
            if (runOf(stands) !== epoch) throw error
            const again = defer(() => {
              entry++
              return appended(bytes)
            })
            if (stands.kind !== 'commit') return again
            const { checkpoint, parts } = stands
            return concat(of<Stands>({ kind: 'stands', checkpoint, entry, parts }), again)
          }),
        )
      }),
      concatMap(n => (wasTried && typeof n === 'number' ? ifNewest(store, n) : of(n))),
    )
  }

  /** What cannot be deleted now is left behind: the next start deletes what nothing names. */
  const deleted = (objects: readonly string[], entries: readonly number[]): Observable<never> =>
    from([...objects.map(object => store.delete(object)), ...entries.map(n => store.deleteEntry(n))]).pipe(
      mergeMap(deletion => deletion.pipe(catchError(() => EMPTY)), writesMax),
      ignoreElements(),
    )

  return merge(
    kind('abort').pipe(
      mergeMap(({ checkpoint, tasks }) => {
        for (const task of tasks) abortedUpTo.set(task, checkpoint)
        return EMPTY
      }),
    ),
    kind('snapshot').pipe(
      mergeInTurn(written, writesMax),
      finalize(() => garbage$.complete()),
    ),
    garbage$.pipe(mergeMap(object => deleted([object], []))),
    kind('stop').pipe(
      mergeMap(({ tasks }) => {
        for (const task of tasks) stoppedUpTo.set(task, newestEpoch)
        return EMPTY
      }),
    ),
    merge(kind('commit'), kind('beginEpoch'), kind('finished')).pipe(
      concatMap(order => {
        if (order.kind === 'finished') return done()
        return order.kind === 'commit' ? committed(order) : epochBegun(order)
      }),
    ),
    kind('release').pipe(mergeMap(({ objects, entries }) => deleted(objects, entries))),
    shared.pipe(filter((event): event is Exclude<E, SerializeEvent> => !own.has(event.kind))),
  )
}

/** No later snapshot takes the place of a task's last one, so a store that fails for a moment must not lose it. */
const retriedLast = <A>(scheduler: SchedulerLike): MonoTypeOperatorFunction<A> =>
  retry({
    count: lastAttempts - 1,
    delay: (error, attempt) =>
      error instanceof SpillwayError && error.code === 'NOT_ENCODABLE'
        ? throwError(() => error)
        : timer(attempt * lastRetryMs, scheduler),
  })

const causeOf = (error: unknown): FailureCause =>
  error instanceof SpillwayError && error.code === 'STORE_FAILED' ? 'io' : 'async'

const lastAttempts = 4
const lastRetryMs = 1_000

const own: ReadonlySet<string> = new Set<SerializeEvent['kind']>([
  'snapshot',
  'trigger',
  'commit',
  'publish',
  'notify',
  'abort',
  'release',
  'failJob',
  'stop',
  'beginEpoch',
  'restart',
  'report',
  'refuse',
  'finished',
])
