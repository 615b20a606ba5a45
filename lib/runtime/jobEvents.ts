import type { TaskId } from '../snapshot/snapshot.ts'

/** What happens to a job's tasks. Times by the job's clock. */
export type JobEvent =
  /** It runs: from the start on, or restarted (`attempt` of its group's restarts, 0: the job's start). */
  | { readonly kind: 'taskRunning'; readonly task: TaskId; readonly atMs: number; readonly attempt: number }
  | { readonly kind: 'taskFailed'; readonly task: TaskId; readonly atMs: number; readonly error: unknown }
  /** It has been stopped, because `failed`, itself or a task joined to it, has failed; and will be started again. */
  | {
      readonly kind: 'taskRestarting'
      readonly task: TaskId
      readonly atMs: number
      readonly failed: TaskId
      readonly attempt: number
      readonly restartInMs: number
    }
  /** It has taken all its input, in this run or before it. */
  | { readonly kind: 'taskFinished'; readonly task: TaskId; readonly atMs: number }
