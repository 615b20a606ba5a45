import type { Alignment, Barrier, CheckpointId } from '../element.ts'
import type { Completes, Part } from '../snapshot/log.ts'
import type { SnapshotSizes, SnapshotTimes, StoredSnapshot, TaskId } from '../snapshot/snapshot.ts'
import type { Policy } from './policy.ts'
import type { CheckpointReport } from './report.ts'
import type { Requests, Timetable } from './timetable.ts'
import type { FailureCause } from './tolerance.ts'

/** What the coordinator hears. Facts, never an Observable's error. */
export type CoordinateEvent = CheckpointEvent | Configured | Backlog

/** The schedule is another from now on; the checkpoint under way keeps what it was triggered with. */
export interface Configured {
  readonly kind: 'configured'
  readonly schedule: Schedule
}

/** The task's source works off what had come before it was opened, or does so no more. */
export interface Backlog {
  readonly kind: 'backlog'
  readonly task: TaskId
  readonly is: boolean
}

/** When checkpoints are taken, and how. */
export interface Schedule {
  /** Between two triggers; undefined: only on request. */
  readonly everyMs: number | undefined
  /** The same while a source works off a backlog; Infinity: none then; undefined: as without. */
  readonly backlogEveryMs?: number | undefined
  /** What else asks for checkpoints. */
  readonly schedule?: Timetable | Requests | undefined
  /** From the trigger; a checkpoint that takes longer fails. */
  readonly timeoutMs: number
  readonly alignment: Alignment
  /** From a completion to the schedule's next trigger. */
  readonly minPauseMs: number
  /** Checkpoints that may fail in a row. */
  readonly tolerableFailures: number
  /** With other limits; undefined: as they were. */
  readonly policy?: Policy | undefined
}

/** What becomes of checkpoints. */
export type CheckpointEvent =
  | Requested
  | Drain
  /** The order to save has been carried out, or not. */
  | { readonly kind: 'saved' | 'saveFailed'; readonly request: number }
  | Acknowledged
  /** The task has not made, or not written, its snapshot. */
  | {
      readonly kind: 'declined'
      readonly task: TaskId
      readonly ended: boolean
      readonly checkpoint: CheckpointId
      readonly reason: string
      readonly cause: FailureCause
    }
  /** The order to commit has been carried out: the parts are durable. `entry` is the number of the log entry. */
  | { readonly kind: 'committed'; readonly checkpoint: CheckpointId; readonly entry: number }
  /** The entry may stand all the same, so what it names stays until a start has read the log. */
  | { readonly kind: 'commitFailed'; readonly checkpoint: CheckpointId; readonly reason: string }
  /** An earlier commit, which had failed, has taken place all the same: its parts are durable. */
  | {
      readonly kind: 'stands'
      readonly checkpoint: CheckpointId
      readonly entry: number
      readonly parts: readonly Part[]
    }
  /** Parts have been ready, and waiting for others to share a commit with, for long enough. */
  | { readonly kind: 'commitDue'; readonly checkpoint: CheckpointId }
  /** These tasks have published what their part of the checkpoint contains. */
  | { readonly kind: 'published'; readonly tasks: readonly TaskId[]; readonly checkpoint: CheckpointId }
  | { readonly kind: 'expired'; readonly checkpoint: CheckpointId }
  /** Other limits, from the next decision on; the regions stay. */
  | { readonly kind: 'limited'; readonly policy: Policy; readonly minPauseMs: number }
  | { readonly kind: 'failed'; readonly task: TaskId; readonly error: unknown }
  /** The pause after the failure of this task is over. */
  | { readonly kind: 'restartDue'; readonly task: TaskId }
  /** The order to begin an epoch has been carried out, or not. */
  | { readonly kind: 'epochBegun'; readonly tasks: readonly TaskId[]; readonly epoch: number }
  | { readonly kind: 'epochFailed'; readonly tasks: readonly TaskId[]; readonly error: unknown }
  /** The order to restart has been carried out. Those restored as ended are represented by what they were restored from. */
  | {
      readonly kind: 'restarted'
      readonly tasks: readonly TaskId[]
      readonly ended: ReadonlyMap<TaskId, Acknowledged>
    }

