import { basename, dirname } from 'node:path'
import type { FileEntry, FileSystem, OpenFile } from '../../lib/node/fileSystem.ts'

/** One of so many options: 0, 1, ... What a crash leaves is a row of such choices. */
export type Choose = (options: number) => number

interface FileNode {
  readonly kind: 'file'
  bytes: Uint8Array
  /** What is certain to survive; undefined: any beginning of the bytes. */
  synced: Uint8Array | undefined
  /** A sync has failed: the kernel takes the bytes for written, and no later sync writes them. */
  isLost: boolean
}

interface DirectoryNode {
  readonly kind: 'directory'
  readonly entries: Map<string, Node>
  /** Since its last sync: each of them survives, or not, whatever becomes of the others. */
  changes: Change[]
  /** As it was then. */
  synced: ReadonlyMap<string, Node>
}

type Node = FileNode | DirectoryNode

type Change =
  | { readonly kind: 'add'; readonly name: string; readonly node: Node }
  | { readonly kind: 'remove'; readonly name: string }

/** What is done to one operation of a process. */
export interface Fault {
  /** Before it has taken effect, or behind it. */
  readonly when: 'before' | 'behind'
  readonly code: string
}

/** What strikes a process at its operations, which are numbered from 1. */
export interface Process {
  /** The process is killed when it asks for this one, which is not carried out, nor any other. */
  readonly killedAt?: number
  fault?(operation: number, of: Operation): Fault | undefined
  /** Of so many orders of what goes on at the same time; default: as asked. */
  readonly choose?: Choose
}

export interface Operation {
  readonly what:
    | 'open'
    | 'write'
    | 'read'
    | 'stat'
    | 'sync'
    | 'close'
    | 'link'
    | 'unlink'
    | 'mkdir'
    | 'rmdir'
    | 'readdir'
  readonly path: string
}

export interface Running {
  readonly files: FileSystem
  /** Resolves when the process is killed. */
  readonly killed: Promise<'killed'>
  readonly operations: readonly Operation[]
}

/**
 * A disk that keeps of what is not synced as little as a power failure may leave: of a file's bytes any beginning, of a directory's
 * changes (made, linked, unlinked, removed) any choice. Syncing a file makes its bytes safe, not its name; syncing a directory
 * the names in it, not the bytes behind them. A sync that fails makes nothing safe, and no later one of this file does.
 *
 * The processes that use it lose nothing when they are killed, but what they have only begun.
 */
export class LosingDisk {
  readonly #root: DirectoryNode

  constructor(root: DirectoryNode = newDirectory()) {
    this.#root = root
  }

