import { link, mkdir, open, readdir, rmdir, unlink } from 'node:fs/promises'

/** What a store asks of a file system: so much of `node:fs/promises`, with its errors, so that a spec can lose what is not synced. */
export interface FileSystem {
  /** `wx` makes a file, and fails if the name is taken; directories are opened to be synced. */
  open(path: string, flags: 'r' | 'wx'): Promise<OpenFile>
  /** Fails if the new name is taken. */
  link(path: string, newPath: string): Promise<void>
  unlink(path: string): Promise<void>
  /** Gives the first directory that it has made. */
  mkdir(path: string, options: { readonly recursive: true }): Promise<string | undefined>
  rmdir(path: string): Promise<void>
  readdir(path: string, options: { readonly withFileTypes: true }): Promise<readonly FileEntry[]>
}

export interface OpenFile {
  writeFile(bytes: Uint8Array, options: { readonly signal: AbortSignal }): Promise<void>
  read(into: Uint8Array, at: number, length: number, position: number): Promise<{ readonly bytesRead: number }>
  stat(): Promise<{ readonly size: number }>
  sync(): Promise<void>
  close(): Promise<void>
}

export interface FileEntry {
  readonly name: string
  isDirectory(): boolean
}

export const nodeFiles: FileSystem = { link, mkdir, open, readdir, rmdir, unlink }
