import { type Buffer, callEach, eachBuffer, pickRecords, type Stream } from '../lib/index.ts'

/** Gives the records for which the predicate holds. Stateless. Emits a buffer for a buffer, none for one without such records. */
export function filter<A, B extends A>(holds: (record: A) => record is B): (source: Stream<A, any>) => Stream<B>
export function filter<A>(holds: (record: A) => boolean): (source: Stream<A, any>) => Stream<A>
export function filter<A>(holds: (record: A) => boolean): (source: Stream<A, any>) => Stream<A> {
  return eachBuffer('filter', (buffer, name) => kept(buffer, callEach(name, holds, buffer.records)))
}

const kept = <A>(buffer: Buffer<A>, holds: readonly boolean[]): Buffer<A> | undefined => {
  const indexes: number[] = []
  for (let i = 0; i < holds.length; i++) if (holds[i] === true) indexes.push(i)
  if (indexes.length === 0) return undefined
  if (indexes.length === holds.length) return buffer
  return pickRecords(buffer, indexes)
}
