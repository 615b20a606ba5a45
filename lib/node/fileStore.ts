import { randomBytes } from 'node:crypto'
import { dirname, join, resolve } from 'node:path'
import { storeFailed } from '../store/failures.ts'
import { fromPromises } from '../store/fromPromises.ts'
import type { Store } from '../store/store.ts'
import { codeOf, directoriesUpTo, durableFiles } from './durableFiles.ts'
import { type FileSystem, nodeFiles } from './fileSystem.ts'
import { syncDirectory } from './publishing.ts'
import { sharedSync } from './sharedSync.ts'

export interface FileStoreOptions {
  /** Default: those of Node. */
  readonly files?: FileSystem
}

/**
 * A store of files: objects below `objects/` by their names, log entries as numbers in `log/`, unfinished files in
 * `tmp/`. Makes the directory, and those above it, at the first write; reading and listing make nothing.
 *
 * A file is written under a temporary name, synced, linked to its own, and the directories up to the store's are
 * synced, once for all files linked meanwhile; `link` fails if the name is taken, so the first of several writers wins, on every file system with hard
 * links. A disk that lies about syncing voids the promise. Unsubscribing gives up a write before its link; what is
 * linked stays.
 *
 * What a crash leaves in `tmp/` is never listed. The first entry that this store appends removes what others have
 * there: older runs are fenced by that entry, and whoever else is writing (a newer start, a savepoint) finds its file
 * gone and writes it again, so that nobody needs to be known to be dead.
 *
 * @throws STORE_FAILED naming the file, with the remedy for a full disk, missing rights, a file in place of a directory
 */
export function fileStore(directory: string, { files = nodeFiles }: FileStoreOptions = {}): Store {
  const root = resolve(directory)
  const objects = join(root, 'objects')
  const log = join(root, 'log')
  const temporary = join(root, 'tmp')
  const on = durableFiles(files)
  const synced = sharedSync(path => syncDirectory(path, files))
  const writer = `${process.pid}-${randomBytes(6).toString('hex')}`
  /** Directories that this writer has made, or found. */
  const made = new Map<string, Promise<unknown>>()
  let writes = 0
  let ready: Promise<void> | undefined
  let swept = false

  return fromPromises({
    name: `files in ${directory}`,

    put: async (object, bytes, signal) =>
      (await create(pathOf(object), bytes, signal)) === 'created' ? 'stored' : 'exists',

    get: async (object, range, signal) => naming(pathOf(object), path => on.read(path, { range, signal })),

    list: prefix => naming(objects, () => namesBelow(objects, '', prefix)),

    delete: async object =>
      naming(pathOf(object), async path => {
        await on.remove(path)
        await removeEmptyAbove(path)
      }),

    append: async (n, bytes, signal) => {
      if ((await create(entryPath(n), bytes, signal)) === 'exists') return 'fenced'
      if (!swept) await sweep()
      swept = true
      return 'appended'
    },

    entries: () => naming(log, async () => (await on.entriesIn(log)).filter(isEntry).map(({ name }) => Number(name))),
    entry: async (n, signal) => naming(entryPath(n), path => on.read(path, { signal })),
    deleteEntry: async n => naming(entryPath(n), on.remove),
  })

  function pathOf(object: string): string {
    const segments = object.split('/')
    if (segments.some(segment => ['', '.', '..'].includes(segment)) || /[\\\0]/.test(object))
      throw storeFailed(root, new Error(`"${object}" is no name for an object`), 'Use non-empty parts joined by "/".')
    return join(objects, ...segments)
  }

  function entryPath(n: number): string {
    if (!Number.isSafeInteger(n) || n < 1)
      throw storeFailed(root, new Error(`${n} is no number of a log entry`), 'Number them 1, 2, ...')
    return join(log, String(n).padStart(entryDigits, '0'))
  }

  async function namesBelow(directory: string, folder: string, prefix: string): Promise<string[]> {
    const found: string[] = []
    for (const entry of await on.entriesIn(directory)) {
      const name = folder + entry.name
      if (entry.isDirectory()) {
        const mayHold = `${name}/`.startsWith(prefix) || prefix.startsWith(`${name}/`)
        if (mayHold) found.push(...(await namesBelow(join(directory, entry.name), `${name}/`, prefix)))
      } else if (name.startsWith(prefix)) found.push(name)
    }
    return found
  }

  /** Writes again if its temporary file or the directory is removed meanwhile, which another start or a deletion does. */
  function create(path: string, bytes: Uint8Array, signal: AbortSignal): Promise<'created' | 'exists'> {
    return naming(path, async () => {
      for (let attempt = 1; ; attempt++) {
        try {
          return await createOnce(path, bytes, signal)
        } catch (error) {
          if (codeOf(error) !== 'ENOENT' || attempt === attemptsMax) throw error
          made.clear()
        }
      }
    })
  }

  async function createOnce(path: string, bytes: Uint8Array, signal: AbortSignal): Promise<'created' | 'exists'> {
    await makeRoot()
    await Promise.all([makeOnce(temporary), makeOnce(dirname(path))])
    const unfinished = join(temporary, `${writer}-${++writes}`)
    let removed: Promise<void> | undefined
    try {
      await on.write(unfinished, bytes, signal)
      signal.throwIfAborted()
      const linked = await on.link(unfinished, path)
      removed = on.removeIfPossible(unfinished) // Beside the syncs, so that nobody waits for it alone.
      // All of them, also if this writer has made none, nor the file: whoever has may not have got to syncing them, nor ever will.
      await Promise.all(directoriesUpTo(root, dirname(path)).map(synced))
      return linked ? 'created' : 'exists'
    } finally {
      await (removed ?? on.removeIfPossible(unfinished)) // What stays is removed by the next start.
    }
  }

  function makeRoot(): Promise<void> {
    ready ??= on.makeDirectoryDurably(root).catch(error => {
      ready = undefined
      throw error
    })
    return ready
  }

  /** Who removes it meanwhile is noticed by the write, which then makes it again. */
  function makeOnce(directory: string): Promise<unknown> {
    const before = made.get(directory)
    if (before !== undefined) return before
    if (made.size === madeMax) made.clear()
    const making = on.makeDirectory(directory)
    made.set(directory, making)
    making.catch(() => made.delete(directory))
    return making
  }

  async function sweep(): Promise<void> {
    const found = await on.entriesIn(temporary).catch(() => [])
    const left = found.filter(({ name }) => !name.startsWith(writer))
    await Promise.all(left.map(({ name }) => on.removeIfPossible(join(temporary, name))))
  }

  async function removeEmptyAbove(path: string): Promise<void> {
    for (let above = dirname(path); above !== objects; above = dirname(above)) {
      if (!(await on.removeDirectory(above))) return
      made.delete(above)
    }
  }
}

