import { msgpackEncoding } from '../../snapshot/encoding.ts'
import { readPart } from '../../snapshot/log.ts'
import type { Disk } from './disk.ts'

/** What a store still has beside the checkpoints that are to be kept, or lacks of them; undefined if nothing. */
export const leftovers = ({ objects, commits }: Disk, retainedCount: number): string | undefined => {
  const [tooMany] = commits.slice(retainedCount)
  if (tooMany !== undefined) return `log entry ${tooMany.n} is of a checkpoint that need not be kept`
  const named = new Set<string>()
  for (const { n, object: part } of commits) {
    named.add(part)
    const record = objects.get(part)
    if (record === undefined) return `log entry ${n} names ${part}, which is not there`
    for (const { object } of readPart(part, record, encoding).tasks) {
      named.add(object)
      if (!objects.has(object)) return `the part of log entry ${n} names ${object}, which is not there`
    }
  }
  const left = [...objects.keys()].filter(object => !named.has(object))
  return left.length === 0 ? undefined : `the store still has ${left.join(', ')}, which no durable part names`
}

const encoding = msgpackEncoding()
