import { isUtf8 } from 'node:buffer'
import * as Either from 'fp-ts/lib/Either.js'
import type * as t from 'io-ts'
import type { Observable } from 'rxjs'
import { mismatch } from '../decode.ts'
import { messageOf, SpillwayError } from '../error.ts'
import type { SplitReader } from '../graph/source.ts'
import { FileChunks, newline } from './fileChunks.ts'

/** Stands before a line: its first byte, and the number of lines before it. */
export interface NdjsonPosition {
  readonly offset: number
  readonly line: number
}

/** A line that could not be decoded. */
export interface Undecodable {
  readonly file: string
  /** Counted from 1. */
  readonly line: number
  /** Of the line's first byte. */
  readonly offset: number
  readonly text: string
  readonly error: string
}

/** Reads one file. A line is parsed straight from its chunk; one that lies across chunks is put together first. */
export class NdjsonReader<A> implements SplitReader<A, NdjsonPosition> {
  readonly #options: ReaderOptions<A>
  readonly #chunks: FileChunks
  #chunk: Buffer = nothing
  /** Where the next line goes on in the chunk. */
  #at = 0
  /** The beginning of the next line, from chunks before. */
  #begun: Buffer[] = []
  #begunBytes = 0
  #offset: number
  #line: number
  #undecodable: Undecodable[] = []

  constructor(options: ReaderOptions<A>) {
    const { file, from, chunkBytes } = options
    this.#options = options
    this.#chunks = new FileChunks({ path: file, offset: from.offset, chunkBytes })
    this.#offset = from.offset
    this.#line = from.line
  }

  get ready$(): Observable<unknown> {
    return this.#chunks.ready$
  }

  position(): NdjsonPosition {
    return { offset: this.#offset, line: this.#line }
  }

  next(recordsMax: number): readonly A[] | 'wait' | 'end' {
    const records: A[] = []
    let stopped: 'wait' | 'end' | undefined
    while (stopped === undefined && records.length + this.#undecodable.length < recordsMax) {
      const end = this.#chunk.indexOf(newline, this.#at)
      if (end < 0) {
        stopped = this.#takeChunk(records)
      } else {
        if (this.#begunBytes === 0) this.#read(this.#chunk, this.#at, end, records)
        else this.#readBegun(end, records)
        this.#at = end + 1
      }
    }
    return stopped === undefined || records.length + this.#undecodable.length > 0 ? records : stopped
  }

  takeSides(): ReadonlyMap<string, readonly unknown[]> | undefined {
    if (this.#undecodable.length === 0) return undefined
    const sides = new Map([['undecodable', this.#undecodable]])
    this.#undecodable = []
    return sides
  }

  close(): void {
    this.#chunks.close()
  }

  /** The rest of the chunk begins a line; at the end of the file it is one. */
  #takeChunk(records: A[]): 'wait' | 'end' | undefined {
    this.#begin(this.#chunk.length)
    this.#chunk = nothing
    this.#at = 0
    const chunk = this.#chunks.take()
    if (chunk === 'end' && this.#begunBytes > 0) {
      this.#readBegun(0, records)
      this.#offset -= 1 // This line has no end.
    }
    if (typeof chunk === 'string') return chunk
    this.#chunk = chunk
    return undefined
  }

  #readBegun(end: number, records: A[]): void {
    this.#begin(end)
    const whole = Buffer.concat(this.#begun)
    this.#begun = []
    this.#begunBytes = 0
    this.#read(whole, 0, whole.length, records)
  }

  /** Copies: the next chunk may come into the same memory. */
  #begin(end: number): void {
    if (this.#at === end) return
    this.#begun.push(Buffer.from(this.#chunk.subarray(this.#at, end)))
    this.#begunBytes += end - this.#at
    this.#assertShort(this.#begunBytes)
  }

  #read(bytes: Buffer, begin: number, end: number, records: A[]): void {
    this.#assertShort(end - begin)
    let text = bytes.toString('utf8', begin, end)
    if (this.#offset === 0 && text.startsWith('\uFEFF')) text = text.slice(1)
    const isValid = !text.includes('\uFFFD') || isUtf8(bytes.subarray(begin, end))
    const decoded = isValid ? this.#decoded(text) : Either.left('expected UTF-8, found other bytes')
    if (Either.isRight(decoded)) records.push(decoded.right)
    else if (text.trim() !== '') this.#takeUndecodable(text, decoded.left)
    this.#offset += end - begin + 1
    this.#line += 1
  }

  #decoded(text: string): Either.Either<string | t.Errors, A> {
    let value: unknown
    try {
      value = JSON.parse(text)
    } catch (error) {
      return Either.left(`expected JSON: ${messageOf(error)}`)
    }
    return this.#options.codec.decode(value)
  }

  #takeUndecodable(text: string, why: string | t.Errors): void {
    const { file, undecodable } = this.#options
    const error = typeof why === 'string' ? why : mismatch(why)
    const line = this.#line + 1
    if (undecodable === 'side') this.#undecodable.push({ file, line, offset: this.#offset, text, error })
    else {
      throw new SpillwayError('UNDECODABLE', {
        place: `${file} line ${line}`,
        problem: `${error}.`,
        remedy: "Correct the line or the codec, or read such lines by { undecodable: 'side' } and side('undecodable').",
      })
    }
  }

  #assertShort(bytes: number): void {
    const { file, lineBytesMax } = this.#options
    if (bytes <= lineBytesMax) return
    throw new SpillwayError('READ_FAILED', {
      place: `${file} line ${this.#line + 1}`,
      problem: `the line, which begins at byte ${this.#offset}, has more than ${lineBytesMax} bytes.`,
      remedy: 'If it is no mistake, raise lineBytesMax.',
    })
  }
}

interface ReaderOptions<A> {
  readonly file: string
  readonly codec: t.Decoder<unknown, A>
  readonly from: NdjsonPosition
  readonly undecodable: 'fail' | 'side'
  readonly lineBytesMax: number
  readonly chunkBytes: number
}

const nothing = Buffer.alloc(0)
