import { Observable, type OperatorFunction, type SchedulerLike, Subscription } from 'rxjs'
import { type CheckpointsState, checkpoints } from '../coordination/checkpoints.ts'
import type { CheckpointEvent, CheckpointOrder, CoordinateEvent, Schedule } from '../coordination/events.ts'

/** With the schedule as it is at first; a `configured` event changes it. */
export interface CoordinateOptions extends Schedule {
  readonly initial: CheckpointsState
  readonly scheduler: SchedulerLike
}

/**
 * Decides which checkpoints are taken and what becomes of them, by `checkpoints`; holds the timers that the function asks
 * for: the schedule's and the pending checkpoint's. Another interval counts from the last trigger of the schedule.
 *
 * Emits orders. After `finished` its timers stop. Completes with its source.
 */
export const coordinate =
  (options: CoordinateOptions): OperatorFunction<CoordinateEvent, CheckpointOrder> =>
  source =>
    new Observable(subscriber => {
      const { scheduler } = options
      let state = options.initial
      let schedule: Schedule = options
      const timers = new Subscription()
      let expiry = Subscription.EMPTY
      let next = Subscription.EMPTY
      let lastMs = scheduler.now()

      const waiting: CoordinateEvent[] = []

      /** What an order leads to at once is heard only after the other orders of its event have been given. */
      const heard = (event: CoordinateEvent): void => {
        if (waiting.push(event) > 1) return
        for (let next = waiting[0]; next !== undefined; next = waiting[0]) {
          decided(next)
          waiting.shift()
        }
      }

      const decided = (event: CoordinateEvent): void => {
        if (event.kind !== 'configured') return about(event)
        schedule = event.schedule
        scheduleNext()
      }

      const about = (event: CheckpointEvent): void => {
        const [next, orders] = checkpoints(state, event, scheduler.now())
        state = next
        for (const order of orders) {
          if (order.kind === 'trigger') {
            const { checkpoint } = order.barrier
            expiry = scheduler.schedule(() => heard({ kind: 'expired', checkpoint }), schedule.timeoutMs)
            timers.add(expiry)
          }
          if (order.kind === 'notify' || order.kind === 'abort') {
            expiry.unsubscribe()
            timers.remove(expiry)
          }
          if (order.kind === 'finished') timers.unsubscribe()
          subscriber.next(order)
        }
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
