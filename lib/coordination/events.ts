import type { Alignment, Barrier, CheckpointId } from '../element.ts'
import type { SnapshotSizes, SnapshotTimes, StoredSnapshot, TaskId } from '../snapshot/snapshot.ts'
import type { CheckpointReport } from './report.ts'

/** What the coordinator hears. Facts, never an Observable's error. */
export type CoordinateEvent = CheckpointEvent | Configured

/** The schedule is another from now on; the checkpoint under way keeps what it was triggered with. */
export interface Configured {
  readonly kind: 'configured'
  readonly schedule: Schedule
}

/** When checkpoints are taken, and how. */
export interface Schedule {
  /** Between two triggers; undefined: only on request. */
  readonly everyMs: number | undefined
  /** From the trigger; a checkpoint that takes longer fails. */
  readonly timeoutMs: number
  readonly alignment: Alignment
}

/** What becomes of checkpoints. */
export type CheckpointEvent =
  | Requested
  | Acknowledged
  /** The task has not made, or not written, its snapshot. */
  | {
      readonly kind: 'declined'
      readonly task: TaskId
      readonly ended: boolean
      readonly checkpoint: CheckpointId
      readonly reason: string
    }
  /** The order to commit has been carried out: the part is durable. `entry` is the number of its log entry. */
  | { readonly kind: 'committed'; readonly checkpoint: CheckpointId; readonly entry: number; readonly object: string }
  /** `inDoubt`: the entry may stand all the same, so what it names must stay until a start has read the log. */
  | {
      readonly kind: 'commitFailed'
      readonly checkpoint: CheckpointId
      readonly reason: string
      readonly inDoubt: boolean
    }
  /** The task's sinks have published what the checkpoint contains. */
  | { readonly kind: 'published'; readonly task: TaskId; readonly checkpoint: CheckpointId }
  | { readonly kind: 'expired'; readonly checkpoint: CheckpointId }
  | { readonly kind: 'failed'; readonly task: TaskId; readonly error: unknown }

/** Somebody wants a checkpoint: the schedule, or the user. */
export interface Requested {
  readonly kind: 'requested'
  /** The user's, by its number; the schedule's have none. */
  readonly request?: number
  readonly alignment: Alignment
}

/** The task's snapshot is in the store. */
export interface Acknowledged {
  readonly kind: 'acknowledged'
  readonly checkpoint: CheckpointId
  readonly snapshot: StoredSnapshot
  readonly sizes: SnapshotSizes
  readonly times: SnapshotTimes & { readonly asyncMs: number }
}

/** What the coordinator says. */
export type CheckpointOrder =
  /** To all tasks: those without open inputs begin, those that have ended send the barrier before their end. */
  | { readonly kind: 'trigger'; readonly barrier: Barrier }
  /** To the store: make the part durable. */
  | { readonly kind: 'commit'; readonly checkpoint: CheckpointId; readonly tasks: readonly StoredSnapshot[] }
  /** To the tasks: the checkpoint is durable; sinks publish. */
  | { readonly kind: 'notify'; readonly checkpoint: CheckpointId }
  | { readonly kind: 'abort'; readonly checkpoint: CheckpointId; readonly reason: string }
  /** To the store: nothing names these any more. */
  | { readonly kind: 'release'; readonly objects: readonly string[]; readonly entries: readonly number[] }
  | { readonly kind: 'failJob'; readonly error: unknown }
  /** To the outside. */
  | { readonly kind: 'report'; readonly report: CheckpointReport; readonly request?: number }
  /** All tasks have ended and all that they wrote is published. */
  | { readonly kind: 'finished' }
