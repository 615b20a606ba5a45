import * as t from 'io-ts'
import {
  catchError,
  concat,
  defer,
  EMPTY,
  from,
  ignoreElements,
  type Observable,
  ReplaySubject,
  Subscription,
  throwError,
} from 'rxjs'
import type { CheckpointId, StreamElement } from '../element.ts'
import { messageOf, SpillwayError } from '../error.ts'
import type { Sink, SinkWriter } from '../graph/sink.ts'
import type { Subtask } from '../graph/task.ts'
import { ownState } from '../snapshot/frame.ts'
import type { OperatorState } from '../state/operatorState.ts'

/** A transaction that has been cut and not yet published. */
interface Unpublished {
  readonly checkpoint: CheckpointId
  readonly tx: unknown
}

/**
 * A task's output into a sink, exactly once: every snapshot holds the transactions that are not yet published, a durable
 * checkpoint publishes them, and a start publishes again those that its snapshot holds.
 */
export class SinkOutput {
  /** Of the newest cut: completes once its transaction would survive a crash. */
  durable: readonly Observable<unknown>[] = []
  readonly #name: string
  readonly #writer: SinkWriter<unknown, unknown>
  readonly #restored: readonly Unpublished[]
  readonly #open = new Subscription()
  #unpublished: readonly Unpublished[] = []
  #durable = new Map<CheckpointId, Observable<unknown>>()

  constructor(options: {
    sink: Sink<unknown>
    subtask: Subtask
    epoch: number
    state: OperatorState
    onReady: () => void
    onError: (error: unknown) => void
  }) {
    const { sink, subtask, epoch, state, onReady, onError } = options
    this.#name = state.operator
    this.#writer = sink.open({ subtask, epoch })
    const type = t.array(t.type({ checkpoint: t.number, tx: sink.transaction }))
    this.#restored = state.keep(ownState.transactions, type, () => [...this.#unpublished]) ?? []
    this.#open.add(this.#writer.ready$.subscribe({ next: onReady, error: onError }))
  }

  get available(): boolean {
    return this.#writer.mayWrite()
  }

  /** Publishes what the restored snapshot holds, and discards what older starts left behind. Before anything else. */
  recovered(): Observable<never> {
    return defer(() => from(this.#writer.recover({ publish: this.#restored.map(({ tx }) => tx) }))).pipe(
      ignoreElements(),
      catchError(error => throwError(() => this.#notPublished(error))),
    )
  }

  next(element: StreamElement<unknown>): void {
    if (element.kind === 'barrier') return this.cut(element.checkpoint)
    if (element.kind !== 'buffer') return
    try {
      this.#writer.write(element.records)
    } catch (error) {
      throw this.#failed('WRITE_FAILED', 'could not take records', error)
    }
  }

  /** Ends the transaction; it belongs to this checkpoint's snapshot and to all that follow until it is published. */
  cut(checkpoint: CheckpointId): void {
    const cut = this.#writer.cut(checkpoint)
    if (cut !== undefined) {
      this.#unpublished = [...this.#unpublished, { checkpoint, tx: cut.tx }]
      this.#durable.set(checkpoint, this.#once(cut.durable))
    }
    this.durable = [...this.#durable.values()]
  }

  /** Publishes what the checkpoint contains. */
  published(checkpoint: CheckpointId): Observable<never> {
    return defer(() => {
      const due = this.#unpublished.filter(unpublished => unpublished.checkpoint <= checkpoint)
      if (due.length === 0) return EMPTY
      return concat(
        from(this.#writer.publish(due.map(({ tx }) => tx))),
        defer(() => {
          this.#unpublished = this.#unpublished.filter(unpublished => !due.includes(unpublished))
          for (const published of due) this.#durable.delete(published.checkpoint)
          return EMPTY
        }),
      )
    }).pipe(
      ignoreElements(),
      catchError(error => throwError(() => this.#notPublished(error))),
    )
  }

  /** Every snapshot until the publication waits for it; it is done once, while the sink is open. */
  #once(durable: Observable<unknown>): Observable<unknown> {
    const done$ = new ReplaySubject<unknown>(1)
    let begun = false
    return defer(() => {
      if (!begun) this.#open.add(durable.subscribe(done$))
      begun = true
      return done$
    })
  }

  #notPublished(error: unknown): SpillwayError {
    return this.#failed('PUBLISH_FAILED', 'could not publish what a checkpoint contains', error)
  }

  #failed(code: 'PUBLISH_FAILED' | 'WRITE_FAILED', what: string, error: unknown): SpillwayError {
    if (error instanceof SpillwayError) return error
    return new SpillwayError(code, {
      place: this.#name,
      problem: `its sink ${what}: ${messageOf(error)}.`,
      remedy: 'Start the job again on the same store once the cause is mended: it goes on from its newest checkpoint.',
      cause: error,
    })
  }

  close(): void {
    this.#open.unsubscribe()
    this.#writer.close()
  }
}
