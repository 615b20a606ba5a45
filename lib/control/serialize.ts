import {
  catchError,
  concat,
  concatMap,
  defer,
  EMPTY,
  finalize,
  ignoreElements,
  last,
  map,
  merge,
  mergeMap,
  Observable,
  type OperatorFunction,
  of,
  type SchedulerLike,
  Subject,
} from 'rxjs'
import type { CheckpointOrder, CoordinateEvent } from '../coordination/events.ts'
import { messageOf, SpillwayError } from '../error.ts'
import type { Coding } from '../snapshot/chunk.ts'
import { encodedEntry, type JobFacts, type LogEntry, readEntry, runOf } from '../snapshot/log.ts'
import { defaultTasksPerFile } from '../snapshot/sharedFiles.ts'
import type { TaskSnapshot } from '../snapshot/snapshot.ts'
import { deleted } from '../store/deleted.ts'
import { ifNewest } from '../store/ifNewest.ts'
import type { Store } from '../store/store.ts'
import type { ChainLimits } from './snapshotChains.ts'
import { type SnapshotEvent, SnapshotWriter } from './snapshotWriter.ts'

export interface SerializeOptions {
  readonly store: Store
  readonly encoding: Coding
  /** Encoding is done on it in pieces of about a millisecond. */
  readonly scheduler: SchedulerLike
  /** Snapshots being encoded or written at the same time; the others wait as references. */
  readonly writesMax: number
  /** Of the run's start. */
  readonly epoch: number
  /** State, or in-flight data, of a snapshot of up to so many bytes is not put, but stands in the log's entry. */
  readonly inlineBytesMax: number
  /** Tasks at the most whose in-flight data is put as one object, each readable by itself; default 5, 1: each its own. */
  readonly tasksPerFile?: number
  /** Of state that is put only what has changed is, up to these limits; default: always all of it. */
  readonly incremental?: ChainLimits | undefined
  /** Stored with every commit. */
  readonly job: JobFacts
  /** The number of the next entry of the store's log. */
  readonly nextEntry: number
}

type Stands = Extract<CoordinateEvent, { kind: 'stands' }>

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
    new Observable(subscriber => {
      const routes = routed(options)
      subscriber.add(routes.out$.subscribe(subscriber))
      return source.subscribe({
        next: event => {
          if (passes(event)) subscriber.next(event)
          else routes.take(event as SerializeEvent)
        },
        error: error => subscriber.error(error),
        complete: () => routes.complete(),
      })
    })

const passes = <E extends { readonly kind: string }>(event: SerializeEvent | E): event is Exclude<E, SerializeEvent> =>
  !own.has(event.kind)

/** Each kind goes its own way. */
const routed = (options: SerializeOptions) => {
  const { store, encoding, epoch, job, writesMax } = options
  const entries$ = new Subject<CheckpointOrder & { kind: 'commit' | 'beginEpoch' | 'finished' }>()
  const releases$ = new Subject<CheckpointOrder & { kind: 'release' }>()
  const written$ = new Subject<SnapshotEvent>()
  const left$ = new Subject<string>()
  const writer = new SnapshotWriter({
    ...options,
    tasksPerFile: options.tasksPerFile ?? defaultTasksPerFile,
    incremental: options.incremental,
    say: event => written$.next(event),
    onLeft: object => left$.next(object),
    onIdle: () => completeIfIdle(),
  })
  let completed = false
  let entry = options.nextEntry
  /** The newest that has been given to a task. */
  let newestEpoch = epoch
  /** The entry that says so, if it is not the start's. */
  let restartEntry: number | undefined
  /** The number of the last entry whose append was tried. */
  let tried = 0

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
      defer(() => (before === undefined || restartEntry === before ? EMPTY : removed([], [before]))),
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

  const removed = (objects: readonly string[], entries: readonly number[]): Observable<never> =>
    deleted(store, { objects, entries, atATimeMax: writesMax })

  const out$: Observable<StoreEvent> = merge(
    written$,
    left$.pipe(mergeMap(object => removed([object], []))),
    entries$.pipe(
      concatMap(order => {
        if (order.kind === 'finished') return done()
        return order.kind === 'commit' ? committed(order) : epochBegun(order)
      }),
    ),
    releases$.pipe(mergeMap(({ objects, entries }) => removed(objects, entries))),
  ).pipe(finalize(() => writer.stop()))

  const take = (event: SerializeEvent): void => {
    switch (event.kind) {
      case 'snapshot':
        return writer.write(event)
      case 'trigger':
        return writer.begin(event)
      case 'publish':
        return writer.published(event)
      case 'abort':
        return writer.abort(event)
      case 'stop':
        return writer.abandon({ tasks: event.tasks, epoch: newestEpoch })
      case 'commit':
      case 'beginEpoch':
      case 'finished':
        return entries$.next(event)
      case 'release':
        return releases$.next(event)
    }
  }

  const complete = (): void => {
    completed = true
    for (const route$ of [entries$, releases$]) route$.complete()
    completeIfIdle()
  }

  const completeIfIdle = (): void => {
    if (!completed || !writer.idle) return
    for (const route$ of [written$, left$]) route$.complete()
  }

  return { out$, take, complete }
}

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
  'drain',
  'resume',
  'save',
  'finished',
])
