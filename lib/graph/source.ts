import type * as t from 'io-ts'
import type { Observable, ObservableInput } from 'rxjs'
import type { SplitId } from '../element.ts'

/**
 * Where records come from: some splits, each read in its order and from any position that its reader has reported.
 *
 * `P` is a split's position: what a snapshot stores and a restore hands back. It must be plain data.
 */
export interface Source<out T, P = any, S extends Record<string, unknown> = Record<never, never>> {
  /** The operator's default name: verb and place, such as `ndjsonFiles:in/`. */
  readonly name: string
  /** Decodes a stored position at a restore. */
  readonly position: t.Type<P, any>
  /** Asked once a start, before anything runs; a missing file or directory is an error here. */
  splits(): ObservableInput<readonly SplitId[]>
  open(split: SplitId, from: P | undefined): SplitReader<T, P>
  /**
   * `exactly-once`, the default: from a position it gives the same again. `at-most-once`: it cannot, and `run` refuses it unless
   * `acceptLoss` names it.
   */
  readonly guarantee?: 'exactly-once' | 'at-most-once'
  /** The names of side outputs, if it has any. */
  readonly sides?: readonly (keyof S & string)[]
}

/** A source that cannot be read again, and whose streams are `AtMostOnce`. */
export interface AtMostOnceSource<out T, P = any, S extends Record<string, unknown> = Record<never, never>>
  extends Source<T, P, S> {
  readonly guarantee: 'at-most-once'
}

/**
 * Reads one split. Never blocks: `wait` says that nothing is there yet, and `ready$` emits once asking again is worth while.
 *
 * A thrown error (of `next`) or an error of `ready$` fails the task.
 */
export interface SplitReader<out T, out P> {
  /** At most `recordsMax` records; at least one, unless it came across records for side outputs. */
  next(recordsMax: number): readonly T[] | 'wait' | 'end'
  /** Subscribed to after each `wait`, up to its first value. It may be cold, and fetch when it is subscribed to. */
  readonly ready$: Observable<unknown>
  /** The position behind the last record that `next` has given. */
  position(): P
  /** Records for side outputs that the last `next` came across, by name. They lie before `position()`. */
  takeSides?(): ReadonlyMap<string, readonly unknown[]> | undefined
  /** Records given up for lack of room since it was opened, of a source that drops. Asked also once it is closed. */
  dropped?(): number
  /** It works off what had come before, and live records follow: then `checkpoints.backlogEveryMs` holds. Asked after each `next`; default: no. */
  inBacklog?(): boolean
  /** Frees files and the like. Called once, also after an error. */
  close(): void
}
