import * as Either from 'fp-ts/lib/Either.js'
import * as t from 'io-ts'
import { defer, EMPTY, type Observable } from 'rxjs'
import { mismatch } from '../decode.ts'
import type { CheckpointId } from '../element.ts'
import { messageOf, SpillwayError } from '../error.ts'
import { callEach, shown } from '../graph/callEach.ts'
import type { Cut, Sink, SinkTask, SinkWriter } from '../graph/sink.ts'
import { partName, pendingName } from './fileNames.ts'
import { directoryOf, ended, type Hour, Hours, hourAt, passedAt } from './hours.ts'
import { PendingFiles } from './pendingFiles.ts'
import { makeDirectory, publishAll, sweep } from './publishing.ts'

export interface NdjsonFilesOptions<A> {
  readonly name?: string
  /** A file that would become longer is ended and another one begun, in bytes; default: one file a checkpoint, task and hour. */
  readonly fileBytesMax?: number
  /**
   * The time of a record, ms since 1970: files appear in a directory for its hour, `hour=2026-05-01T14Z`, UTC.
   *
   * An hour's directory gets an empty file `_SUCCESS` once the watermark was past the hour in all tasks at cuts that are
   * published. No record on time follows then; a late one appears in a further file. The time must lie in the hour of the
   * record's event time, or behind it.
   */
  readonly hourOf?: (record: A) => number
}

/** Files that are written and wait for their checkpoint, and the names that they will have; both in the sink's directory. */
export interface NdjsonTransaction {
  readonly files: readonly { readonly pending: string; readonly file: string }[]
  /** With it the task, of so many, has written all that it has on time of the hours before this one. */
  readonly passed?: { readonly hour: Hour; readonly parallelism: number }
}

/**
 * Writes files of one JSON value a line into a directory, exactly once: a file appears, whole, once its checkpoint is durable.
 *
 * Until then it is `.pending-…`, which is not for readers. Names carry epoch, subtask and checkpoint; nothing is ever
 * overwritten. Holds at most 1 MiB and a batch of lines that wait to be written, with `hourOf` twice that, and 16 open files.
 * Needs a file system with hard links.
 * @throws WRITE_FAILED, NOT_ENCODABLE, PUBLISH_FAILED, USER_FUNCTION_FAILED; OUTPUT_EXISTS if another job or sink writes into the
 * directory, or the checkpoint store was emptied and the directory was not; TRANSACTION_LOST if a file was removed from outside
 */
export function ndjsonFiles<A>(
  directory: string,
  codec: t.Type<A, any>,
  options: NdjsonFilesOptions<A> = {},
): Sink<A, NdjsonTransaction> {
  const { name = `ndjsonFiles:${directory}`, fileBytesMax, hourOf } = options
  if (fileBytesMax !== undefined && !(fileBytesMax > 0)) {
    const problem = `fileBytesMax is ${fileBytesMax}.`
    throw new SpillwayError('INVALID_OPTION', { place: name, problem, remedy: 'Give a number of bytes above 0.' })
  }
  return {
    name,
    transaction,
    open: task => new NdjsonWriter({ directory, name, codec, fileBytesMax, hourOf, task }),
  }
}

const transaction: t.Type<NdjsonTransaction, any> = t.intersection([
  t.type({ files: t.readonlyArray(t.type({ pending: t.string, file: t.string })) }),
  t.partial({ passed: t.type({ hour: t.string, parallelism: t.number }) }),
])

interface WriterOptions<A> {
  readonly directory: string
  readonly name: string
  readonly codec: t.Type<A, any>
  readonly fileBytesMax: number | undefined
  readonly hourOf: ((record: A) => number) | undefined
  readonly task: SinkTask
}

/** What is being written of an hour; without hours there is one. */
interface OpenHour {
  readonly hour: Hour | undefined
  /** Lines not yet handed over. */
  text: string
  /** The file that they go to, once it has been begun. */
  pending: string | undefined
  /** Of that file, handed over or not; counted only if there is a limit. */
  fileBytes: number
}

