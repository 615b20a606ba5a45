/**
 * What Spillway throws when its user can do something about it.
 *
 * The message names the place (operator, file, line, option), what was expected and found, and the remedy;
 * `code` is stable and listed in docs/errors.md. What the runtime does about it is decided by where it is thrown:
 * before a job starts nothing has been written; in a task it fails the job; in a checkpoint it fails the checkpoint.
 */
export class SpillwayError extends Error {
  override readonly name = 'SpillwayError'
  readonly code: ErrorCode
  readonly place: string
  readonly problem: string
  readonly remedy: string

  constructor(code: ErrorCode, options: { place: string; problem: string; remedy: string; cause?: unknown }) {
    const { place, problem, remedy, cause } = options
    super(`${place}: ${problem} ${remedy} [${code}]`, cause === undefined ? undefined : { cause })
    this.code = code
    this.place = place
    this.problem = problem
    this.remedy = remedy
  }
}

export type ErrorCode =
  // the pipeline as written
  | 'NOT_A_STREAM'
  | 'NO_SOURCE'
  | 'NO_PIPELINE'
  | 'UNKNOWN_OPTION'
  | 'INVALID_OPTION'
  | 'BUDGET_TOO_SMALL'
  | 'DUPLICATE_NAME'
  | 'SIDE_NOT_READ'
  | 'UNKNOWN_SIDE'
  | 'UNION_NOT_DECLARED'
  | 'EVENT_TIME_NOT_PER_SPLIT'
  | 'AT_MOST_ONCE_SOURCE'
  | 'NO_EVENT_TIME'
  | 'INVALID_KEY'
  | 'INVALID_PARTITION'
  | 'PARALLELISM_CONFLICT'
  | 'PARALLELISM_TOO_LARGE'
  | 'NOT_REGIONAL'
  | 'NO_KEY'
  | 'BROADCAST_STATE'
  // user code
  | 'USER_FUNCTION_FAILED'
  | 'EACH_RECORD_ASYNC'
  | 'OUTPUT_OVERFLOW'
  | 'NOT_DETERMINISTIC'
  // input and output
  | 'FILE_NOT_FOUND'
  | 'READ_FAILED'
  | 'INPUT_OVERFLOW'
  | 'UNDECODABLE'
  | 'WRITE_FAILED'
  | 'OUTPUT_EXISTS'
  | 'TRANSACTION_LOST'
  | 'PUBLISH_FAILED'
  // checkpoints
  | 'NOT_ENCODABLE'
  | 'MUTATED_AFTER_CAPTURE'
  | 'STORE_FAILED'
  | 'OBJECT_NOT_FOUND'
  | 'OBJECT_EXISTS'
  | 'FENCED'
  | 'DAMAGED'
  | 'FORMAT_UNKNOWN'
  | 'CHECKPOINT_NOT_FOUND'
  | 'WOULD_DUPLICATE'
  | 'STATE_NOT_MATCHED'
  | 'STATE_VERSION_UNKNOWN'
  | 'STATE_WOULD_BE_DROPPED'
  | 'KEY_GROUPS_CHANGED'
  | 'PARALLELISM_CHANGED'
  // the job's handle
  | 'CHECKPOINT_FAILED'
  | 'CHECKPOINT_REFUSED'
  | 'SAVEPOINT_FAILED'
  | 'NOT_EMPTY'
  | 'RESTARTS_EXHAUSTED'
  | 'SCHEDULE_FAILED'
  | 'CANCELLED'
  | 'NOT_RUNNING'

/** What a thrown value says, also when it is no Error. */
export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))
