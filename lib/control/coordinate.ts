import { Observable, type OperatorFunction, type SchedulerLike, Subscription } from 'rxjs'
import { type CheckpointsState, checkpoints } from '../coordination/checkpoints.ts'
import type { CheckpointOrder, CoordinateEvent } from '../coordination/events.ts'
import type { Alignment } from '../element.ts'

export interface CoordinateOptions {
  readonly initial: CheckpointsState
  readonly scheduler: SchedulerLike
  /** From the trigger; a checkpoint that takes longer fails. */
  readonly timeoutMs: number
  /** Between two triggers of the schedule; undefined: only on request. */
  readonly everyMs: number | undefined
  readonly alignment: Alignment
}

/**
 * Decides which checkpoints are taken and what becomes of them, by `checkpoints`; holds the timers that the function asks
 * for: the schedule's and the pending checkpoint's.
 *
 * Emits orders. After `finished` its timers stop. Completes with its source.
 */
export const coordinate =
  (options: CoordinateOptions): OperatorFunction<CoordinateEvent, CheckpointOrder> =>
  source =>
    new Observable(subscriber => {
      const { scheduler, timeoutMs, everyMs, alignment } = options
      let state = options.initial
      const timers = new Subscription()
      let expiry = Subscription.EMPTY

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
        const [next, orders] = checkpoints(state, event, scheduler.now())
        state = next
        for (const order of orders) {
          if (order.kind === 'trigger') {
            const { checkpoint } = order.barrier
            expiry = scheduler.schedule(() => heard({ kind: 'expired', checkpoint }), timeoutMs)
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

      if (everyMs !== undefined) {
        timers.add(
          scheduler.schedule(function () {
            heard({ kind: 'requested', alignment })
            this.schedule(undefined, everyMs)
          }, everyMs),
        )
      }
      subscriber.add(timers)
      return source.subscribe({
        next: heard,
        error: error => subscriber.error(error),
        complete: () => subscriber.complete(),
      })
    })
