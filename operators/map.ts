import { callEach, eachBuffer, type Stream, withRecords } from '../lib/index.ts'

/** What `map(async ...)` is told by the compiler. */
export type Synchronous<B> =
  B extends PromiseLike<unknown>
    ? 'map calls synchronous functions: use asyncMap(f, { inFlightMax, ordered })'
    : unknown

/** Gives each record's projection, which inherits its time. Stateless. Emits a buffer for a buffer. */
export const map = <A, B>(project: (record: A) => B & Synchronous<B>): ((source: Stream<A, any>) => Stream<B>) =>
  eachBuffer('map', (buffer, name) => withRecords(buffer, callEach<A, B>(name, project, buffer.records)))
