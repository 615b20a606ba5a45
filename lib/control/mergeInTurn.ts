import { Observable, type OperatorFunction } from 'rxjs'

/**
 * `mergeMap` with a limit, for values of which thousands may wait: those whose Observable completes at once are gone through in a
 * loop. In `mergeMap` each would be a call within the one before, and thousands overflow the stack.
 */
export const mergeInTurn =
  <A, B>(project: (value: A) => Observable<B>, concurrentMax: number): OperatorFunction<A, B> =>
  source =>
    new Observable(subscriber => {
      const waiting: A[] = []
      let first = 0
      let active = 0
      let looping = false
      let completed = false

      const next = (): void => {
        if (looping) return
        looping = true
        while (active < concurrentMax && first < waiting.length && !subscriber.closed) begin(taken())
        looping = false
        if (first === waiting.length && completed && active === 0) subscriber.complete()
      }

      /** What has been taken is not held until the last one has. */
      const taken = (): A => {
        const value = waiting[first++] as A
        if (first * 2 > waiting.length) {
          waiting.splice(0, first)
          first = 0
        }
        return value
      }

      const begin = (value: A): void => {
        active++
        subscriber.add(
          project(value).subscribe({
            next: result => subscriber.next(result),
            error: error => subscriber.error(error),
            complete: () => {
              active--
              next()
            },
          }),
        )
      }

      subscriber.add(
        source.subscribe({
          next: value => {
            waiting.push(value)
            next()
          },
          error: error => subscriber.error(error),
          complete: () => {
            completed = true
            next()
          },
        }),
      )
    })
