import { randomBytes } from 'node:crypto'
import { link, mkdir, open, readdir, rmdir, unlink } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { storeFailed } from '../store/failures.ts'
import { fromPromises } from '../store/fromPromises.ts'
import type { Store } from '../store/store.ts'
import { syncDirectory } from './publishing.ts'
import { sharedSync } from './sharedSync.ts'

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
export function fileStore(directory: string): Store {
  const root = resolve(directory)
  const objects = join(root, 'objects')
  const log = join(root, 'log')
  const temporary = join(root, 'tmp')
  const synced = sharedSync(syncDirectory)
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

    get: async (object, range, signal) => naming(pathOf(object), path => read(path, range, signal)),

    list: prefix => naming(objects, () => namesBelow(objects, '', prefix)),

    delete: async object =>
      naming(pathOf(object), async path => {
        await unlinkIfThere(path)
        await removeEmptyAbove(path)
      }),

    append: async (n, bytes, signal) => {
      if ((await create(entryPath(n), bytes, signal)) === 'exists') return 'fenced'
      if (!swept) await sweep()
      swept = true
      return 'appended'
    },

    entries: () => naming(log, async () => (await namesIn(log)).filter(isEntry).map(({ name }) => Number(name))),
    entry: async (n, signal) => naming(entryPath(n), path => read(path, undefined, signal)),
    deleteEntry: async n => naming(entryPath(n), unlinkIfThere),
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
      await writeDurably(unfinished, bytes, signal)
      signal.throwIfAborted()
      const linked = await link(unfinished, path).then(() => true, isTaken)
      if (!linked) return 'exists'
      removed = removeQuietly(unfinished) // Beside the syncs, so that nobody waits for it alone.
      // All of them, also if this writer has made none: whoever has may not have got to syncing them yet.
      await Promise.all(directoriesUpTo(root, dirname(path)).map(synced))
      return 'created'
    } finally {
      await (removed ?? removeQuietly(unfinished))
    }
  }

  function makeRoot(): Promise<void> {
    ready ??= makeDurably(root).catch(error => {
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
    const making = mkdir(directory, { recursive: true })
    made.set(directory, making)
    making.catch(() => made.delete(directory))
    return making
  }

  async function sweep(): Promise<void> {
    const files = await namesIn(temporary).catch(() => [])
    const left = files.filter(({ name }) => !name.startsWith(writer))
    await Promise.all(left.map(({ name }) => removeQuietly(join(temporary, name))))
  }

  async function removeEmptyAbove(path: string): Promise<void> {
    for (let above = dirname(path); above !== objects; above = dirname(above)) {
      const removed = await rmdir(above).then(
        () => true,
        () => false,
      )
      if (!removed) return
      made.delete(above)
    }
  }
}

/** `rm` with `force` would look first what it is to remove. */
const unlinkIfThere = (path: string): Promise<void> => unlink(path).catch(ifMissing(undefined))

/** What stays is removed by the next start. */
const removeQuietly = (path: string): Promise<void> => unlink(path).catch(() => {})

async function writeDurably(path: string, bytes: Uint8Array, signal: AbortSignal): Promise<void> {
  const file = await open(path, 'wx')
  try {
    await file.writeFile(bytes, { signal })
    await file.sync()
  } finally {
    await file.close()
  }
}

async function makeDurably(directory: string): Promise<void> {
  const first = await mkdir(directory, { recursive: true })
  if (first !== undefined) await Promise.all(directoriesUpTo(dirname(first), dirname(directory)).map(syncDirectory))
}

function directoriesUpTo(top: string, directory: string): string[] {
  const found = [directory]
  while (found.at(-1)!.length > top.length) found.push(dirname(found.at(-1)!))
  return found
}

/** Undefined if there is no such file. */
async function read(
  path: string,
  range: { begin: number; end: number } | undefined,
  signal: AbortSignal,
): Promise<Uint8Array | undefined> {
  const file = await open(path, 'r').catch(ifMissing(undefined))
  if (file === undefined) return undefined
  try {
    const begin = range?.begin ?? 0
    const size = (await file.stat()).size
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

async function namesBelow(directory: string, folder: string, prefix: string): Promise<string[]> {
  const found: string[] = []
  for (const entry of await namesIn(directory)) {
    const name = folder + entry.name
    if (entry.isDirectory()) {
      const mayHold = `${name}/`.startsWith(prefix) || prefix.startsWith(`${name}/`)
      if (mayHold) found.push(...(await namesBelow(join(directory, entry.name), `${name}/`, prefix)))
    } else if (name.startsWith(prefix)) found.push(name)
  }
  return found
}

/** None if the directory does not exist (yet, or no longer). */
const namesIn = (directory: string) => readdir(directory, { withFileTypes: true }).catch(ifMissing([]))

const isEntry = ({ name }: { readonly name: string }) => name.length === entryDigits && /^\d+$/.test(name)

/** Runs `body` on a path, and names it in the error. */
const naming = <T>(path: string, body: (path: string) => Promise<T>): Promise<T> =>
  body(path).catch(error => {
    throw storeFailed(path, error, remedies[codeOf(error) ?? ''])
  })

const ifMissing =
  <T>(otherwise: T) =>
  (error: unknown): T => {
    if (codeOf(error) !== 'ENOENT') throw error
    return otherwise
  }

function isTaken(error: unknown): false {
  if (codeOf(error) !== 'EEXIST') throw error
  return false
}

const codeOf = (error: unknown): string | undefined => (error as NodeJS.ErrnoException).code

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
/** Between two looks at whether anybody still waits. */
const readBytesMax = 0x40_0000
