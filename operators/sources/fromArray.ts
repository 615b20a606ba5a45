import * as t from 'io-ts'
import { EMPTY, of } from 'rxjs'
import type { Source, SplitReader } from '../../lib/index.ts'
import { SpillwayError } from '../../lib/index.ts'

/**
 * Reads an array; with `splits: n` in n ranges of equal length, so that n tasks can read.
 *
 * Position: the number of the range's records read. Ends with the array.
 * @throws INVALID_OPTION, READ_FAILED if the array has become shorter than a restored position.
 */
export function fromArray<T>(
  records: readonly T[],
  options: { readonly name?: string; readonly splits?: number } = {},
): Source<T, number> {
  const { name = 'fromArray', splits = 1 } = options
  if (!Number.isInteger(splits) || splits < 1) {
    throw new SpillwayError('INVALID_OPTION', {
      place: name,
      problem: `splits is ${splits}.`,
      remedy: 'Give a whole number of at least 1.',
    })
  }
  const ids = Array.from({ length: splits }, (_, i) => `${i}/${splits}`)
  return {
    name,
    position: t.number,
    splits: () => of(ids),
    open: (split, from = 0) => {
      const index = ids.indexOf(split)
      const [begin, end] = [index, index + 1].map(i => Math.floor((i * records.length) / splits)) as [number, number]
      return read(records, { begin, end }, from, `${name} ${split}`)
    },
  }
}

function read<T>(
  records: readonly T[],
  { begin, end }: { begin: number; end: number },
  from: number,
  place: string,
): SplitReader<T, number> {
  if (begin + from > end) {
    throw new SpillwayError('READ_FAILED', {
      place,
      problem: `${from} records were read before the restore, but there are only ${end - begin} now.`,
      remedy: "Give the same records again, or start with restore: 'none'.",
    })
  }
  let at = begin + from
  return {
    next(recordsMax) {
      if (at >= end) return 'end'
      const batch = records.slice(at, Math.min(at + recordsMax, end))
      at += batch.length
      return batch
    },
    ready$: EMPTY,
    position: () => at - begin,
    close() {},
  }
}
