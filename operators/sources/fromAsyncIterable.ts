import * as t from 'io-ts'
import { of, Subject } from 'rxjs'
import type { AtMostOnceSource, SplitReader } from '../../lib/index.ts'
import { messageOf, SpillwayError } from '../../lib/index.ts'
import { checkBufferRecordsMax } from './checkBufferRecordsMax.ts'
import { Ring } from './ring.ts'

/** A web stream: `ReadableStream`. */
export interface ReadableStreamLike<T> {
  getReader(): { read(): PromiseLike<Pulled<T>>; cancel(): PromiseLike<unknown> }
}

export interface FromAsyncIterableOptions {
  readonly name?: string
  /** Records that may wait for the task; while so many do, nothing is asked for. */
  readonly bufferRecordsMax: number
}

/**
 * Reads an async iterable, a Node stream or a web `ReadableStream`, asking for the next record only while there is room;
 * `make` is called at each start, when the task first reads.
 *
 * At most once: a record that was taken and waits at a crash is lost. One record is asked for at a time. Position: the
 * number of records handed over; a restore goes on counting. Ends with the iterable. Closing calls the iterator's `return`
 * or the stream's `cancel`; a generator that awaits stops only after that.
 * @throws INVALID_OPTION; READ_FAILED in the task if the iterable fails
 */
export function fromAsyncIterable<T>(
  make: () => AsyncIterable<T> | ReadableStreamLike<T>,
  options: FromAsyncIterableOptions,
): AtMostOnceSource<T, number> {
  const { name = 'fromAsyncIterable', bufferRecordsMax } = options
  checkBufferRecordsMax(name, bufferRecordsMax)
  return {
    name,
    position: t.number,
    guarantee: 'at-most-once',
    splits: () => of(['0/1']),
    open: (_, from = 0) => read(make, { name, bufferRecordsMax, from }),
  }
}

/** What iterators and readers have in common; a value is there unless it is done. */
interface Pulled<T> {
  readonly done?: boolean | undefined
  readonly value?: T | undefined
}

interface Puller<T> {
  next(): PromiseLike<Pulled<T>>
  return?(): PromiseLike<unknown>
}

function read<T>(
  make: () => AsyncIterable<T> | ReadableStreamLike<T>,
  { name, bufferRecordsMax, from }: { readonly name: string; readonly bufferRecordsMax: number; readonly from: number },
): SplitReader<T, number> {
  const waiting = new Ring<T>(bufferRecordsMax)
  const ready$ = new Subject<void>()
  let puller: Puller<T> | undefined
  let pulling = false
  let outcome: 'open' | 'ended' | 'closed' | { readonly error: SpillwayError } = 'open'
  let position = from

  const pullIfThereIsRoom = (): void => {
    if (pulling || outcome !== 'open' || waiting.full) return
    pulling = true
    try {
      puller ??= pullerOf(make())
      puller.next().then(receive, fail)
    } catch (cause) {
      fail(cause)
    }
  }

  const receive = (pulled: Pulled<T>): void => {
    pulling = false
    if (outcome !== 'open') return
    if (pulled.done === true) outcome = 'ended'
    else waiting.put(pulled.value as T)
    ready$.next()
    pullIfThereIsRoom()
  }

  const fail = (cause: unknown): void => {
    pulling = false
    if (outcome !== 'open') return
    outcome = { error: failed(name, cause) }
    ready$.next()
  }

  return {
    next(recordsMax) {
      const batch = waiting.take(recordsMax)
      position += batch.length
      pullIfThereIsRoom()
      if (batch.length > 0) return batch
      if (typeof outcome === 'object') throw outcome.error
      return outcome === 'ended' ? 'end' : 'wait'
    },
    ready$,
    position: () => position,
    close() {
      const open = outcome === 'open'
      outcome = 'closed'
      // The task is over: an error of letting go has nobody to be told to.
      if (open) puller?.return?.().then(undefined, () => undefined)
    },
  }
}

function pullerOf<T>(made: AsyncIterable<T> | ReadableStreamLike<T>): Puller<T> {
  // A reader's cancel ends a read under way, which an iterator's return waits for.
  if ('getReader' in made) {
    const reader = made.getReader()
    return { next: () => reader.read(), return: () => reader.cancel() }
  }
  return made[Symbol.asyncIterator]()
}

const failed = (place: string, cause: unknown) =>
  new SpillwayError('READ_FAILED', {
    place,
    problem: `the next record could not be read: ${messageOf(cause)}.`,
    remedy: 'Correct the iterable; what it has given cannot be read again.',
    cause,
  })
