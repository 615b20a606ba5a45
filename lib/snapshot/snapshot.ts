import type { Observable } from 'rxjs'
import type { CheckpointId, StreamElement } from '../element.ts'
import type { CapturedOperator, RestoredOperator } from '../state/operatorState.ts'
import type { Section } from './container.ts'

/** A task's name: its stage and its number in it, such as `2:tumblingWindow/3`. */
export type TaskId = string

/** One task's share of a checkpoint, by reference, as the synchronous phase took it. */
export interface TaskSnapshot {
  readonly kind: 'snapshot'
  readonly task: TaskId
  /** In which the task was started. */
  readonly epoch: number
  /** For a task that has ended: it stands for the task in this checkpoint and every later one. */
  readonly ended: boolean
  readonly checkpoint: CheckpointId
  readonly operators: readonly CapturedOperator[]
  /** Of each channel first what stands in it, then what is held back for later generations. */
  readonly inFlight: readonly ChannelData[]
  readonly outputs: readonly OutputData[]
  /** What counts the buffers in flight until the snapshot is written; absent where there are none. */
  readonly captured?: { release(): void }
  /** Each completes once something outside the store that the snapshot names (a sink's transaction) would survive a crash. */
  readonly durable: readonly Observable<unknown>[]
  readonly times: SnapshotTimes
}

/** In-flight data of one channel. */
export interface ChannelData {
  /** The exchange: number of the task's input stream. */
  readonly input: number
  /** The producer's number in its stage. */
  readonly from: number
  /**
   * That of the first element, while generations of recovered data are worked off (`lib/channel/generations.ts`); undefined: it
   * is newer than all of them.
   */
  readonly generation?: number | undefined
  readonly elements: readonly StreamElement<unknown>[]
}

/** In-flight data of a channel to another task that the barrier has passed in the sending half: newer than the consumer's own. */
export interface OutputData extends ChannelData {
  readonly to: TaskId
}

/** Times in ms. */
export interface SnapshotTimes {
  /** From the trigger to the first barrier. */
  readonly startDelayMs: number
  /** From the first barrier taken to the last. */
  readonly alignmentMs: number
  /** Buffers taken meanwhile. */
  readonly processedDuringAlignment: number
  /** In which the task did nothing else. */
  readonly syncMs: number
  /** By the job's clock: when the snapshot began, and when it was whole. */
  readonly begunAtMs: number
  readonly wholeAtMs: number
  readonly lastBarrier?: LastBarrier
}

/** The barrier that a task took last of a checkpoint's. */
export interface LastBarrier {
  readonly from: TaskId
  /** That stood in its channel when it came there; over a link only those that had arrived. */
  readonly buffers: number | undefined
}

export interface SnapshotSizes {
  readonly stateBytes: number
  readonly inFlightBytes: number
  readonly inFlightRecords: number
}

/** One task's share of a checkpoint in the store: small sections in the log's entry itself, the others in pieces of objects. */
export interface StoredSnapshot {
  readonly task: TaskId
  readonly ended: boolean
  readonly sections: readonly Section[]
  readonly pieces: readonly Piece[]
}

/** Whether a section is of in-flight data; `format.ts` has the names. */
export const isInFlight = (section: string): boolean =>
  section.startsWith('["channel",') || section.startsWith('["output",')

/** Consecutive bytes of an object: sections in a container of their own, valid whatever becomes of the rest of the object. */
export interface Piece {
  readonly holds: 'state' | 'inFlight'
  readonly object: string
  /** Where it begins in the object, and how long it is. */
  readonly begin: number
  readonly bytes: number
  /** Of the container; a reader compares it. */
  readonly crc: number
}

/** The objects that it is in. */
export const objectsOf = ({ pieces }: StoredSnapshot): readonly string[] =>
  pieces.length === 0 ? none : pieces.map(({ object }) => object)

const none: readonly string[] = []

/** One task's share of a checkpoint, as a restore reads it. */
export interface RestoredTask {
  readonly ended: boolean
  readonly operators: ReadonlyMap<string, RestoredOperator>
  readonly inFlight: readonly ChannelData[]
}

/** A snapshot as it has been read: what belongs to its task's consumers is not yet with them. */
export interface ReadSnapshot extends RestoredTask {
  readonly outputs: readonly OutputData[]
  /** Of its in-flight data, also where that has not been read; none: there is none. */
  readonly counts?: InFlightCounts
}

/** How many records are in flight in each channel; `to` is another task, if they are in its producer's sending half. */
export type InFlightCounts = readonly {
  readonly to?: TaskId
  readonly input: number
  readonly from: number
  readonly records: number
}[]
