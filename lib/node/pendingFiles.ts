import { rmSync } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { join } from 'node:path'
import { type Observable, Subject } from 'rxjs'
import { SpillwayError } from '../error.ts'
import { outputExists, syncDirectory, writeFailed } from './publishing.ts'

/**
 * Writes files in the background and in the order of the calls; no call does I/O by itself. Several may be open.
 *
 * After the first error nothing more is written: `ready$` and every later `finish` give it, `assertWorking` throws it.
 */
export class PendingFiles {
  /** Emits whenever something has been written. */
  readonly ready$: Observable<unknown>
  readonly #directory: string
  readonly #ready = new Subject<void>()
  /** Handed over and not yet written. */
  waitingBytes = 0
  #work: Promise<void> = Promise.resolve()
  #error: SpillwayError | undefined
  /** Begun and not finished, by name. */
  readonly #begun = new Set<string>()
  readonly #open = new Map<string, FileHandle>()

  constructor(directory: string) {
    this.#directory = directory
    this.ready$ = this.#ready
  }

  begin(name: string): void {
    const path = join(this.#directory, name)
    this.#begun.add(name)
    this.#later(path, async () => {
      const file = await open(path, 'wx').catch(error => {
        throw error.code === 'EEXIST' ? outputExists(path) : error
      })
      this.#open.set(name, file)
    })
  }

  append(name: string, bytes: Buffer): void {
    this.waitingBytes += bytes.length
    this.#later(join(this.#directory, name), async () => {
      await this.#open.get(name)?.writeFile(bytes)
      this.waitingBytes -= bytes.length
      this.#ready.next()
    })
  }

  /** Ends these files; resolves once all so far would survive a crash. */
  finish(names: readonly string[]): Promise<void> {
    for (const name of names) {
      this.#begun.delete(name)
      this.#later(join(this.#directory, name), async () => {
        await this.#open.get(name)?.sync()
        await this.#open.get(name)?.close()
        this.#open.delete(name)
      })
    }
    return this.#later(this.#directory, () => syncDirectory(this.#directory))
  }

  /** Resolves once all so far is written. */
  settled(): Promise<void> {
    return this.#work
  }

  assertWorking(): void {
    if (this.#error !== undefined) throw this.#error
  }

  /** Gives up the files that are not finished, since no transaction has them; those that are finished stay. */
  close(): void {
    const paths = [...this.#begun].map(name => join(this.#directory, name))
    for (const path of paths) discard(path)
    this.#work
      .catch(() => {})
      .then(async () => {
        for (const file of this.#open.values()) await file.close()
        for (const path of paths) discard(path) // They may have been made only now.
      })
      .catch(() => {})
  }

  #later(path: string, work: () => Promise<void>): Promise<void> {
    this.#work = this.#work.then(async () => {
      try {
        await work()
      } catch (error) {
        this.#error = error instanceof SpillwayError ? error : writeFailed(path, error)
        this.#ready.error(this.#error)
        throw this.#error
      }
    })
    this.#work.catch(() => {}) // Whoever waits for it has the error, and so has `ready$`.
    return this.#work
  }
}

function discard(path: string): void {
  try {
    rmSync(path, { force: true })
  } catch {
    // A later start will.
  }
}