  /** A process's view: all that it asks for comes a little later, in an order that `choose` decides. */
  process({ killedAt, fault, choose = () => 0 }: Process = {}): Running {
    const operations: Operation[] = []
    let isKilled = false
    let kill = () => {}
    const killed = new Promise<'killed'>(resolve => {
      kill = () => resolve('killed')
    })

    const perform = async <T>(of: Operation, effect: () => T, struckDown = () => {}): Promise<T> => {
      for (let turns = choose(3); turns >= 0; turns--) await undefined
      operations.push(of)
      if (operations.length === killedAt) {
        isKilled = true
        kill()
      }
      if (isKilled) return new Promise<never>(() => {})
      const struck = fault?.(operations.length, of)
      if (struck?.when === 'before') {
        struckDown()
        throw errno(struck.code, of)
      }
      const result = effect()
      if (struck?.when === 'behind') throw errno(struck.code, of)
      return result
    }

    const opened = (node: Node, path: string): OpenFile => ({
      writeFile: async (bytes, { signal }) => {
        const file = fileAt(node, { what: 'write', path })
        // Half of it first, so that a process may be killed, or fail, between.
        for (const end of [bytes.length >> 1, bytes.length])
          await perform({ what: 'write', path }, () => {
            signal.throwIfAborted()
            file.bytes = bytes.slice(0, end)
          })
      },
      read: (into, at, length, position) =>
        perform({ what: 'read', path }, () => {
          const { bytes } = fileAt(node, { what: 'read', path })
          const some = bytes.subarray(position, position + length)
          into.set(some, at)
          return { bytesRead: some.length }
        }),
      stat: () => perform({ what: 'stat', path }, () => ({ size: fileAt(node, { what: 'stat', path }).bytes.length })),
      sync: () =>
        perform(
          { what: 'sync', path },
          () => {
            if (node.kind === 'directory') {
              node.synced = new Map(node.entries)
              node.changes = []
            } else if (!node.isLost) node.synced = node.bytes
          },
          () => {
            if (node.kind === 'file') node.isLost = true
          },
        ),
      close: () => perform({ what: 'close', path }, () => {}),
    })

    const files: FileSystem = {
      open: (path, flags) =>
        perform({ what: 'open', path }, () => {
          const of: Operation = { what: 'open', path }
          if (flags === 'r') return opened(this.#at(path, of), path)
          const file: FileNode = { kind: 'file', bytes: new Uint8Array(0), synced: undefined, isLost: false }
          this.#add(path, file, of)
          return opened(file, path)
        }),
      link: (path, newPath) =>
        perform({ what: 'link', path: newPath }, () => {
          const of: Operation = { what: 'link', path: newPath }
          this.#add(newPath, this.#at(path, of), of)
        }),
      unlink: path =>
        perform({ what: 'unlink', path }, () => {
          const of: Operation = { what: 'unlink', path }
          fileAt(this.#at(path, of), of)
          this.#remove(path, of)
        }),
      rmdir: path =>
        perform({ what: 'rmdir', path }, () => {
          const of: Operation = { what: 'rmdir', path }
          if (directoryAt(this.#at(path, of), of).entries.size > 0) throw errno('ENOTEMPTY', of)
          this.#remove(path, of)
        }),
      readdir: path =>
        perform({ what: 'readdir', path }, () => {
          const of: Operation = { what: 'readdir', path }
          return [...directoryAt(this.#at(path, of), of).entries].map(
            ([name, { kind }]): FileEntry => ({ name, isDirectory: () => kind === 'directory' }),
          )
        }),
      mkdir: path => perform({ what: 'mkdir', path }, () => this.#make(path)),
    }
    return { files, killed, operations }
  }

  /** What is left of it after a power failure, with other processes' disks apart from it. */
  afterPowerFailure(choose: Choose): LosingDisk {
    const left = new Map<Node, Node>()
    const leftOf = (node: Node): Node => {
      const known = left.get(node)
      if (known !== undefined) return known
      if (node.kind === 'file') {
        const bytes = node.synced ?? torn(node.bytes, choose)
        const file: FileNode = { kind: 'file', bytes, synced: bytes, isLost: false }
        left.set(node, file)
        return file
      }
      const names = new Map(node.synced)
      for (const change of node.changes) {
        if (choose(2) === 0) continue
        if (change.kind === 'add') names.set(change.name, change.node)
        else names.delete(change.name)
      }
      const entries = new Map([...names].map(([name, of]) => [name, leftOf(of)] as const))
      return { kind: 'directory', entries, changes: [], synced: new Map(entries) }
    }
    return new LosingDisk(leftOf(this.#root) as DirectoryNode)
  }

  /** The files at or below a path. */
  filesBelow(path: string): readonly string[] {
    const all: string[] = []
    const walk = (node: Node | undefined, at: string) => {
      if (node?.kind === 'file') all.push(at)
      if (node?.kind === 'directory') for (const [name, of] of node.entries) walk(of, `${at}/${name}`)
    }
    walk(this.#find(path), path)
    return all
  }

  #make(path: string): string | undefined {
    const found = this.#find(path)
    const of: Operation = { what: 'mkdir', path }
    if (found !== undefined) {
      if (found.kind === 'file') throw errno('EEXIST', of)
      return undefined
    }
    const first = this.#make(dirname(path))
    this.#add(path, newDirectory(), of)
    return first ?? path
  }

  #add(path: string, node: Node, of: Operation): void {
    const directory = directoryAt(this.#at(dirname(path), of), of)
    const name = basename(path)
    if (directory.entries.has(name)) throw errno('EEXIST', of)
    directory.entries.set(name, node)
    directory.changes.push({ kind: 'add', name, node })
  }

  #remove(path: string, of: Operation): void {
    const directory = directoryAt(this.#at(dirname(path), of), of)
    directory.entries.delete(basename(path))
    directory.changes.push({ kind: 'remove', name: basename(path) })
  }

  #at(path: string, of: Operation): Node {
    const found = this.#find(path)
    if (found === undefined) throw errno('ENOENT', of)
    return found
  }

  #find(path: string): Node | undefined {
    let node: Node | undefined = this.#root
    for (const name of path.split('/').filter(name => name !== '')) {
      node = node?.kind === 'directory' ? node.entries.get(name) : undefined
    }
    return node
  }
}

/** All rows of choices, one after the other. */
export function* everyChoice<T>(make: (choose: Choose) => T): Generator<T> {
  let row: { taken: number; readonly options: number }[] = []
  for (;;) {
    let at = 0
    yield make(options => {
      row[at] ??= { taken: 0, options }
      return (row[at++] as { taken: number }).taken
    })
    row = row.slice(0, at)
    while (row.length > 0 && (row.at(-1)?.taken ?? 0) + 1 === row.at(-1)?.options) row.pop()
    const last = row.at(-1)
    if (last === undefined) return
    last.taken++
  }
}

/** Cut off at any length, as it is or filled up with zeros. */
const torn = (bytes: Uint8Array, choose: Choose): Uint8Array => {
  const length = choose(bytes.length + 1)
  if (length === bytes.length) return bytes
  if (choose(2) === 0) return bytes.slice(0, length)
  const filled = new Uint8Array(bytes.length)
  filled.set(bytes.subarray(0, length))
  return filled
}

const newDirectory = (): DirectoryNode => ({ kind: 'directory', entries: new Map(), changes: [], synced: new Map() })

const fileAt = (node: Node, of: Operation): FileNode => {
  if (node.kind !== 'file') throw errno('EISDIR', of)
  return node
}

const directoryAt = (node: Node, of: Operation): DirectoryNode => {
  if (node.kind !== 'directory') throw errno('ENOTDIR', of)
  return node
}

const errno = (code: string, { what, path }: Operation): Error =>
  Object.assign(new Error(`${code}: ${what} '${path}'`), { code })
