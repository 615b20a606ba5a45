import { link, mkdir, readdir, rm, stat } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { messageOf, SpillwayError } from '../error.ts'
import type { SinkTask } from '../graph/sink.ts'
import { madeBy } from './fileNames.ts'
import { type FileSystem, nodeFiles } from './fileSystem.ts'

interface Publication {
  readonly pending: string
  readonly file: string
}

/**
 * Gives files their final names, durably, also in directories inside this one; what has been published before stays as it is.
 *
 * A hard link, not a rename, because a rename would replace what has the name. Another run may be doing the same at this time.
 * @throws OUTPUT_EXISTS, TRANSACTION_LOST, PUBLISH_FAILED
 */
export async function publishAll(directory: string, publications: readonly Publication[]): Promise<void> {
  if (publications.length === 0) return
  let place = directory
  try {
    const inside = new Set(publications.map(({ file }) => dirname(file)))
    for (const name of inside) {
      place = join(directory, name)
      if (name !== '.') await makeInside(directory, place)
    }
    for (const { pending, file } of publications) {
      place = join(directory, file)
      await publish(join(directory, pending), place)
    }
    for (const name of inside) {
      place = join(directory, name)
      await syncDirectory(place)
    }
  } catch (error) {
    throw error instanceof SpillwayError ? error : publishFailed(place, error)
  }
}

async function publish(from: string, to: string): Promise<void> {
  try {
    await link(from, to)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code !== 'EEXIST' && code !== 'ENOENT') throw error
    const [pending, file] = await Promise.all([identity(from), identity(to)])
    if (file === undefined) throw transactionLost(from, to)
    if (pending !== undefined && pending !== file) throw outputExists(to)
  }
  await rm(from, { force: true })
}

/** Durably; its parent is synced also if another task has made it, who may not have got to that yet. */
async function makeInside(parent: string, directory: string): Promise<void> {
  try {
    await mkdir(directory)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') return // The parent has been removed from outside, and with it the files: that is said of them.
    if (code !== 'EEXIST') throw error
  }
  await syncDirectory(parent)
}

const identity = (path: string): Promise<string | undefined> =>
  stat(path, { bigint: true }).then(
    ({ dev, ino }) => `${dev}:${ino}`,
    error => {
      if (error.code === 'ENOENT') return undefined
      throw error
    },
  )

/**
 * Removes what earlier epochs have left that is not for readers: of this task, and of tasks that there are no more at this parallelism.
 *
 * Relies on the transactions of a former subtask i being recovered by subtask i mod parallelism.
 * @throws OUTPUT_EXISTS if this task's epoch, or a later one, has written here before
 */
export async function sweep(directory: string, { epoch, subtask }: SinkTask): Promise<void> {
  let place = directory
  try {
    for (const file of await readdir(directory)) {
      const maker = madeBy(file)
      if (maker === undefined) continue
      place = join(directory, file)
      if (maker.epoch >= epoch) {
        if (maker.subtask === subtask.index) throw outputExists(place)
      } else if (maker.hidden && maker.subtask % subtask.parallelism === subtask.index) {
        await rm(place, { force: true })
      }
    }
  } catch (error) {
    throw error instanceof SpillwayError ? error : writeFailed(place, error)
  }
}

/** Makes a directory, durably, with those above it. */
export async function makeDirectory(directory: string): Promise<void> {
  try {
    const whole = resolve(directory)
    // Its parent is synced also if another task has made it, who may not have got to that yet.
    const first = (await mkdir(whole, { recursive: true })) ?? whole
    for (let made = whole; made.length >= first.length; made = dirname(made)) await syncDirectory(dirname(made))
  } catch (error) {
    throw writeFailed(directory, error)
  }
}

/** Makes names in a directory durable. Windows cannot, and need not. */
export async function syncDirectory(directory: string, files: FileSystem = nodeFiles): Promise<void> {
  if (process.platform === 'win32') return
  const handle = await files.open(directory, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

export const writeFailed = (place: string, cause: unknown): SpillwayError =>
  new SpillwayError('WRITE_FAILED', {
    place,
    problem: `${messageOf(cause)}.`,
    remedy: 'Make the directory writable and leave room on its disk; the job goes on from its last checkpoint.',
    cause,
  })

export const outputExists = (place: string): SpillwayError =>
  new SpillwayError('OUTPUT_EXISTS', {
    place,
    problem: 'the file exists, and this run has not made it.',
    remedy:
      'Give each sink of each job a directory of its own; if the checkpoint store was emptied or replaced, use an empty directory.',
  })

const transactionLost = (from: string, to: string): SpillwayError =>
  new SpillwayError('TRANSACTION_LOST', {
    place: from,
    problem: `the file belongs to a completed checkpoint, but it is gone, and ${to} does not exist.`,
    remedy: 'Put one of them back; files may be moved away only after a later checkpoint has completed.',
  })

export const publishFailed = (place: string, cause: unknown): SpillwayError =>
  new SpillwayError('PUBLISH_FAILED', {
    place,
    problem: `${messageOf(cause)}.`,
    remedy: 'The directory must be writable and its file system must have hard links; the next start tries again.',
    cause,
  })
