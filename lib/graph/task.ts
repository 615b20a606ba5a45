import type { Observable, SchedulerLike } from 'rxjs'
import type { StreamElement } from '../element.ts'
import type { OperatorState } from '../state/operatorState.ts'
import type { Source } from './source.ts'
import type { OperatorNode, Stream } from './stream.ts'

/**
 * What a stream runs in. The runtime has one for each parallel copy of a stage; a plain subscribe makes its own
 * (`inPlace`). Operators never see availability but through `mayGoOn` and `hasTurn`.
 */
export interface Task {
  readonly subtask: Subtask
  readonly scheduler: SchedulerLike
  /** Number of key groups of the job. */
  readonly keyGroups: number
  /** Most records that an operator puts into one buffer. */
  readonly bufferRecordsMax: number
  /** Costly checks, such as freezing what is emitted. */
  readonly checks: boolean
  /** The task's gate, where the job was cut at this stream; undefined: build it here. */
  input<T>(stream: Stream<T>): Observable<StreamElement<T>> | undefined
  /** The records of the splits that belong to this task. */
  read<T>(source: Source<T>, node: OperatorNode): Observable<StreamElement<T>>
  /**
   * Asked between two results of one operator: the output is free, the turn not used up, no barrier waits, and nothing
   * nearer to the output is suspended.
   */
  mayGoOn(position: number): boolean
  /** Asked while nothing is given, as between results that a restore skips: the turn is not used up, and no barrier waits. */
  hasTurn(): boolean
  /** Resumed before the next element is taken, nearest to the output first. */
  suspend(rest: Rest): void
  /**
   * Of an operator that waits for something outside the task, once: while it is full no data is taken, and it goes on in a
   * turn while the output is free. Returns what it calls when it has become ready.
   */
  awaits(operator: Awaiting): () => void
  /** State of the operator, as restored or new. Once for each operator. */
  open(node: { readonly name: string }): OperatorState
}

export interface Subtask {
  readonly index: number
  readonly parallelism: number
}

/** A suspended operator: what it has still to do with elements that it has taken. */
export interface Rest {
  readonly position: number
  /** Goes on while it may; suspends itself again if something is left. */
  resume(): void
}

/** An operator that waits for something outside the task, such as results of calls. */
export interface Awaiting {
  /** Nothing is under way, and nothing waits. */
  readonly idle: boolean
  readonly position: number
  /** It is not to be given more data; barriers pass. */
  readonly full: boolean
  /** It has something to do in a turn. */
  readonly ready: boolean
  goOn(): void
}
