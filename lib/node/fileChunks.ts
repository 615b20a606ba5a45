import { type FileHandle, open } from 'node:fs/promises'
import { defer, merge, type Observable, of, Subject } from 'rxjs'
import { messageOf, SpillwayError } from '../error.ts'

/**
 * The bytes of a file from an offset on, in chunks, one of which is read ahead.
 *
 * Holds two chunks, no more than the file is long; the first `take` opens the file.
 */
export class FileChunks {
  /** Emits when `take` may give something else than 'wait'. */
  readonly ready$: Observable<unknown> = defer(() => (this.#busy ? this.#arrived : merge(of(undefined), this.#arrived)))
  readonly #path: string
  readonly #chunkBytes: number
  readonly #arrived = new Subject<void>()
  #offset: number
  #file: FileHandle | undefined
  #taken: Buffer | undefined
  #ahead: Buffer | undefined
  #busy = false
  #ended = false
  #closed = false
  #error: unknown

  constructor(options: { readonly path: string; readonly offset: number; readonly chunkBytes: number }) {
    this.#path = options.path
    this.#offset = options.offset
    this.#chunkBytes = options.chunkBytes
  }

  /**
   * The next chunk, never empty; the one before it is the file's again. 'end' once there is nothing more.
   *
   * @throws FILE_NOT_FOUND, READ_FAILED
   */
  take(): Buffer | 'wait' | 'end' {
    if (this.#error !== undefined) throw this.#error
    if (this.#busy) return 'wait'
    const next = this.#ahead
    if (next === undefined && this.#ended) return 'end'
    const reusable = this.#taken
    this.#taken = next
    this.#ahead = undefined
    if (!this.#ended) this.#readAhead(reusable)
    return next ?? 'wait'
  }

  /** Closes the file, at once or when what is being read has arrived. */
  close(): void {
    this.#closed = true
    if (!this.#busy) this.#closeFile()
  }

  async #readAhead(reusable: Buffer | undefined): Promise<void> {
    this.#busy = true
    try {
      this.#file ??= await this.#open()
      const whole = reusable === undefined ? await this.#allocated(this.#file) : Buffer.from(reusable.buffer)
      const { bytesRead } = await this.#file.read(whole, 0, whole.length, this.#offset)
      this.#offset += bytesRead
      if (bytesRead === 0) this.#ended = true
      else this.#ahead = whole.subarray(0, bytesRead)
    } catch (error) {
      this.#error = error instanceof SpillwayError ? error : readFailed(this.#path, this.#offset, error)
    }
    this.#busy = false
    if (this.#closed) this.#closeFile()
    else this.#arrived.next()
  }

  async #allocated(file: FileHandle): Promise<Buffer> {
    const { size } = await file.stat()
    return Buffer.allocUnsafeSlow(Math.min(this.#chunkBytes, Math.max(size - this.#offset, 0) + 1))
  }

  async #open(): Promise<FileHandle> {
    const file = await open(this.#path).catch(error => {
      throw (error as NodeJS.ErrnoException).code === 'ENOENT' ? fileNotFound(this.#path, 'is no longer there') : error
    })
    try {
      if (this.#offset > 0) await this.#assertSameFile(file)
    } catch (error) {
      await file.close()
      throw error
    }
    return file
  }

  /** A restored offset stands behind a line; so it must in the file as it is now. */
  async #assertSameFile(file: FileHandle): Promise<void> {
    const { size } = await file.stat()
    const around = await file.read(Buffer.alloc(2), 0, 2, this.#offset - 1)
    const [before, behind] = around.buffer
    const atLineEnd = before === newline || around.bytesRead === 1 || behind === newline
    if (size >= this.#offset && atLineEnd) return
    throw new SpillwayError('READ_FAILED', {
      place: this.#path,
      problem:
        size < this.#offset
          ? `the file has changed: it was read up to byte ${this.#offset} before the restore, and has only ${size} bytes now.`
          : `the file has changed: byte ${this.#offset}, up to which it was read before the restore, is no longer the end of a line.`,
      remedy: "Put back the file as it was, or start with restore: 'none'.",
    })
  }

  #closeFile(): void {
    this.#file?.close().catch(() => {}) // Nothing was written, so nothing can be lost.
    this.#file = undefined
  }
}

export const newline = 0x0a

export const fileNotFound = (path: string, what: string): SpillwayError =>
  new SpillwayError('FILE_NOT_FOUND', {
    place: path,
    problem: `the file ${what}.`,
    remedy: `Paths are relative to the working directory, which is ${process.cwd()}.`,
  })

const readFailed = (path: string, offset: number, cause: unknown): SpillwayError =>
  new SpillwayError('READ_FAILED', {
    place: `${path} byte ${offset}`,
    problem: `${messageOf(cause)}.`,
    remedy: 'Make the file readable; the job goes on from its last checkpoint.',
    cause,
  })
