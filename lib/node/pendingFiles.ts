import { rmSync } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { join } from 'node:path'
import { type Observable, Subject } from 'rxjs'
import { SpillwayError } from '../error.ts'
import { outputExists, syncDirectory, writeFailed } from './publishing.ts'

/**
 * Writes files one after the other, in the background and in the order of the calls; no call does I/O by itself.
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
  /** Begun and not finished. */
  #path: string | undefined
  #file: FileHandle | undefined

  constructor(directory: string) {
    this.#directory = directory
    this.ready$ = this.#ready
  }

  begin(name: string): void {
    const path = join(this.#directory, name)
    this.#path = path
    this.#later(path, async () => {
      this.#file = await open(path, 'wx').catch(error => {
        throw error.code === 'EEXIST' ? outputExists(path) : error
      })
    })
  }

  append(bytes: Buffer): void {
    this.waitingBytes += bytes.length
    this.#later(this.#path, async () => {
      await this.#file?.writeFile(bytes)
      this.waitingBytes -= bytes.length
      this.#ready.next()
    })
  }

  /** Ends the file; resolves once all so far would survive a crash. */
  finish(): Promise<void> {
    const path = this.#path
    this.#path = undefined
    return this.#later(path, async () => {
      await this.#file?.sync()
      await this.#file?.close()
      this.#file = undefined
      await syncDirectory(this.#directory)
    })
  }

  /** Resolves once all so far is written. */
  settled(): Promise<void> {
    return this.#work
  }

  assertWorking(): void {
    if (this.#error !== undefined) throw this.#error
  }

  /** Gives up the file that is not finished, since no transaction has it; those that are finished stay. */
  close(): void {
    const path = this.#path
    if (path !== undefined) discard(path)
    this.#work
      .catch(() => {})
      .then(async () => {
        await this.#file?.close()
        if (path !== undefined) discard(path) // It may have been made only now.
      })
      .catch(() => {})
  }

  #later(path: string | undefined, work: () => Promise<void>): Promise<void> {
    this.#work = this.#work.then(async () => {
      try {
        await work()
      } catch (error) {
        this.#error = error instanceof SpillwayError ? error : writeFailed(path ?? this.#directory, error)
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