const isEntry = ({ name }: { readonly name: string }) => name.length === entryDigits && /^\d+$/.test(name)

/** Runs `body` on a path, and names it in the error. */
const naming = <T>(path: string, body: (path: string) => Promise<T>): Promise<T> =>
  body(path).catch(error => {
    throw storeFailed(path, error, remedies[codeOf(error) ?? ''])
  })

const makeRoom = 'Make room on the disk; the job goes on with its next checkpoint.'
const giveRights = 'Give the process the right to read and write there, or choose another directory.'
const chooseDirectory = 'A file stands where a directory is needed: remove it, or choose another directory.'
const useLinks = 'The store needs a file system with hard links: choose a directory on another.'

const remedies: Readonly<Record<string, string>> = {
  ENOSPC: makeRoom,
  EDQUOT: makeRoom,
  EFBIG: 'Raise the limit of file sizes, or take more tasks, so that the files get smaller.',
  EACCES: giveRights,
  EPERM: `${giveRights} ${useLinks}`,
  EROFS: giveRights,
  EEXIST: chooseDirectory,
  ENOTDIR: chooseDirectory,
  ENOTSUP: useLinks,
  ENOSYS: useLinks,
  EMLINK: useLinks,
  EXDEV: 'Let objects/, log/ and tmp/ be on one file system.',
  EIO: 'Check the disk.',
  EMFILE: 'Raise the limit of open files, or lower the number of writes at a time.',
  ENAMETOOLONG: 'Give the operators shorter names.',
}

/** All safe integers, so that names sort as numbers do. */
const entryDigits = 16
/** Each needs a start at the very moment between writing and linking. */
const attemptsMax = 5
/** The log, unfinished files, and the newest checkpoints. */
const madeMax = 16
