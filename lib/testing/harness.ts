import type { Alignment, CheckpointId, Key, SplitId, StreamElement } from '../element.ts'
import type { Source } from '../graph/source.ts'
import type { KeyedStream, NoSides, Sides, Stream } from '../graph/stream.ts'
import type { Subtask } from '../graph/task.ts'
import type { HarnessSnapshot } from './harnessSnapshot.ts'
import type { KeyedState } from './keyedState.ts'
import { OperatorHarness } from './operatorHarness.ts'

export interface HarnessOptions {
  /** How many inputs the operator has, each a channel; default 1. */
  readonly lanes?: number
  /** Which of several tasks it is: with keys it takes the records of its key groups alone. Default: the only one. */
  readonly subtask?: Subtask
  /** What it begins with: its own snapshot or, at another parallelism, those of all former tasks. */
  readonly restored?: HarnessSnapshot | readonly HarnessSnapshot[]
  /** How many results the output has room for, until `free`; default: any number. */
  readonly room?: number
}

/** One input of the operator. */
export interface HarnessLane<A> {
  /** Sends one record. */
  push(record: A, at?: { readonly timeMs?: number; readonly noteMs?: number; readonly split?: SplitId }): void
  /** Sends elements: whole buffers, watermarks, `idle`, a barrier of this lane alone. */
  send(...elements: readonly StreamElement<A>[]): void
  watermark(timeMs: number): void
  end(): void
}

/**
 * One task with an operator of one's own in it, driven by hand and synchronously, without a job. What is sent passes the
 * gate, the alignment and the operators of the runtime.
 *
 * What an operator throws is thrown by the call that has led to it, and by every later call.
 */
export interface Harness<A, B, S extends Sides = NoSides> extends HarnessLane<A> {
  /** Lanes count from 0, which is what `push`, `send`, `watermark` and `end` of the harness itself send to. */
  lane(number: number): HarnessLane<any>
  /** Takes at most so many records from the source, where one has been given; false if there is nothing more. */
  read(recordsMax?: number): boolean
  /** Lets processing time pass. */
  advance(ms: number): void

  /** From now on the output is full: operators that can be suspended are, and data waits. */
  fill(): void
  /** From now on the output has room, for so many results or for any number. */
  free(results?: number): void
  /** An operator is suspended. */
  readonly suspended: boolean
  readonly ended: boolean

  /** Results so far. */
  readonly output: readonly B[]
  /** Results since the last `take`. */
  take(): readonly B[]
  /** All that has come out of the main output, watermarks and barriers too. */
  readonly elements: readonly StreamElement<B>[]
  /** The names of its side outputs. */
  readonly sides: readonly string[]
  /** Records of a side output so far. */
  side<N extends keyof S & string>(name: N): readonly S[N][]
  /** All that has come out of a side output. */
  sideElements<N extends keyof S & string>(name: N): readonly StreamElement<S[N]>[]

  /** Sends a barrier through all lanes: an aligned one waits behind what is suspended, an unaligned one passes. */
  barrier(checkpoint: CheckpointId, options?: { readonly alignment?: Alignment }): void
  /** What the last barrier has led to, as a store would hold it. @throws NOT_ENCODABLE */
  snapshot(): HarnessSnapshot
  /** Keyed state by its name; with several operators that have state of this name, also by the operator's. */
  state<V = any>(name: string, options?: { readonly operator?: string }): KeyedState<V>
  /** The times of the key's timers, ascending, in ms. */
  timers(key: Key, options?: { readonly operator?: string }): readonly number[]
}

export function harness<A, K extends Key, B, S extends Sides>(
  operator: (source: KeyedStream<A, K>) => Stream<B, S>,
  options: HarnessOptions & { readonly keyBy: (record: A) => K },
): Harness<A, B, S>
export function harness<A, B, S extends Sides>(
  operator: (source: Stream<A>) => Stream<B, S>,
  options?: HarnessOptions,
): Harness<A, B, S>
export function harness<A, B, S extends Sides>(
  operator: (source: Stream<A>) => Stream<B, S>,
  options: HarnessOptions & { readonly source: Source<A> },
): Harness<A, B, S>
export function harness<B, S extends Sides>(
  operator: (...sources: Stream<any>[]) => Stream<B, S>,
  options: HarnessOptions & { readonly lanes: number },
): Harness<any, B, S>
export function harness(
  operator: (...sources: any[]) => Stream<any, any>,
  options: HarnessOptions & { readonly keyBy?: (record: any) => Key; readonly source?: Source<any> } = {},
): Harness<any, any, any> {
  return new OperatorHarness(operator, options)
}
