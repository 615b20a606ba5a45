import { operator, resumable, type Stream } from '../lib/index.ts'
import { checkedResults } from './checkedResults.ts'

/**
 * Gives all results of each record's projection, in order; they inherit its time. An iterable is left between two results
 * while the output is full, and is part of the snapshot by what it has delivered, so it must give the same results again.
 *
 * A projection that declares a second parameter (`project.length` is 2) can begin anywhere: a restore asks it for the results
 * from number `from`, and checks see that it gives them. For any other `from` is 0, and a restore skips what was delivered,
 * an iteration each.
 * @throws NOT_DETERMINISTIC in the task, with checks, if the projection does not begin at `from`
 */
export const flatMap = <A, B>(
  project: (record: A, from: number) => Iterable<B> & object,
): ((source: Stream<A, any>) => Stream<B>) =>
  operator<A, B>(
    'flatMap',
    ({ name, checks }) => {
      if (project.length < 2) return { record: record => project(record, 0) }
      const results = (record: A, from: number) =>
        checks && from === 0 ? checkedResults(name, project, record) : project(record, from)
      return { record: record => resumable(from => results(record, from)) }
    },
    { stateful: false },
  )
