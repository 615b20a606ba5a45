import * as t from 'io-ts'
import { of, Subject } from 'rxjs'
import type { Source } from 'spillway'

/** Which keys are changed: numbers from 0 on. */
export interface KeysSource extends Source<number, number> {
  /** From now on it gives what this gives, and nothing while it is undefined; a batch that is empty ends the giving. */
  give(next: ((recordsMax: number) => readonly number[]) | undefined): void
}

/** One split of numbers, given as the bench wishes while the job runs. */
export const keysSource = (): KeysSource => {
  const ready$ = new Subject<void>()
  let giving: ((recordsMax: number) => readonly number[]) | undefined
  return {
    name: 'keys',
    position: t.number,
    splits: () => of(['0']),
    open(_, from = 0) {
      let read = from
      return {
        next(recordsMax) {
          const batch = giving?.(recordsMax) ?? []
          if (batch.length === 0) {
            giving = undefined
            return 'wait'
          }
          read += batch.length
          return batch
        },
        ready$,
        position: () => read,
        close() {},
      }
    },
    give(next) {
      giving = next
      ready$.next()
    },
  }
}

/** The numbers from `from` up to, but not including, `to`, in an order far from theirs, once each. */
export const eachOnce = ({ from, to }: { readonly from: number; readonly to: number }) => {
  let given = 0
  const count = to - from
  return (recordsMax: number): readonly number[] => {
    const batch = new Array<number>(Math.max(0, Math.min(recordsMax, count - given)))
    for (let i = 0; i < batch.length; i++) batch[i] = from + ((given++ * stride) % count)
    return batch
  }
}

/** Numbers from `from()` on, out of so many, without end, the same in every run. */
export const anyOf = ({ from, count }: { readonly from: () => number; readonly count: number }) => {
  let random = 1
  return (recordsMax: number): readonly number[] => {
    const begin = from()
    const batch = new Array<number>(recordsMax)
    for (let i = 0; i < recordsMax; i++) {
      random = (Math.imul(random, 1_664_525) + 1_013_904_223) >>> 0
      batch[i] = begin + Math.floor((random / 2 ** 32) * count)
    }
    return batch
  }
}

/** A prime that divides none of the counts. */
const stride = 7_919
