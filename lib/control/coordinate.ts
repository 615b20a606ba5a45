import { asyncScheduler, Observable, type OperatorFunction, type SchedulerLike, Subscription } from 'rxjs'
import { checkpoints } from '../coordination/checkpoints.ts'
import { type InitialCheckpoints, initialCheckpoints } from '../coordination/checkpointsState.ts'
import type { CheckpointEvent, CheckpointOrder, CoordinateEvent, Schedule } from '../coordination/events.ts'
import { initialTolerance, tolerance } from '../coordination/tolerance.ts'
import { messageOf, SpillwayError } from '../error.ts'
import type { TaskId } from '../snapshot/snapshot.ts'
import { Triggers } from './triggers.ts'

/** The job's tasks and where they stand, and the schedule as it is at first: a `configured` event changes it. */
export interface CoordinateOptions extends InitialCheckpoints, Partial<Omit<Schedule, 'policy'>> {
  readonly scheduler?: SchedulerLike
}

/**
 * Decides which checkpoints are taken and what becomes of them, and of tasks that fail, by `checkpoints`, and how many checkpoints may fail, by
 * `tolerance`; holds the timers that the functions ask for, beside the schedule's (`Triggers`): the pending checkpoint's, that of parts that wait for
 * a commit, and those of tasks that wait to be restarted. Another
 * interval counts from the last trigger of the schedule.
 *
 * Emits orders, all of one event before it hears the next. After `finished` its timers stop. Completes with its source.
 */
export const coordinate =
  (options: CoordinateOptions): OperatorFunction<CoordinateEvent, CheckpointOrder> =>
  source =>
    new Observable(subscriber => {
      const { scheduler = asyncScheduler } = options
      let state = initialCheckpoints(options)
      let schedule: Schedule = { ...unscheduled, ...options }
      let tolerated = initialTolerance(schedule.tolerableFailures)
      const timers = new Subscription()
      let expiry = Subscription.EMPTY
      let commitDue = Subscription.EMPTY
      /** Tasks whose sources work off what had come before. */
      const inBacklog = new Set<TaskId>()

      const waiting: CoordinateEvent[] = []

      /** What an order leads to at once is heard only after the other orders of its event have been given. */
      const heard = (event: CoordinateEvent): void => {
        if (waiting.push(event) > 1) return
        for (let next = waiting[0]; next !== undefined; next = waiting[0]) {
          try {
            decided(next)
          } catch (error) {
            return subscriber.error(error)
          }
          waiting.shift()
        }
      }

      const decided = (event: CoordinateEvent): void => {
        if (event.kind === 'backlog') {
          if (event.is) inBacklog.add(event.task)
          else inBacklog.delete(event.task)
          return triggers.backlog(inBacklog.size > 0)
        }
        if (event.kind !== 'configured') return about(event)
        schedule = event.schedule
        tolerated = { ...tolerated, tolerableFailures: schedule.tolerableFailures }
        about({ kind: 'limited', policy: schedule.policy ?? state.policy, minPauseMs: schedule.minPauseMs })
        triggers.become(schedule)
      }

      const about = (event: CheckpointEvent): void => {
        const [next, orders] = checkpoints(state, event, scheduler.now())
        state = next
        for (const order of orders) obeyed(order)
        awaitCommit()
      }

      const obeyed = (order: CheckpointOrder): void => {
        if (order.kind === 'trigger') {
          const { checkpoint } = order.barrier
          expiry = scheduler.schedule(() => heard({ kind: 'expired', checkpoint }), schedule.timeoutMs)
          timers.add(expiry)
        }
        if (order.kind === 'report') {
          expiry.unsubscribe()
          timers.remove(expiry)
        }
        if (order.kind === 'stop') {
          for (const task of order.tasks) inBacklog.delete(task)
          triggers.backlog(inBacklog.size > 0)
          restartLater(order)
        }
        if (order.kind === 'finished') {
          timers.unsubscribe()
          triggers.stop()
        }
        subscriber.next(order)
        if (order.kind === 'report') tolerate(order)
      }

      const restartLater = ({ failed: task, restartInMs }: CheckpointOrder & { kind: 'stop' }): void => {
        const due = scheduler.schedule(() => {
          timers.remove(due)
          heard({ kind: 'restartDue', task })
        }, restartInMs)
        timers.add(due)
      }

      const tolerate = ({ report }: CheckpointOrder & { kind: 'report' }): void => {
        const { id: checkpoint, outcome, cause = 'declined' } = report
        const event =
          outcome === 'completed'
            ? ({ kind: 'succeeded', checkpoint } as const)
            : ({ kind: 'failed', checkpoint, cause } as const)
        const [next, answer] = tolerance(tolerated, event)
        tolerated = next
        if (answer === 'job fails') subscriber.next({ kind: 'failJob', error: tooManyFailed(report, schedule) })
      }

      /** Parts that have been ready for so long wait no more for others. */
      const awaitCommit = (): void => {
        const { pending } = state
        const waits = pending !== undefined && pending.ready !== undefined && pending.committing === undefined
        if (waits === !commitDue.closed) return
        commitDue.unsubscribe()
        timers.remove(commitDue)
        if (!waits) return
        const { checkpoint } = pending.barrier
        commitDue = scheduler.schedule(() => {
          commitDue.unsubscribe()
          heard({ kind: 'commitDue', checkpoint })
        }, commitDelayMs)
        timers.add(commitDue)
      }

      const triggers = new Triggers(schedule, {
        scheduler,
        pausedUntilMs: () => {
          const { completedAtMs = Number.NEGATIVE_INFINITY, minPauseMs } = state.admission
          return completedAtMs + minPauseMs
        },
        request: heard,
        failed: error => subscriber.next({ kind: 'failJob', error: scheduleFailed(error) }),
      })

      subscriber.add(timers)
      subscriber.add(() => triggers.stop())
      return source.subscribe({
        next: heard,
        error: error => subscriber.error(error),
        complete: () => subscriber.complete(),
      })
    })

const tooManyFailed = (
  { id, reason }: { readonly id: number; readonly reason?: string },
  { tolerableFailures }: Schedule,
) =>
  new SpillwayError('CHECKPOINT_FAILED', {
    place: `checkpoint ${id}`,
    problem: `more than ${tolerableFailures} checkpoints in a row have failed, the last because ${reason}.`,
    remedy: 'Mend the cause and start the job again on the same store, or give a higher checkpoints.tolerableFailures.',
  })

const scheduleFailed = (cause: unknown) =>
  new SpillwayError('SCHEDULE_FAILED', {
    place: 'checkpoints.schedule',
    problem: `the Observable that asks for checkpoints has failed: ${messageOf(cause)}.`,
    remedy: 'Mend it, or let it catch what may fail and go on.',
    cause,
  })

/** The defaults of `run`. */
const unscheduled: Schedule = {
  everyMs: undefined,
  timeoutMs: 600_000,
  alignment: 'aligned',
  minPauseMs: 0,
  tolerableFailures: Number.POSITIVE_INFINITY,
}

/** Parts that become ready within it share a commit. */
const commitDelayMs = 50
