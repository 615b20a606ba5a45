import { dirname } from 'node:path'
import type { FileEntry, FileSystem } from './fileSystem.ts'
import { syncDirectory } from './publishing.ts'

/** What a store does with single files and directories. */
export const durableFiles = (files: FileSystem) => {
  /** As a new file; its name is not durable yet. */
  const write = async (path: string, bytes: Uint8Array, signal: AbortSignal): Promise<void> => {
    const file = await files.open(path, 'wx')
    try {
      await file.writeFile(bytes, { signal })
      await file.sync()
    } finally {
      await file.close()
    }
  }

  /** Whole or a range, as far as it goes; undefined if there is no such file. */
  const read = async (
    path: string,
    { range, signal }: { readonly range?: Range | undefined; readonly signal: AbortSignal },
  ): Promise<Uint8Array | undefined> => {
    const file = await files.open(path, 'r').catch(ifMissing(undefined))
    if (file === undefined) return undefined
    try {
      const begin = range?.begin ?? 0
      const { size } = await file.stat()
      const bytes = new Uint8Array(Math.max(0, Math.min(range?.end ?? size, size) - begin))
      for (let position = 0; position < bytes.length; ) {
        signal.throwIfAborted()
        const length = Math.min(readBytesMax, bytes.length - position)
        const { bytesRead } = await file.read(bytes, position, length, begin + position)
        if (bytesRead === 0) throw new Error(`the file ends ${bytes.length - position} bytes too early`)
        position += bytesRead
      }
      return bytes
    } finally {
      await file.close()
    }
  }

  /** False if the new name is taken. */
  const link = (path: string, newPath: string): Promise<boolean> =>
    files.link(path, newPath).then(
      () => true,
      error => {
        if (codeOf(error) !== 'EEXIST') throw error
        return false
      },
    )

  /** `rm` with `force` would look first what it is to remove. */
  const remove = (path: string): Promise<void> => files.unlink(path).catch(ifMissing(undefined))

  const removeIfPossible = (path: string): Promise<void> => files.unlink(path).catch(() => {})

  /** With those above it; not durable yet. */
  const makeDirectory = (directory: string): Promise<unknown> => files.mkdir(directory, { recursive: true })

  /**
   * Also those above it that it has not made itself: who has may have been killed before their syncs. What may not be opened, none of
   * its user's processes has made.
   */
  const makeDirectoryDurably = async (directory: string): Promise<void> => {
    await makeDirectory(directory)
    const above = directoriesUpTo('/', dirname(directory))
    await Promise.all(
      above.map(path =>
        syncDirectory(path, files).catch(error => {
          if (!othersDirectory.has(codeOf(error) ?? '')) throw error
        }),
      ),
    )
  }

  /** False if it is not empty, or gone. */
  const removeDirectory = (directory: string): Promise<boolean> =>
    files.rmdir(directory).then(
      () => true,
      () => false,
    )

  /** None if the directory does not exist (yet, or no longer). */
  const entriesIn = (directory: string): Promise<readonly FileEntry[]> =>
    files.readdir(directory, { withFileTypes: true }).catch(ifMissing([]))

  return {
    write,
    read,
    link,
    remove,
    removeIfPossible,
    makeDirectory,
    makeDirectoryDurably,
    removeDirectory,
    entriesIn,
  }
}

interface Range {
  readonly begin: number
  readonly end: number
}

/** From the lowest to the highest. */
export const directoriesUpTo = (top: string, directory: string): readonly string[] => {
  const found = [directory]
  for (let last = directory; last.length > top.length; ) {
    const above = dirname(last)
    if (above === last) break
    found.push(above)
    last = above
  }
  return found
}

export const codeOf = (error: unknown): string | undefined => (error as NodeJS.ErrnoException).code

const ifMissing =
  <T>(otherwise: T) =>
  (error: unknown): T => {
    if (codeOf(error) !== 'ENOENT') throw error
    return otherwise
  }

const othersDirectory: ReadonlySet<string> = new Set(['EACCES', 'EPERM'])
/** Between two looks at whether anybody still waits. */
const readBytesMax = 0x40_0000
