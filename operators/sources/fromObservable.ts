import * as t from 'io-ts'
import { type Observable, of } from 'rxjs'
import type { Source } from '../../lib/index.ts'
import { SpillwayError } from '../../lib/index.ts'
import { checkBufferRecordsMax } from './checkBufferRecordsMax.ts'
import { readPushed } from './readPushed.ts'

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

/** A source that can be read once only, and says what it has had to give up. */
export interface PushSource<out T> extends Source<T, number> {
  /** How many records have been dropped since this value was made, over all starts. */
  readonly dropped: () => number
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
  checkBufferRecordsMax(name, bufferRecordsMax)
  if (!['error', 'dropOldest', 'dropNewest'].includes(onFull)) {
    throw new SpillwayError('INVALID_OPTION', {
      place: name,
      problem: `onFull is '${onFull}', but an Observable can only be dropped from or fail.`,
      remedy:
        "Give 'error', 'dropOldest' or 'dropNewest'; what can be paused is read by fromEmitter or fromAsyncIterable.",
    })
  }
  let dropped = 0
  return {
    name,
    position: t.number,
    guarantee: 'at-most-once',
    splits: () => of(['0/1']),
    open: (_, from = 0) => readPushed(pushed$, { name, onFull, bufferRecordsMax, from, drop: () => dropped++ }),
    dropped: () => dropped,
  }
}
