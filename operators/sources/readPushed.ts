import { type Observable, Subject, type Subscription } from 'rxjs'
import type { SplitReader } from '../../lib/index.ts'
import { SpillwayError } from '../../lib/index.ts'
import { Ring } from './ring.ts'

export interface Pausable {
  pause(): unknown
  resume(): unknown
}

export interface Reading {
  readonly name: string
  /** What can be paused is, once the ring is full, until half of it is free. */
  readonly onFull: 'error' | 'dropOldest' | 'dropNewest' | Pausable
  readonly bufferRecordsMax: number
  readonly from: number
  readonly drop: () => void
}

/** Subscribes at the first `next`; what is pushed waits in a ring of `bufferRecordsMax` until the task takes it. */
export function readPushed<T>(
  pushed$: Observable<T>,
  { name, onFull, bufferRecordsMax, from, drop }: Reading,
): SplitReader<T, number> {
  const waiting = new Ring<T>(bufferRecordsMax)
  const ready$ = new Subject<void>()
  let subscription: Subscription | undefined
  let outcome: 'open' | 'completed' | { readonly error: unknown } = 'open'
  let position = from
  let dropped = 0
  let paused = false

  const receive = (record: T): void => {
    if (outcome !== 'open') return
    if (waiting.full) {
      if (onFull === 'error') return fail(overflow(name, bufferRecordsMax))
      if (typeof onFull === 'object') return fail(pushedWhilePaused(name))
      dropped++
      drop()
      if (onFull === 'dropNewest') return
      waiting.take(1)
    }
    waiting.put(record)
    if (typeof onFull === 'object' && waiting.full) {
      paused = true
      onFull.pause()
    }
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

  const resumeIfThereIsRoom = (): void => {
    if (!paused || typeof onFull !== 'object' || 2 * waiting.size > bufferRecordsMax) return
    paused = false
    onFull.resume()
  }

  return {
    next(recordsMax) {
      if (subscription === undefined) subscribe()
      if (typeof outcome === 'object') throw outcome.error
      if (waiting.size === 0) return outcome === 'completed' ? 'end' : 'wait'
      const batch = waiting.take(recordsMax)
      position += batch.length
      resumeIfThereIsRoom()
      return batch
    },
    ready$,
    position: () => position,
    dropped: () => dropped,
    close: () => subscription?.unsubscribe(),
  }
}

const overflow = (place: string, bufferRecordsMax: number) =>
  new SpillwayError('INPUT_OVERFLOW', {
    place,
    problem: `a record came while ${bufferRecordsMax} waited for the task, as many as bufferRecordsMax allows.`,
    remedy: "Raise bufferRecordsMax for longer bursts, or drop records by onFull: 'dropOldest' or 'dropNewest'.",
  })

const pushedWhilePaused = (place: string) =>
  new SpillwayError('INPUT_OVERFLOW', {
    place,
    problem: 'a record came while the emitter was paused and no room was left.',
    remedy: "Correct its pause(), or choose onFull: 'error', 'dropOldest' or 'dropNewest'.",
  })
