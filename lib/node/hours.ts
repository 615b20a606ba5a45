import { open, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { SpillwayError } from '../error.ts'
import type { SinkTask } from '../graph/sink.ts'
import { passedBy, passedName } from './fileNames.ts'
import { publishFailed, syncDirectory } from './publishing.ts'

/** An hour in UTC, such as `2026-05-01T14Z`: hours sort as text, and `ended` is behind them all. */
export type Hour = string

export const ended: Hour = 'end'

/** The hour that a time, ms since 1970, is in; undefined for one that no four-digit year has. */
export const hourAt = (timeMs: number): Hour | undefined =>
  timeMs >= yearZeroMs && timeMs < yearTenThousandMs
    ? `${new Date(Math.floor(timeMs)).toISOString().slice(0, 13)}Z`
    : undefined

/** The hours before it are over where this is the watermark; undefined: none is known to be. */
export const passedAt = (watermarkMs: number): Hour | undefined =>
  watermarkMs >= yearTenThousandMs ? ended : hourAt(watermarkMs)

export const directoryOf = (hour: Hour): string => `hour=${hour}`

/**
 * Which hours a sink's tasks are done with, and those that all are: they get their `_SUCCESS`.
 *
 * Tasks know nothing of one another: each leaves a mark in the sink's directory once it has published all that it has on time of the
 * hours before one, and whoever finds the marks of all completes these. A start forgets its task's mark (`sweep`), so that what a
 * task is given at another parallelism, or once more, is waited for.
 */
export class Hours {
  readonly #directory: string
  readonly #task: SinkTask
  #passed: Hour | undefined
  /** Those before it have been completed. */
  #completed: Hour = ''

  constructor(directory: string, task: SinkTask) {
    this.#directory = directory
    this.#task = task
  }

  /**
   * These files are published, and with them all that the task has on time of the hours before `passed`. Idempotent.
   * @throws PUBLISH_FAILED
   */
  async published(files: readonly string[], passed: Hour | undefined): Promise<void> {
    const hours = new Set(files.flatMap(hourIn))
    let place = this.#directory
    try {
      const advances = passed !== undefined && (this.#passed === undefined || passed > this.#passed)
      if (advances) await this.#mark(passed)
      // One that only late records have made is completed by who has made it.
      if (!advances && ![...hours].some(hour => hour < this.#completed)) return
      const names = await readdir(this.#directory)
      const completed = passedByAll(names, this.#task.subtask.parallelism)
      if (completed === undefined) return
      for (const hour of names.flatMap(hourIn)) {
        if (hour >= completed || (hour < this.#completed && !hours.has(hour))) continue
        place = join(this.#directory, directoryOf(hour))
        await complete(place)
      }
      this.#completed = completed
    } catch (error) {
      throw error instanceof SpillwayError ? error : publishFailed(place, error)
    }
  }

  async #mark(passed: Hour): Promise<void> {
    await create(this.#directory, passedName(this.#task, passed))
    if (this.#passed !== undefined) {
      await rm(join(this.#directory, passedName(this.#task, this.#passed)), { force: true })
    }
    this.#passed = passed
  }
}

/** The hours before it are over for all of so many tasks, by the names of their marks. */
export const passedByAll = (names: readonly string[], parallelism: number): Hour | undefined => {
  const passed = new Map<number, Hour>()
  for (const name of names) {
    const mark = passedBy(name)
    if (mark?.parallelism !== parallelism) continue
    const before = passed.get(mark.subtask)
    if (before === undefined || mark.passed > before) passed.set(mark.subtask, mark.passed)
  }
  if (passed.size < parallelism) return undefined
  return [...passed.values()].reduce((least, of) => (of < least ? of : least))
}

/** Of a directory, or a file in it. */
const hourIn = (name: string): Hour | [] => /^hour=(\d{4}-\d{2}-\d{2}T\d{2}Z)(\/|$)/.exec(name)?.[1] ?? []

const complete = (directory: string): Promise<void> => create(directory, '_SUCCESS')

/** Makes an empty file, durably; another task may have made it, and not have got to that yet. */
const create = async (directory: string, name: string): Promise<void> => {
  const file = await open(join(directory, name), 'a')
  try {
    await file.sync()
  } finally {
    await file.close()
  }
  await syncDirectory(directory)
}

const yearZeroMs = Date.parse('0000-01-01T00:00:00Z')
const yearTenThousandMs = Date.UTC(10_000, 0)
