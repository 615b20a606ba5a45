import * as t from 'io-ts'
import { type Key, type KeyedStream, keyedOperator, type Stream } from '../lib/index.ts'

/**
 * A rolling aggregate of each key: gives the new accumulator for each record, with the record's time. The accumulator is state
 * of the key, `seed` at first; it is immutable, so `accumulate` gives another.
 *
 * `type` decodes stored accumulators at a restore.
 */
export const scan = <T, K extends Key, A>(
  accumulate: (accumulator: A, record: T, key: K) => A,
  seed: A,
  type: t.Type<A, any> = t.any,
): ((source: KeyedStream<T, K>) => Stream<A>) =>
  keyedOperator<T, K, A>('scan', ({ state }) => {
    const accumulator = state.value('accumulator', type, seed)
    return {
      record(record, out, { key }) {
        const next = accumulate(accumulator.get(), record, key)
        accumulator.set(next)
        out.emit(next)
      },
    }
  })
