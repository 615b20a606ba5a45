import type { CheckpointId } from '../element.ts'

/** Why a checkpoint, or a region's part of one, has failed. Source: Flink's CheckpointFailureReason. */
export type FailureCause =
  | 'io'
  | 'async'
  | 'declined'
  | 'expired'
  | 'finalize'
  | 'subsumed'
  | 'declined-subsumed'
  | 'not-ready'
  | 'closing'
  | 'cancelled'
  | 'input-ended'
  | 'shared-file'
  | 'job-failed'
  | 'region-failover'
  | 'task-failed'
  | 'shutdown'

/** The failures that count are those of the checkpoint itself; the others are of something that is dealt with by itself. */
const counting: ReadonlySet<FailureCause> = new Set(['io', 'async', 'declined', 'expired', 'finalize'])

/** What is remembered of checkpoints that have failed since the last success. */
export interface Tolerance {
  readonly tolerableFailures: number
  /** Checkpoints; each counts once, however many of its tasks have failed. */
  readonly counted: ReadonlySet<CheckpointId>
  readonly highestSucceeded: CheckpointId
}

export type Settled =
  | { readonly kind: 'failed'; readonly checkpoint: CheckpointId; readonly cause: FailureCause }
  | { readonly kind: 'succeeded'; readonly checkpoint: CheckpointId }

export const initialTolerance = (tolerableFailures: number): Tolerance => ({
  tolerableFailures,
  counted: new Set(),
  highestSucceeded: 0,
})

/**
 * How many failed checkpoints in a row a job bears, a transition function: with more than `tolerableFailures` it fails.
 * What failed before the highest success does not count, and a success forgets all; so does the job's failure.
 * Source: Flink's CheckpointFailureManager.
 */
export const tolerance = (state: Tolerance, event: Settled): readonly [Tolerance, 'tolerated' | 'job fails'] => {
  if (event.checkpoint <= state.highestSucceeded) return [state, 'tolerated']
  if (event.kind === 'succeeded') {
    return [{ ...state, counted: new Set(), highestSucceeded: event.checkpoint }, 'tolerated']
  }
  if (!counting.has(event.cause) || state.counted.has(event.checkpoint)) return [state, 'tolerated']
  const counted = new Set([...state.counted, event.checkpoint])
  if (counted.size > state.tolerableFailures) return [{ ...state, counted: new Set() }, 'job fails']
  return [{ ...state, counted }, 'tolerated']
}