class NdjsonWriter<A> implements SinkWriter<A, NdjsonTransaction> {
  readonly #options: WriterOptions<A>
  readonly #files: PendingFiles
  readonly #hours: Hours
  readonly #line: (record: A) => string
  /** In the order in which they were begun. */
  readonly #open = new Map<Hour | undefined, OpenHour>()
  /** The files of this transaction that have been begun. */
  #begun: { readonly pending: string; readonly hour: Hour | undefined }[] = []
  /** A file made before it was needed. */
  #spare: string | undefined
  #sequence = 0
  #watermarkMs = Number.NEGATIVE_INFINITY
  /** What the last transaction to say so has passed. */
  #passed: Hour | undefined
  #recovered = false

  constructor(options: WriterOptions<A>) {
    this.#options = options
    this.#files = new PendingFiles(options.directory)
    this.#hours = new Hours(options.directory, options.task)
    this.#line = lines(options.codec, options.name)
  }

  get ready$(): Observable<unknown> {
    return this.#files.ready$
  }

  mayWrite(): boolean {
    return this.#files.waitingBytes < waitingBytesMax
  }

  write(batch: readonly A[]): void {
    this.#files.assertWorking()
    if (batch.length === 0) return
    const { hourOf, name } = this.#options
    if (hourOf === undefined) {
      const only = this.#openHour(undefined)
      for (const record of batch) this.#add(only, this.#line(record))
      return
    }
    callEach(name, hourOf, batch).forEach((timeMs, i) => {
      const hour = hourAt(timeMs) ?? noHour(name, timeMs, batch[i])
      this.#add(this.#openHour(hour), this.#line(batch[i] as A))
    })
  }

  watermark(timeMs: number): void {
    this.#watermarkMs = timeMs
  }

  cut(checkpoint: CheckpointId): Cut<NdjsonTransaction> | undefined {
    this.#files.assertWorking()
    const passed = this.#newlyPassed()
    if (this.#open.size === 0 && this.#begun.length === 0) {
      return passed === undefined ? undefined : { tx: { files: [], passed }, durable: EMPTY }
    }
    for (const open of this.#open.values()) this.#handOver(open)
    const unfinished = [...this.#open.values()].flatMap(({ pending }) => pending ?? [])
    const { task, fileBytesMax, hourOf } = this.#options
    const isOne = fileBytesMax === undefined && hourOf === undefined
    const files = this.#begun.map(({ pending, hour }, i) => {
      const file = partName(task, { checkpoint, part: isOne ? undefined : i })
      return { pending, file: hour === undefined ? file : `${directoryOf(hour)}/${file}` }
    })
    const durable = this.#files.finish(unfinished)
    this.#open.clear()
    this.#begun = []
    return { tx: { files, ...(passed === undefined ? {} : { passed }) }, durable: defer(() => durable) }
  }

  publish(transactions: readonly NdjsonTransaction[]): Observable<unknown> {
    return defer(async () => {
      await publishAll(this.#options.directory, filesOf(transactions))
      await this.#passes(transactions)
    })
  }

  recover({ publish }: { readonly publish: readonly NdjsonTransaction[] }): Observable<unknown> {
    const { directory, task } = this.#options
    return defer(async () => {
      await makeDirectory(directory)
      await publishAll(directory, filesOf(publish))
      if (!this.#recovered) {
        await sweep(directory, task)
        // Made before it is needed, so that another sink in this directory is noticed before anything is written.
        this.#spare = this.#begin()
        await this.#files.settled()
        this.#recovered = true
      }
      await this.#passes(publish)
    })
  }

  close(): void {
    this.#files.close()
  }

  /** They are published. */
  async #passes(transactions: readonly NdjsonTransaction[]): Promise<void> {
    const { hourOf, task } = this.#options
    if (hourOf === undefined) return
    const files = filesOf(transactions).map(({ file }) => file)
    // What a task of another number of tasks has passed says nothing of this one.
    const passed = transactions.flatMap(({ passed: of }) =>
      of?.parallelism === task.subtask.parallelism ? of.hour : [],
    )
    await this.#hours.published(files, passed.at(-1))
  }

