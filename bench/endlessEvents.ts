import * as t from 'io-ts'
import { EMPTY, of } from 'rxjs'
import type { Source } from 'spillway'

export interface Event {
  readonly key: string
  readonly value: number
  readonly atMs: number
}

/** New records without end, of so many keys, a millisecond of event time apart in each split. */
export const endlessEvents = ({ splits, keys }: { splits: number; keys: number }): Source<Event, number> => ({
  name: 'endlessEvents',
  position: t.number,
  splits: () => of(Array.from({ length: splits }, (_, i) => `${i}`)),
  open(_, from = 0) {
    let read = from
    return {
      next(recordsMax) {
        const batch = Array.from({ length: recordsMax }, (_, i) => event(read + i, keys))
        read += recordsMax
        return batch
      },
      ready$: EMPTY,
      position: () => read,
      close() {},
    }
  },
})

const event = (n: number, keys: number): Event => ({ key: `key-${(n * 7_919) % keys}`, value: n % 100, atMs: n })
