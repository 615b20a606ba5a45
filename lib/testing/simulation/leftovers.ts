import { msgpackEncoding } from '../../snapshot/encoding.ts'
import { readEntry, readPart } from '../../snapshot/log.ts'
import type { Disk } from './disk.ts'

/** What a store still has beside the checkpoints that are to be kept, or lacks of them; undefined if nothing. */
export const leftovers = ({ objects, log }: Disk, retainedCount: number): string | undefined => {
  const named = new Set<string>()
  let commits = 0
  for (const [n, bytes] of log) {
    const entry = readEntry(n, bytes, encoding)
    if (entry.kind !== 'commit') continue
    if (++commits > retainedCount) return `log entry ${n} is of a checkpoint that need not be kept`
    named.add(entry.object)
    const record = objects.get(entry.object)
    if (record === undefined) return `log entry ${n} names ${entry.object}, which is not there`
    for (const { object } of readPart(entry.object, record, encoding).tasks) {
      named.add(object)
      if (!objects.has(object)) return `the part of log entry ${n} names ${object}, which is not there`
    }
  }
  const left = [...objects.keys()].filter(object => !named.has(object))
  return left.length === 0 ? undefined : `the store still has ${left.join(', ')}, which no durable part names`
}

const encoding = msgpackEncoding()
