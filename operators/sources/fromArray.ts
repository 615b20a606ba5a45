import * as t from 'io-ts'
import { EMPTY, of } from 'rxjs'
import type { Source, SplitReader } from '../../lib/index.ts'
import { SpillwayError } from '../../lib/index.ts'

/**
 * Reads an array; with `splits: n` its records are dealt out in turn, so that n tasks can read.
 *
 * Position: the number of records read. Ends with the array.
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
    open: (split, from = 0) => read(dealt(records, ids.indexOf(split), splits), from, `${name} ${split}`),
  }
}

const dealt = <T>(records: readonly T[], index: number, splits: number): readonly T[] =>
  splits === 1 ? records : records.filter((_, i) => i % splits === index)

function read<T>(records: readonly T[], from: number, place: string): SplitReader<T, number> {
  if (from > records.length) {
    throw new SpillwayError('READ_FAILED', {
      place,
      problem: `${from} records were read before the restore, but there are only ${records.length} now.`,
      remedy: "Give the same records again, or start with restore: 'none'.",
    })
  }
  let at = from
  return {
    next(recordsMax) {
      if (at >= records.length) return 'end'
      const batch = records.slice(at, at + recordsMax)
      at += batch.length
      return batch
    },
    ready$: EMPTY,
    position: () => at,
    close() {},
  }
}