  #newlyPassed(): NdjsonTransaction['passed'] {
    if (this.#options.hourOf === undefined) return undefined
    const hour = passedAt(this.#watermarkMs)
    // The last transaction says so whatever one before has said: it stays in the snapshot of a task that has ended.
    if (hour === undefined || (hour === this.#passed && hour !== ended)) return undefined
    this.#passed = hour
    return { hour, parallelism: this.#options.task.subtask.parallelism }
  }

  #openHour(hour: Hour | undefined): OpenHour {
    const before = this.#open.get(hour)
    if (before !== undefined) return before
    if (this.#open.size >= openMax) {
      const [first] = this.#open.values() as Iterable<OpenHour> as [OpenHour]
      this.#endFile(first)
      this.#open.delete(first.hour)
    }
    const open: OpenHour = { hour, text: '', pending: undefined, fileBytes: 0 }
    this.#open.set(hour, open)
    return open
  }

  #add(open: OpenHour, line: string): void {
    const { fileBytesMax } = this.#options
    if (fileBytesMax !== undefined) this.#makeRoom(open, Buffer.byteLength(line), fileBytesMax)
    open.text += line
    if (open.text.length >= writtenAtOnce) this.#handOver(open)
  }

  #makeRoom(open: OpenHour, lineBytes: number, fileBytesMax: number): void {
    if (open.fileBytes > 0 && open.fileBytes + lineBytes > fileBytesMax) {
      this.#endFile(open)
      open.fileBytes = 0
    }
    open.fileBytes += lineBytes
  }

  #endFile(open: OpenHour): void {
    this.#handOver(open)
    if (open.pending !== undefined) this.#files.finish([open.pending])
    open.pending = undefined
  }

  #handOver(open: OpenHour): void {
    if (open.text === '') return
    if (open.pending === undefined) {
      open.pending = this.#spare ?? this.#begin()
      this.#spare = undefined
      this.#begun.push({ pending: open.pending, hour: open.hour })
    }
    this.#files.append(open.pending, Buffer.from(open.text))
    open.text = ''
  }

  #begin(): string {
    const pending = pendingName(this.#options.task, this.#sequence++)
    this.#files.begin(pending)
    return pending
  }
}

const filesOf = (transactions: readonly NdjsonTransaction[]) => transactions.flatMap(({ files }) => files)

const noHour = (place: string, timeMs: number, record: unknown): never => {
  throw new SpillwayError('USER_FUNCTION_FAILED', {
    place,
    problem: `hourOf gave ${timeMs} on record ${shown(record)}.`,
    remedy: 'Give a time in ms since 1970, of a year of four digits.',
  })
}

/** Hours that are being written at the same time; of one more than that the first goes on in another file. */
const openMax = 16
const waitingBytesMax = 1024 * 1024
/** In characters. */
const writtenAtOnce = 64 * 1024

const lines = <A>(codec: t.Type<A, any>, place: string): ((record: A) => string) => {
  const encode = codec.encode === t.identity ? undefined : codec.encode
  const remedy = 'Give the sink a codec whose encoded values are plain JSON.'
  return record => {
    let json: string | undefined
    try {
      json = JSON.stringify(encode === undefined ? record : encode(record))
    } catch (cause) {
      const problem = `a record cannot be encoded: ${messageOf(cause)}.`
      throw new SpillwayError('NOT_ENCODABLE', { place, problem, remedy, cause })
    }
    // JSON has no NaN, Infinity or undefined, and gives null for them: only the codec knows whether that was meant.
    if (json === undefined || json.includes('null')) {
      const again = codec.decode(json === undefined ? undefined : JSON.parse(json))
      if (Either.isLeft(again) || json === undefined) {
        const problem = `a record cannot be read back from JSON: ${Either.isLeft(again) ? mismatch(again.left) : 'it is undefined'}.`
        throw new SpillwayError('NOT_ENCODABLE', { place, problem, remedy })
      }
    }
    return `${json}\n`
  }
}
