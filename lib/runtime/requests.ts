import { concat, defer, filter, ignoreElements, map, NEVER, Observable, Subject, take, throwIfEmpty } from 'rxjs'
import type { CheckpointOrder, CoordinateEvent, Drain, Requested } from '../coordination/events.ts'
import type { CheckpointReport } from '../coordination/report.ts'
import type { Alignment, CheckpointId } from '../element.ts'
import { messageOf, SpillwayError } from '../error.ts'
import type { Store } from '../store/store.ts'
import { checkedEmpty, type Savepoint } from './savepoint.ts'

/** What a job has ended with that was stopped. */
export interface Stopped {
  /** The newest: a start on the same store goes on from it. */
  readonly checkpoint: CheckpointId
  /** Its sources have ended, and all that follows from that is published: there is nothing to go on with. */
  readonly drained: boolean
  readonly savepoint?: Savepoint
}

export interface RequestsOptions {
  /** Tells the coordinator; false: the job does not run. */
  readonly tell: (event: Asking | Extract<CoordinateEvent, { kind: 'saved' | 'saveFailed' }>) => boolean
  readonly save: (of: (CheckpointOrder & { kind: 'save' })['of'], to: Store) => Observable<Savepoint>
}

type Asking = (Requested & { readonly request: number }) | Drain

type Answer = { readonly request: number } & (
  | { readonly kind: 'reported'; readonly report: CheckpointReport }
  | { readonly kind: 'refused'; readonly reason: string }
  | { readonly kind: 'saved'; readonly savepoint: Savepoint }
  | { readonly kind: 'saveFailed'; readonly error: unknown }
)

/** What users ask of a running job: checkpoints, savepoints, that it stops. */
export class Requests {
  readonly #options: RequestsOptions
  /** Completes with the job. */
  readonly #answers$ = new Subject<Answer>()
  /** By request: where its savepoint goes. */
  readonly #stores = new Map<number, Store>()
  readonly #stops = new Set<number>()
  #count = 0
  #stopped: { readonly request: number; readonly drained: boolean; readonly savepoint?: Savepoint } | undefined

  constructor(options: RequestsOptions) {
    this.#options = options
  }

  /** Errs with NOT_RUNNING, CHECKPOINT_REFUSED. */
  checkpoint(alignment: Alignment): Observable<CheckpointReport> {
    return defer(() =>
      this.#answered({ kind: 'requested', request: ++this.#count, alignment }).pipe(
        filter(answer => answer.kind === 'reported'),
        map(({ report }) => report),
        take(1),
        throwIfEmpty(notRunning),
      ),
    )
  }

  /** Errs with NOT_RUNNING, CHECKPOINT_REFUSED, NOT_EMPTY, SAVEPOINT_FAILED. */
  savepoint(to: Store): Observable<Savepoint> {
    const saved$ = defer(() => {
      const request = ++this.#count
      this.#stores.set(request, to)
      const purpose = { save: true, stop: false }
      return this.#completed({ kind: 'requested', request, alignment: 'aligned', purpose }, 'the savepoint').pipe(
        filter(answer => answer.kind === 'saved'),
        map(({ savepoint }) => savepoint),
        take(1),
        throwIfEmpty(notRunning),
      )
    })
    return concat(checkedEmpty(to), saved$)
  }

  /** Errs with the same if the job does not stop, and goes on; else it says nothing, and the job ends. */
  stop({ to, drain }: { readonly to: Store | undefined; readonly drain: boolean }): Observable<never> {
    const begun$ = defer(() => {
      const request = ++this.#count
      const save = to !== undefined
      if (save) this.#stores.set(request, to)
      if (drain) return this.#completed({ kind: 'drainRequested', request, save }, 'the stop')
      this.#stops.add(request)
      const purpose = { save, stop: true }
      return this.#completed({ kind: 'requested', request, alignment: 'aligned', purpose }, 'the stop')
    })
    return concat(to === undefined ? [] : checkedEmpty(to), begun$.pipe(ignoreElements()), NEVER)
  }

  /** An order has been given; gives what is to be subscribed to for it. */
  told(order: CheckpointOrder): Observable<never> | undefined {
    switch (order.kind) {
      case 'report': {
        const { report, request } = order
        if (request === undefined) return undefined
        if (this.#stops.has(request) && report.outcome === 'completed') this.#stopped = { request, drained: false }
        this.#answers$.next({ request, kind: 'reported', report })
        return undefined
      }
      case 'refuse':
        this.#answers$.next({ request: order.request, kind: 'refused', reason: order.reason })
        return undefined
      case 'drain':
        this.#stopped = { request: order.request, drained: true }
        return undefined
      case 'resume':
        this.#stopped = undefined
        return undefined
      case 'save':
        return this.#saved(order)
      default:
        return undefined
    }
  }

  /** What the job has ended with, if it was stopped; `checkpoint` is its newest. */
  ended(checkpoint: CheckpointId | undefined): Stopped | undefined {
    this.#answers$.complete()
    if (this.#stopped === undefined || checkpoint === undefined) return undefined
    const { drained, savepoint } = this.#stopped
    return { checkpoint, drained, ...(savepoint === undefined ? {} : { savepoint }) }
  }

  #saved({ request, of }: CheckpointOrder & { kind: 'save' }): Observable<never> {
    return new Observable(() =>
      this.#options.save(of, this.#stores.get(request) as Store).subscribe({
        next: savepoint => {
          if (this.#stopped?.request === request) this.#stopped = { ...this.#stopped, savepoint }
          this.#answers$.next({ request, kind: 'saved', savepoint })
          this.#options.tell({ kind: 'saved', request })
        },
        error: error => {
          this.#answers$.next({ request, kind: 'saveFailed', error })
          this.#options.tell({ kind: 'saveFailed', request })
        },
      }),
    )
  }

  /** Errs too if its checkpoint, or its savepoint, fails. */
  #completed(asking: Asking, place: string): Observable<Answer> {
    return this.#answered(asking).pipe(
      map(answer => {
        if (answer.kind === 'reported' && answer.report.outcome === 'failed') {
          throw savepointFailed(place, answer.report.reason)
        }
        if (answer.kind === 'saveFailed') throw savepointFailed(place, messageOf(answer.error), answer.error)
        return answer
      }),
    )
  }

  #answered(asking: Asking): Observable<Answer> {
    return new Observable(subscriber => {
      subscriber.add(
        this.#answers$
          .pipe(
            filter(({ request }) => request === asking.request),
            map(answer => {
              if (answer.kind === 'refused') throw refused(answer.reason)
              return answer
            }),
          )
          .subscribe(subscriber),
      )
      if (!this.#options.tell(asking)) subscriber.error(notRunning())
    })
  }
}

const refused = (reason: string) =>
  new SpillwayError('CHECKPOINT_REFUSED', {
    place: 'triggerCheckpoint',
    problem: `the request starts no checkpoint (${reason}).`,
    remedy: 'Wait for the checkpoints that have been asked for before; a job that stops takes no more.',
  })

const savepointFailed = (place: string, reason: string | undefined, cause?: unknown) =>
  new SpillwayError('SAVEPOINT_FAILED', {
    place,
    problem: `it has failed, and the job goes on: ${reason}.`,
    remedy: 'Mend the cause and ask again, with a store that is new or empty.',
    cause,
  })

export const notRunning = () =>
  new SpillwayError('NOT_RUNNING', {
    place: 'triggerCheckpoint',
    problem: 'the job is not running.',
    remedy: 'Wait for its status "running"; a job that has ended takes no more checkpoints.',
  })
