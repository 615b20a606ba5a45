import { Observable, type SchedulerLike } from 'rxjs'
import { exponentialDelay, initialRestarts, restarts } from '../coordination/restarts.ts'
import { messageOf, SpillwayError } from '../error.ts'

export interface Retrying {
  readonly scheduler: SchedulerLike
  /** From the first attempt; then it fails, also in the midst of one. */
  readonly timeoutMs: number
  /** Of the jitter. */
  readonly seed: number
  /** The sink. */
  readonly place: string
  /** Sees each failure that is followed by another attempt. */
  readonly onFailure: (error: unknown) => void
  /** Before it completes. */
  readonly onSuccess?: () => void
}

/**
 * Publishes, again and again with longer pauses from 100 ms to 10 s, until it has succeeded. What succeeds at once takes no timer.
 *
 * @throws PUBLISH_FAILED once the time is up; at once what no other attempt can mend: a `SpillwayError` of another code, such as
 * TRANSACTION_LOST
 */
export const retried = (
  attempt: Observable<unknown>,
  { scheduler, timeoutMs, seed, place, onFailure, onSuccess = () => {} }: Retrying,
): Observable<never> =>
  new Observable(subscriber => {
    let state = initialRestarts(pauses, seed)
    let attempts = 0
    let last = 'it has not answered'
    const attempted = (): void => {
      attempts++
      subscriber.add(attempt.subscribe({ error: failed, complete: succeeded }))
    }
    const succeeded = (): void => {
      onSuccess()
      subscriber.complete()
    }
    const failed = (error: unknown): void => {
      const [next, effect] = restarts(state, { kind: 'failed' }, scheduler.now())
      state = next
      if (!mayPass(error) || effect.kind === 'giveUp') return subscriber.error(error)
      last = messageOf(error)
      onFailure(error)
      subscriber.add(scheduler.schedule(attempted, effect.delayMs))
    }
    const timeUp = () => subscriber.error(publishFailed(place, { attempts, timeoutMs, last }))
    attempted()
    if (!subscriber.closed) subscriber.add(scheduler.schedule(timeUp, timeoutMs))
  })

/** What a sink says in its own words may pass; a code says what is the matter, and only one of them is of the moment. */
const mayPass = (error: unknown): boolean => !(error instanceof SpillwayError) || error.code === 'PUBLISH_FAILED'

const publishFailed = (
  place: string,
  { attempts, timeoutMs, last }: { readonly attempts: number; readonly timeoutMs: number; readonly last: string },
) =>
  new SpillwayError('PUBLISH_FAILED', {
    place,
    problem: `its sink could not publish what a checkpoint contains within ${timeoutMs} ms, in ${attempts} attempts; the last: ${last}.`,
    remedy: 'Start the job again on the same store once the cause is mended: the start publishes it first of all.',
  })

const pauses = exponentialDelay({
  initialMs: 100,
  maxMs: 10_000,
  multiplier: 2,
  jitterFraction: 0.2,
  // Attempts themselves may take long; only success begins anew.
  resetAfterMs: Number.POSITIVE_INFINITY,
})
