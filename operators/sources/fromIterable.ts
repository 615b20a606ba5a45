import * as t from 'io-ts'
import { EMPTY, of } from 'rxjs'
import type { Source, SplitReader } from '../../lib/index.ts'
import { messageOf, SpillwayError } from '../../lib/index.ts'

/**
 * Reads an iterable, such as a generator; `make` is called at every start and must give the same records each time.
 *
 * Position: the number of records read; a restore skips so many, at once, so a long way back takes a while. Ends with the
 * iterable.
 * @throws READ_FAILED if the iterable throws, or has become shorter than a restored position.
 */
export function fromIterable<T>(make: () => Iterable<T>, options: { readonly name?: string } = {}): Source<T, number> {
  const { name = 'fromIterable' } = options
  return {
    name,
    position: t.number,
    splits: () => of(['0/1']),
    open: (_, from = 0) => read(make, from, name),
  }
}

function read<T>(make: () => Iterable<T>, from: number, name: string): SplitReader<T, number> {
  let iterator: Iterator<T> | undefined
  let read = 0
  let ended = false

  /** The one place that calls the user's code. */
  const pull = (): IteratorResult<T> => {
    try {
      iterator ??= make()[Symbol.iterator]()
      return iterator.next()
    } catch (cause) {
      ended = true
      throw new SpillwayError('READ_FAILED', {
        place: name,
        problem: `record ${read + 1} could not be read: ${messageOf(cause)}.`,
        remedy: 'Correct the iterable; the job goes on from its last checkpoint.',
        cause,
      })
    }
  }

  const skip = (): void => {
    for (; read < from; read++) {
      if (pull().done !== true) continue
      throw new SpillwayError('READ_FAILED', {
        place: name,
        problem: `${from} records were read before the restore, but there are only ${read} now.`,
        remedy: "Make the iterable give the same records at every start, or start with restore: 'none'.",
      })
    }
  }

  return {
    next(recordsMax) {
      if (read < from) skip()
      const batch: T[] = []
      while (!ended && batch.length < recordsMax) {
        const result = pull()
        if (result.done === true) ended = true
        else {
          batch.push(result.value)
          read++
        }
      }
      return batch.length > 0 ? batch : 'end'
    },
    ready$: EMPTY,
    position: () => Math.max(read, from),
    close() {
      if (!ended) iterator?.return?.()
      ended = true
    },
  }
}
