import { link, open, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { SinkTask } from '../graph/sink.ts'
import { makeDirectory, syncDirectory, writeFailed } from './publishing.ts'

/** The directory of the hour that a time, ms since 1970, is in; UTC. They sort as the hours do. */
export const hourDirectory = (atMs: number): string => `hour=${new Date(atMs).toISOString().slice(0, 13)}Z`

/**
 * Says that a task writes nothing more into the directories of hours before this one; the last of the tasks to do so gives each
 * of them its `_SUCCESS`, durably. Idempotent.
 *
 * Tasks know nothing of one another, and may be restarted by themselves, or in another number: each leaves a mark beside the
 * data, and whoever finds those of all tasks of one number completes the hour.
 * @throws WRITE_FAILED
 */
export async function closeHoursBefore(directory: string, current: string, { subtask }: SinkTask): Promise<void> {
  let place = directory
  try {
    for (const hour of await readdir(directory)) {
      if (!isHour.test(hour) || hour >= current) continue
      place = join(directory, hour)
      if ((await readdir(place)).includes(success)) continue
      const mark = markOf(subtask)
      await create(place, mark)
      // Looked at only now: of two tasks that leave their marks at the same time one at least sees both.
      const files = await readdir(place)
      const marks = Array.from({ length: subtask.parallelism }, (_, index) =>
        markOf({ index, parallelism: subtask.parallelism }),
      )
      if (files.includes(success)) await rm(join(place, mark), { force: true })
      else if (marks.every(name => files.includes(name))) {
        await complete(
          place,
          files.filter(name => isMark.test(name)),
        )
      }
    }
  } catch (error) {
    throw writeFailed(place, error)
  }
}

/** Makes the directory of an hour in which files are to be published, durably. */
export const makeHour = (directory: string, hour: string): Promise<void> => makeDirectory(join(directory, hour))

const create = async (place: string, name: string): Promise<void> => {
  const file = await open(join(place, name), 'a')
  try {
    await file.sync()
  } finally {
    await file.close()
  }
  await syncDirectory(place)
}

const complete = async (place: string, marks: readonly string[]): Promise<void> => {
  // A link to a mark is there at once, whole, and another task may be doing the same.
  await link(join(place, marks[0] as string), join(place, success)).catch(error => {
    if (error.code !== 'EEXIST' && error.code !== 'ENOENT') throw error
  })
  await syncDirectory(place)
  for (const mark of marks) await rm(join(place, mark), { force: true })
}

const isHour = /^hour=\d{4}-\d{2}-\d{2}T\d{2}Z$/
const isMark = /^\.closed-\d+-of-\d+$/
const markOf = ({ index, parallelism }: SinkTask['subtask']): string => `.closed-${index}-of-${parallelism}`
const success = '_SUCCESS'
