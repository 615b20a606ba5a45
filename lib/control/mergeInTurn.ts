import { Observable, type OperatorFunction } from 'rxjs'

/**
 * `mergeMap` with a limit, for values of which thousands may wait: those whose Observable completes at once are gone through in a
 * loop. In `mergeMap` each would be a call within the one before, and thousands overflow the stack.
 */
export const mergeInTurn =
  <A, B>(project: (value: A) => Observable<B>, concurrentMax: number): OperatorFunction<A, B> =>
  source =>
    new Observable(subscriber => {
      let waiting: A[] = []
      let first = 0
      let active = 0
      let looping = false
      let completed = false

      const next = (): void => {
        if (looping) return
        looping = true
        while (active < concurrentMax && first < waiting.length && !subscriber.closed) begin(waiting[first++] as A)
        looping = false
        if (first < waiting.length) return
        waiting = []
        first = 0
        if (completed && active === 0) subscriber.complete()
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
