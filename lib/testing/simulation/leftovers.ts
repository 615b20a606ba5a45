import { newestParts } from '../../snapshot/history.ts'
import { objectsOf } from '../../snapshot/snapshot.ts'
import type { Disk } from './disk.ts'

/** What a store still has beside the checkpoints that are to be kept, or lacks of them; undefined if nothing. */
export const leftovers = ({ objects, commits }: Disk, retainedCount: number): string | undefined => {
  const newest = newestParts(commits)
  const complete = commits.filter(({ completes }) => completes !== undefined).slice(-retainedCount)
  const carriedOver = complete.flatMap(({ completes }) => completes?.carriedOver ?? [])
  // Its own parts may stand in several entries.
  const own = commits.filter(({ checkpoint }) => complete.some(of => of.checkpoint === checkpoint))
  const needed = new Set([...newest, ...carriedOver].map(({ entry }) => entry).concat(own.map(({ n }) => n)))
  const tooMany = commits.find(({ n }) => !needed.has(n))
  if (tooMany !== undefined) return `log entry ${tooMany.n} is of a checkpoint that need not be kept`
  const named = new Set(commits.flatMap(({ parts }) => parts.flatMap(({ tasks }) => tasks.flatMap(objectsOf))))
  for (const { entry, snapshots } of newest) {
    const missing = snapshots.flatMap(objectsOf).find(object => !objects.has(object))
    if (missing !== undefined) return `a part of log entry ${entry} names ${missing}, which is not there`
  }
  const left = [...objects.keys()].filter(object => !named.has(object))
  return left.length === 0 ? undefined : `the store still has ${left.join(', ')}, which no durable part names`
}
