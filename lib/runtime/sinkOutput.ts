import * as t from 'io-ts'
import {
  defer,
  EMPTY,
  type Observable,
  type ObservableInput,
  ReplaySubject,
  type SchedulerLike,
  Subscription,
} from 'rxjs'
import type { CheckpointId, StreamElement } from '../element.ts'
import { messageOf, SpillwayError } from '../error.ts'
import type { Sink, SinkWriter } from '../graph/sink.ts'
import type { Subtask } from '../graph/task.ts'
import { ownState } from '../snapshot/frame.ts'
import { listType } from '../state/listType.ts'
import type { OperatorState } from '../state/operatorState.ts'
import { perCodec } from '../state/perCodec.ts'
import type { Sample } from '../state/sample.ts'
import { retried } from './retried.ts'

/** A transaction that has been cut and not yet published. */
interface Unpublished {
  readonly checkpoint: CheckpointId
  readonly tx: unknown
}

/** How a task's sink stands. */
export interface SinkMetrics {
  readonly sink: string
  /** Transactions that have been cut, and are not published. */
  readonly unpublished: number
  /** Attempts to publish that have failed since the last success, and what the last one failed with. */
  readonly failedAttempts: number
  readonly lastFailure: string | undefined
}

/**
 * A task's output into a sink, exactly once: every snapshot holds the transactions that are not yet published, a durable
 * checkpoint publishes them, and a start publishes again those that its snapshot holds. Publishing is tried until it succeeds;
 * once it has taken `publishTimeoutMs` the task fails, and the next start tries again.
 */
export class SinkOutput {
  /** Of the newest cut: completes once its transaction would survive a crash. */
  durable: readonly Observable<unknown>[] = []
  readonly #name: string
  readonly #writer: SinkWriter<unknown, unknown>
  readonly #restored: readonly Unpublished[]
  readonly #sample: Sample<unknown>
  readonly #open = new Subscription()
  readonly #scheduler: SchedulerLike
  readonly #publishTimeoutMs: number
  /** Of the pauses between attempts: another one in each task and start. */
  readonly #seed: number
  #unpublished: readonly Unpublished[] = []
  #durable = new Map<CheckpointId, Observable<unknown>>()
  #failedAttempts = 0
  #lastFailure: string | undefined

  constructor(options: {
    sink: Sink<unknown>
    subtask: Subtask
    epoch: number
    state: OperatorState
    scheduler: SchedulerLike
    publishTimeoutMs: number
    onReady: () => void
    onError: (error: unknown) => void
  }) {
    const { sink, subtask, epoch, state, onReady, onError } = options
    this.#name = state.operator
    this.#scheduler = options.scheduler
    this.#publishTimeoutMs = options.publishTimeoutMs
    this.#seed = epoch * 65_537 + subtask.index
    this.#writer = sink.open({ subtask, epoch })
    this.#sample = state.sample(ownState.transactions, sink.transaction)
    this.#restored =
      state.keep(ownState.transactions, unpublishedType(sink.transaction), () => [...this.#unpublished]) ?? []
    this.#open.add(this.#writer.ready$.subscribe({ next: onReady, error: onError }))
  }

  get available(): boolean {
    return this.#writer.mayWrite()
  }

  get metrics(): SinkMetrics {
    return {
      sink: this.#name,
      unpublished: this.#unpublished.length,
      failedAttempts: this.#failedAttempts,
      lastFailure: this.#lastFailure,
    }
  }

  /** Publishes what the restored snapshot holds, and discards what older starts left behind. Before anything else. */
  recovered(): Observable<never> {
    return this.#tried(
      () => this.#writer.recover({ publish: this.#restored.map(({ tx }) => tx) }),
      () => {},
    )
  }

  next(element: StreamElement<unknown>): void {
    if (element.kind === 'barrier') return this.cut(element.checkpoint)
    if (element.kind === 'watermark') return this.#writer.watermark?.(element.timeMs)
    if (element.kind === 'end') return this.#writer.watermark?.(Number.POSITIVE_INFINITY)
    if (element.kind !== 'buffer') return
    try {
      this.#writer.write(element.records)
    } catch (error) {
      throw this.#writeFailed(error)
    }
  }

  /** Ends the transaction; it belongs to this checkpoint's snapshot and to all that follow until it is published. */
  cut(checkpoint: CheckpointId): void {
    const cut = this.#writer.cut(checkpoint)
    if (cut !== undefined) {
      this.#sample.pass(cut.tx)
      this.#unpublished = [...this.#unpublished, { checkpoint, tx: cut.tx }]
      this.#durable.set(checkpoint, this.#once(cut.durable))
    }
    this.durable = [...this.#durable.values()]
  }

  /** Something that the checkpoint contains is not published. */
  isUnpublished(checkpoint: CheckpointId): boolean {
    return this.#unpublished.some(of => of.checkpoint <= checkpoint)
  }

  /** Publishes what the checkpoint contains, of what is now unpublished. */
  published(checkpoint: CheckpointId): Observable<never> {
    const due = this.#unpublished.filter(unpublished => unpublished.checkpoint <= checkpoint)
    if (due.length === 0) return EMPTY
    return this.#tried(
      () => this.#writer.publish(due.map(({ tx }) => tx)),
      () => {
        this.#unpublished = this.#unpublished.filter(unpublished => !due.includes(unpublished))
        for (const published of due) this.#durable.delete(published.checkpoint)
      },
    )
  }

  #tried(attempt: () => ObservableInput<unknown>, onSuccess: () => void): Observable<never> {
    return retried(defer(attempt), {
      scheduler: this.#scheduler,
      timeoutMs: this.#publishTimeoutMs,
      seed: this.#seed,
      place: this.#name,
      onFailure: error => {
        this.#failedAttempts++
        this.#lastFailure = messageOf(error)
      },
      onSuccess: () => {
        this.#failedAttempts = 0
        this.#lastFailure = undefined
        onSuccess()
      },
    })
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

  #writeFailed(error: unknown): SpillwayError {
    if (error instanceof SpillwayError) return error
    return new SpillwayError('WRITE_FAILED', {
      place: this.#name,
      problem: `its sink could not take records: ${messageOf(error)}.`,
      remedy: 'Start the job again on the same store once the cause is mended: it goes on from its newest checkpoint.',
      cause: error,
    })
  }

  close(): void {
    this.#open.unsubscribe()
    this.#writer.close()
  }
}

const unpublishedType = perCodec((transaction: t.Type<unknown, any>) =>
  listType<Unpublished>(t.type({ checkpoint: t.number, tx: transaction })),
)
