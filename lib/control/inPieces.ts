import { Observable, type SchedulerLike } from 'rxjs'

/**
 * What the steps come to, each of which gives the bytes that it was about: as many at a time as take about a millisecond, the first of
 * them at once, the others as actions of the scheduler. Unsubscribed, it goes no further.
 */
export const inPieces = <R>(begin: () => Iterator<number, R>, scheduler: SchedulerLike): Observable<R> =>
  new Observable(subscriber => {
    const steps = begin()
    const isOver = (): boolean => {
      for (let left = pieceBytes; left > 0; ) {
        const step = steps.next()
        if (step.done !== true) left -= step.value
        else {
          subscriber.next(step.value)
          subscriber.complete()
          return true
        }
      }
      return false
    }
    if (isOver()) return
    subscriber.add(
      scheduler.schedule(function () {
        try {
          if (!isOver()) this.schedule()
        } catch (error) {
          subscriber.error(error)
        }
      }),
    )
  })

/** Summed and copied. */
const pieceBytes = 1_000_000
