import { operator, resumable, type Stream } from '../lib/index.ts'

/**
 * Gives all results of each record's projection, in order; they inherit its time. An iterable is left between two results
 * while the output is full, and is part of the snapshot by what it has delivered, so it must give the same results again.
 *
 * A projection that declares a second parameter (`project.length` is 2) can begin anywhere: a restore asks it for the results
 * from number `from`. For any other `from` is 0, and a restore skips what was delivered, an iteration each.
 */
export const flatMap = <A, B>(
  project: (record: A, from: number) => Iterable<B> & object,
): ((source: Stream<A, any>) => Stream<B>) =>
  operator<A, B>(
    'flatMap',
    () => ({
      record: project.length < 2 ? record => project(record, 0) : record => resumable(from => project(record, from)),
    }),
    { stateful: false },
  )