/** Somebody wants a checkpoint: the schedule, or the user. */
export interface Requested {
  readonly kind: 'requested'
  /** The user's, by its number; the schedule's have none. */
  readonly request?: number
  /** It is to be taken at this time: it waits for the one under way, and for no pause. */
  readonly timed?: true
  readonly alignment: Alignment
  /** What the user wants beside it; it is then aligned, comes first, and is complete only as a whole. */
  readonly purpose?: Purpose
}

/** A savepoint is made of the checkpoint; sources read nothing after it, and the job ends once it is published; or both. */
export interface Purpose {
  readonly save: boolean
  readonly stop: boolean
}

/** The user wants the sources to end where they are, and perhaps a savepoint of the ended job. */
export interface Drain {
  readonly kind: 'drainRequested'
  readonly request: number
  readonly save: boolean
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
  /**
   * To all tasks: those without open inputs begin, those that have ended send the barrier before their end. And to the store:
   * `asked` are those whose snapshots are awaited, by region.
   */
  | {
      readonly kind: 'trigger'
      readonly barrier: Barrier
      readonly asked: readonly (readonly TaskId[])[]
      /** Sources read nothing after it, unless it is aborted, or they are to `resume`. */
      readonly stops?: true
    }
  /** To the store: make the parts durable, and with them, or alone, that the checkpoint is complete. One at a time. */
  | {
      readonly kind: 'commit'
      readonly checkpoint: CheckpointId
      readonly parts: readonly Part[]
      readonly completes?: Completes
    }
  /** To the tasks of these regions: their parts are durable; sinks publish. */
  | {
      readonly kind: 'publish'
      readonly checkpoint: CheckpointId
      readonly regions: readonly number[]
      readonly tasks: readonly TaskId[]
    }
  /** To the tasks of finished parts: the checkpoint is complete. */
  | { readonly kind: 'notify'; readonly checkpoint: CheckpointId; readonly tasks: readonly TaskId[] }
  /**
   * To the tasks of a part that has failed, and to the store: nobody waits for their snapshots any more. `latestFinished`: by task the
   * newest part of its region; one that has missed the message publishes it now. Source: Flink's notifyCheckpointAborted.
   */
  | {
      readonly kind: 'abort'
      readonly checkpoint: CheckpointId
      readonly tasks: readonly TaskId[]
      readonly latestFinished: ReadonlyMap<TaskId, CheckpointId>
      readonly reason: string
    }
  /** The user's request starts no checkpoint. */
  | {
      readonly kind: 'refuse'
      readonly request: number
      readonly reason: 'min-pause' | 'too-many-requests' | 'stopping'
    }
  /** To tasks that read sources: they end where they are. */
  | { readonly kind: 'drain'; readonly request: number }
  /** To tasks that have stopped reading: they go on. */
  | { readonly kind: 'resume' }
  /** To the runtime: make the savepoint that was asked for, of this completed checkpoint, or of the newest parts of a job that ends. */
  | {
      readonly kind: 'save'
      readonly request: number
      readonly of: { readonly checkpoint: CheckpointId } | 'what is published'
    }
  /** To the store: nothing names these any more. */
  | { readonly kind: 'release'; readonly objects: readonly string[]; readonly entries: readonly number[] }
  /** To these tasks, and to the store: they are no more; nobody waits for anything of them. They are restarted later. */
  | {
      readonly kind: 'stop'
      readonly tasks: readonly TaskId[]
      /** The one that has failed. */
      readonly failed: TaskId
      readonly error: unknown
      /** Restarts of these tasks, with the one to come. */
      readonly attempt: number
      readonly restartInMs: number
    }
  /** To the store: tasks that are to be restarted need an epoch that none has had. */
  | { readonly kind: 'beginEpoch'; readonly tasks: readonly TaskId[] }
  /** To the runtime: start these tasks from this part; from what the job was started from if they have finished none. */
  | {
      readonly kind: 'restart'
      readonly tasks: readonly TaskId[]
      readonly epoch: number
      /** Restarts of these tasks, with this one. */
      readonly attempt: number
      readonly from: { readonly checkpoint: CheckpointId; readonly entry: number } | undefined
    }
  | { readonly kind: 'failJob'; readonly error: unknown }
  /** To the outside. */
  | { readonly kind: 'report'; readonly report: CheckpointReport; readonly request?: number }
  /** All tasks have ended, or the job stops, and all that they wrote is published; a savepoint of it is made. */
  | { readonly kind: 'finished' }
