import { asyncScheduler, Observable, type OperatorFunction, type SchedulerLike, Subscription } from 'rxjs'
import { checkpoints, type InitialCheckpoints, initialCheckpoints } from '../coordination/checkpoints.ts'
import type { CheckpointEvent, CheckpointOrder, CoordinateEvent, Schedule } from '../coordination/events.ts'
import { initialTolerance, tolerance } from '../coordination/tolerance.ts'
import { SpillwayError } from '../error.ts'

/** The job's tasks and where they stand, and the schedule as it is at first: a `configured` event changes it. */
export interface CoordinateOptions extends InitialCheckpoints, Partial<Omit<Schedule, 'policy'>> {
  readonly scheduler?: SchedulerLike
}

/**
 * Decides which checkpoints are taken and what becomes of them, by `checkpoints`, and how many may fail, by `tolerance`; holds the
 * timers that the functions ask for: the schedule's, the pending checkpoint's, and that of parts that wait for a commit. Another
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
      let next = Subscription.EMPTY
      let lastMs = scheduler.now()

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
        if (event.kind !== 'configured') return about(event)
        schedule = event.schedule
        tolerated = { ...tolerated, tolerableFailures: schedule.tolerableFailures }
        about({ kind: 'limited', policy: schedule.policy ?? state.policy, minPauseMs: schedule.minPauseMs })
        scheduleNext()
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
        if (order.kind === 'finished') timers.unsubscribe()
        subscriber.next(order)
        if (order.kind === 'report') tolerate(order)
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

      const scheduleNext = (): void => {
        next.unsubscribe()
        timers.remove(next)
        const { everyMs } = schedule
        if (everyMs === undefined) return
        next = scheduler.schedule(due, Math.max(0, lastMs + everyMs - scheduler.now()))
        timers.add(next)
      }

      const due = (): void => {
        const { completedAtMs = Number.NEGATIVE_INFINITY, minPauseMs } = state.admission
        const pauseMs = completedAtMs + minPauseMs - scheduler.now()
        if (pauseMs > 0) {
          next = scheduler.schedule(due, pauseMs)
          timers.add(next)
          return
        }
        lastMs = scheduler.now()
        heard({ kind: 'requested', alignment: schedule.alignment })
        if (!timers.closed) scheduleNext()
      }

      scheduleNext()
      subscriber.add(timers)
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
