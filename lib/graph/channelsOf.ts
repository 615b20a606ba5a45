import { SpillwayError } from '../error.ts'
import { callEach, shown } from './callEach.ts'

/** Says which channel a record goes to, from 0 up to, but not including, `channels`. */
export type Partitioner<in T> = (record: T, channels: number) => number

/**
 * The channel of each record by a user's partitioner: the one place where partitioners are called.
 * @throws USER_FUNCTION_FAILED, INVALID_PARTITION
 */
export const channelsOf = <T>(
  {
    name,
    partitioner,
    channels,
  }: { readonly name: string; readonly partitioner: Partitioner<T>; readonly channels: number },
  records: readonly T[],
): readonly number[] => {
  const indexes = callEach(name, record => partitioner(record, channels), records)
  for (const [i, index] of indexes.entries()) {
    if (!Number.isInteger(index) || index < 0 || index >= channels) {
      throw new SpillwayError('INVALID_PARTITION', {
        place: name,
        problem: `its function gave ${String(index)} on record ${shown(records[i])}, where there are channels 0 to ${channels - 1}.`,
        remedy: 'Let it give a whole number below its second argument, such as a remainder of it.',
      })
    }
  }
  return indexes
}
