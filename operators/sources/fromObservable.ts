import type { Observable } from 'rxjs'
import { SpillwayError } from '../../lib/index.ts'
import { type PushSource, pushSource } from './pushSource.ts'

export interface FromObservableOptions {
  readonly name?: string
  /**
   * What happens to a record that comes while `bufferRecordsMax` wait: `error` fails the job, `dropOldest` gives up the
   * record that has waited longest, `dropNewest` the one that comes. An Observable cannot be paused.
   */
  readonly onFull: 'error' | 'dropOldest' | 'dropNewest'
  /** Records that may wait for the task: all the memory that the source takes. */
  readonly bufferRecordsMax: number
}

/**
 * Takes what an Observable pushes, subscribed to anew at each start, when the task first reads.
 *
 * At most once: what waits at a crash, and what is pushed before the next start, is lost, because it cannot be read again.
 * Position: the number of records handed over; a restore goes on counting. Ends with the Observable.
 * @throws INVALID_OPTION; INPUT_OVERFLOW in the task with `onFull: 'error'`
 */
export function fromObservable<T>(pushed$: Observable<T>, options: FromObservableOptions): PushSource<T> {
  const { name = 'fromObservable', onFull, bufferRecordsMax } = options
  if (!['error', 'dropOldest', 'dropNewest'].includes(onFull)) {
    throw new SpillwayError('INVALID_OPTION', {
      place: name,
      problem: `onFull is '${onFull}', but an Observable can only be dropped from or fail.`,
      remedy:
        "Give 'error', 'dropOldest' or 'dropNewest'; what can be paused is read by fromEmitter or fromAsyncIterable.",
    })
  }
  return pushSource(pushed$, { name, onFull, bufferRecordsMax })
}
