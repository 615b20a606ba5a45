import type * as t from 'io-ts'
import type { Observable, ObservableInput } from 'rxjs'
import type { CheckpointId } from '../element.ts'

/** Where records go, in transactions that become visible once the checkpoint that contains them is durable. */
export interface Sink<in T, Tx = any> {
  /** The operator's default name: verb and place, such as `ndjsonFiles:out/`. */
  readonly name: string
  /** Decodes a stored transaction at a restore. */
  readonly transaction: t.Type<Tx, any>
  /** Its tasks write into one transaction, so that all of them must be in one region; default false: each has its own. */
  readonly sharedTransaction?: boolean
  /**
   * The outside gives up a transaction that is cut and not published after so long; default: never. `run` warns where a checkpoint
   * and a restart may take longer.
   */
  readonly transactionTimeoutMs?: number
  open(task: SinkTask): SinkWriter<T, Tx>
}

export interface SinkTask {
  readonly subtask: { readonly index: number; readonly parallelism: number }
  /** Grows with every start of the job on its store; names of pending things carry it. */
  readonly epoch: number
}

/**
 * One task's writer. The order of calls: `recover` first of all and awaited, then `write`, `watermark` and `cut` in turns; `publish`
 * at any time between. No call overlaps another `publish`.
 *
 * A thrown error, or an error of an Observable, fails the task (of `durable`: the checkpoint). Only `publish` and `recover` are
 * called again after one, with pauses, for up to `publishTimeoutMs`; not if it is a `SpillwayError` of another code than
 * PUBLISH_FAILED, for that no repetition mends. An Observable may be unsubscribed at any time.
 */
export interface SinkWriter<in T, Tx> {
  /** A full sink makes its task unavailable, like a full channel. */
  mayWrite(): boolean
  /** Emits when `mayWrite` may have become true. */
  readonly ready$: Observable<unknown>
  write(batch: readonly T[]): void
  /** No record on time, with a time below it, is written after it; Infinity: none at all. Each is larger than the last. */
  watermark?(timeMs: number): void
  /**
   * Ends the current transaction: what was written since the last cut. Does no I/O by itself; `durable` completes once
   * the transaction would survive a crash, and precedes the snapshot's acknowledgement. `undefined` if nothing was written.
   */
  cut(checkpoint: CheckpointId): Cut<Tx> | undefined
  /**
   * Makes transactions visible, oldest first, after their part is durable. Idempotent: those that are visible stay as they are,
   * whoever has published them.
   * @throws TRANSACTION_LOST if one is neither visible nor can become so, because the outside has given it up: it is never
   * passed over. The error names its data
   */
  publish(transactions: readonly Tx[]): ObservableInput<unknown>
  /**
   * At every start, with an epoch that this task has not had before: publishes these, then discards what epochs before
   * this one left unpublished. The transactions of a former subtask i are given to subtask i mod parallelism. Idempotent, as
   * `publish` is.
   */
  recover(options: { publish: readonly Tx[] }): ObservableInput<unknown>
  /** Frees files and the like. Called once, also after an error. What is not published stays for a later start. */
  close(): void
}

export interface Cut<Tx> {
  readonly tx: Tx
  readonly durable: Observable<unknown>
}
