import * as t from 'io-ts'
import { EMPTY, of } from 'rxjs'
import type { Source } from 'spillway'

/** Gives, in each split, its share of an array, over and over: so many times (Infinity: until the job is cancelled). */
export const repeating = <T>(
  records: readonly T[],
  { splits, times = Number.POSITIVE_INFINITY }: { splits: number; times?: number },
): Source<T, number> => ({
  name: 'repeating',
  position: t.number,
  splits: () => of(Array.from({ length: splits }, (_, i) => `${i}`)),
  open(split, from = 0) {
    const begin = Math.floor((Number(split) * records.length) / splits)
    const end = Math.floor(((Number(split) + 1) * records.length) / splits)
    const length = end - begin
    let read = from
    return {
      next(recordsMax) {
        if (read >= length * times) return 'end'
        const at = begin + (read % length)
        const batch = records.slice(at, Math.min(at + recordsMax, end))
        read += batch.length
        return batch
      },
      ready$: EMPTY,
      position: () => read,
      close() {},
    }
  },
})
