import * as t from 'io-ts'
import { type Observable, of, Subject, type Subscription } from 'rxjs'
import type { Source, SplitReader } from '../../lib/index.ts'
import { SpillwayError } from '../../lib/index.ts'
import { Ring } from './ring.ts'

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
  if (!Number.isInteger(bufferRecordsMax) || bufferRecordsMax < 1) {
    throw invalid(name, {
      problem: `bufferRecordsMax is ${bufferRecordsMax}.`,
      remedy: 'Give a whole number of at least 1.',
    })
  }
  if (!['error', 'dropOldest', 'dropNewest'].includes(onFull)) {
    throw invalid(name, {
      problem: `onFull is '${onFull}', but an Observable can only be dropped from or fail.`,
      remedy: "Give 'error', 'dropOldest' or 'dropNewest'; what can be paused is read by a source of one's own.",
    })
  }
  let dropped = 0
  return {
    name,
    position: t.number,
    guarantee: 'at-most-once',
    splits: () => of(['0/1']),
    open: (_, from = 0) => read(pushed$, { name, onFull, bufferRecordsMax, from, drop: () => dropped++ }),
    dropped: () => dropped,
  }
}

interface Reading {
  readonly name: string
  readonly onFull: FromObservableOptions['onFull']
  readonly bufferRecordsMax: number
  readonly from: number
  readonly drop: () => void
}

function read<T>(
  pushed$: Observable<T>,
  { name, onFull, bufferRecordsMax, from, drop }: Reading,
): SplitReader<T, number> {
  const waiting = new Ring<T>(bufferRecordsMax)
  const ready$ = new Subject<void>()
  let subscription: Subscription | undefined
  let outcome: 'open' | 'completed' | { readonly error: unknown } = 'open'
  let position = from

  const receive = (record: T): void => {
    if (outcome !== 'open') return
    if (waiting.full) {
      if (onFull === 'error') return fail(overflow(name, bufferRecordsMax))
      drop()
      if (onFull === 'dropNewest') return
      waiting.take(1)
    }
    waiting.put(record)
    ready$.next()
  }

  const fail = (error: unknown): void => {
    outcome = { error }
    subscription?.unsubscribe()
    ready$.next()
  }

  const subscribe = (): void => {
    subscription = pushed$.subscribe({
      next: receive,
      error: fail,
      complete: () => {
        if (outcome === 'open') outcome = 'completed'
        ready$.next()
      },
    })
    // It may have failed while it was being subscribed to.
    if (outcome !== 'open') subscription.unsubscribe()
  }

  return {
    next(recordsMax) {
      if (subscription === undefined) subscribe()
      if (typeof outcome === 'object') throw outcome.error
      if (waiting.size === 0) return outcome === 'completed' ? 'end' : 'wait'
      const batch = waiting.take(recordsMax)
      position += batch.length
      return batch
    },
    ready$,
    position: () => position,
    close: () => subscription?.unsubscribe(),
  }
}

const invalid = (place: string, { problem, remedy }: { problem: string; remedy: string }) =>
  new SpillwayError('INVALID_OPTION', { place, problem, remedy })

const overflow = (place: string, bufferRecordsMax: number) =>
  new SpillwayError('INPUT_OVERFLOW', {
    place,
    problem: `a record came while ${bufferRecordsMax} waited for the task, as many as bufferRecordsMax allows.`,
    remedy: "Raise bufferRecordsMax for longer bursts, or drop records by onFull: 'dropOldest' or 'dropNewest'.",
  })
