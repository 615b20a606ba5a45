import { dirname } from 'node:path'
import * as Either from 'fp-ts/lib/Either.js'
import * as t from 'io-ts'
import { asyncScheduler, defer, EMPTY, type Observable, type SchedulerLike } from 'rxjs'
import { mismatch } from '../decode.ts'
import type { CheckpointId } from '../element.ts'
import { messageOf, SpillwayError } from '../error.ts'
import type { Cut, Sink, SinkTask, SinkWriter } from '../graph/sink.ts'
import { partName, pendingName } from './fileNames.ts'
import { closeHoursBefore, hourDirectory, makeHour } from './hours.ts'
import { PendingFiles } from './pendingFiles.ts'
import { makeDirectory, publishAll, sweep } from './publishing.ts'

export interface NdjsonFilesOptions {
  readonly name?: string
  /** A file that would become longer is ended and another one begun, in bytes; default: one file a checkpoint and task. */
  readonly fileBytesMax?: number
  /**
   * Files appear in a directory an hour, `hour=2026-05-01T14Z`, by the time at which their checkpoint's writing began; once all tasks
   * have published all of an hour it gets an empty file `_SUCCESS`. With `checkpoints.schedule: hourly()` an hour is whole, and
   * visible, as soon as the checkpoint on the hour is durable; with an interval alone an hour's last checkpoint runs into the next.
   */
  readonly hourly?: boolean
  /** Whose time tells the hours; default the host's. */
  readonly scheduler?: SchedulerLike
}

/** Files that are written and wait for their checkpoint, and the names that they will have; both in the sink's directory. */
export interface NdjsonTransaction {
  readonly files: readonly { readonly pending: string; readonly file: string }[]
  /** It is its task's last one in the hours before this directory's. */
  readonly closesBefore?: string
}

/**
 * Writes files of one JSON value a line into a directory, exactly once: a file appears, whole, once its checkpoint is durable.
 *
 * Until then it is `.pending-…`, which is not for readers. Names carry epoch, subtask and checkpoint; nothing is ever
 * overwritten. Holds at most 1 MiB and a batch of lines that wait to be written. Needs a file system with hard links.
 * @throws WRITE_FAILED, NOT_ENCODABLE, PUBLISH_FAILED; OUTPUT_EXISTS if another job or sink writes into the directory, or
 * the checkpoint store was emptied and the directory was not; TRANSACTION_LOST if a file was removed from outside
 */
export function ndjsonFiles<A>(
  directory: string,
  codec: t.Type<A, any>,
  options: NdjsonFilesOptions = {},
): Sink<A, NdjsonTransaction> {
  const { name = `ndjsonFiles:${directory}`, fileBytesMax, hourly = false, scheduler = asyncScheduler } = options
  if (fileBytesMax !== undefined && !(fileBytesMax > 0)) {
    const problem = `fileBytesMax is ${fileBytesMax}.`
    throw new SpillwayError('INVALID_OPTION', { place: name, problem, remedy: 'Give a number of bytes above 0.' })
  }
  return {
    name,
    transaction: t.intersection([
      t.type({ files: t.readonlyArray(t.type({ pending: t.string, file: t.string })) }),
      t.partial({ closesBefore: t.string }),
    ]),
    open: task => {
      const hour = hourly ? () => hourDirectory(scheduler.now()) : undefined
      return new NdjsonWriter({ directory, name, codec, fileBytesMax, hour, task })
    },
  }
}

interface WriterOptions<A> {
  readonly directory: string
  readonly name: string
  readonly codec: t.Type<A, any>
  readonly fileBytesMax: number | undefined
  /** The directory of the hour that it is; undefined: there is one directory. */
  readonly hour: (() => string) | undefined
  readonly task: SinkTask
}

class NdjsonWriter<A> implements SinkWriter<A, NdjsonTransaction> {
  readonly #options: WriterOptions<A>
  readonly #files: PendingFiles
  readonly #line: (record: A) => string
  /** Lines not yet handed over. */
  #text = ''
  /** Handed over or not; counted only if there is a limit. */
  #fileBytes = 0
  /** The files of this transaction that have been begun, the last one still open. */
  #pending: string[] = []
  #sequence = 0
  #isEmpty = true
  /** In which this transaction began. */
  #hour: string | undefined

  constructor(options: WriterOptions<A>) {
    this.#options = options
    this.#hour = options.hour?.()
    this.#files = new PendingFiles(options.directory)
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
    const { fileBytesMax } = this.#options
    for (const record of batch) {
      const line = this.#line(record)
      if (fileBytesMax !== undefined) this.#makeRoom(Buffer.byteLength(line), fileBytesMax)
      this.#text += line
      if (this.#text.length >= writtenAtOnce) this.#handOver()
    }
    this.#isEmpty &&= batch.length === 0
  }

  cut(checkpoint: CheckpointId): Cut<NdjsonTransaction> | undefined {
    this.#files.assertWorking()
    const [begun, now] = [this.#hour, this.#options.hour?.()]
    this.#hour = now
    const closes = now === begun || now === undefined ? {} : { closesBefore: now }
    if (this.#isEmpty) return now === begun ? undefined : { tx: { files: [], ...closes }, durable: EMPTY }
    this.#handOver()
    const { task, fileBytesMax } = this.#options
    const files = this.#pending.map((pending, i) => {
      const name = partName(task, { checkpoint, part: fileBytesMax === undefined ? undefined : i })
      return { pending, file: begun === undefined ? name : `${begun}/${name}` }
    })
    const durable = this.#files.finish()
    this.#pending = []
    this.#fileBytes = 0
    this.#isEmpty = true
    return { tx: { files, ...closes }, durable: defer(() => durable) }
  }

  publish(transactions: readonly NdjsonTransaction[]): Observable<unknown> {
    const closed = transactions.flatMap(({ closesBefore }) => closesBefore ?? []).at(-1)
    return defer(() => this.#published(transactions, closed))
  }

  async #published(transactions: readonly NdjsonTransaction[], closed: string | undefined): Promise<void> {
    const { directory, task, hour } = this.#options
    const files = transactions.flatMap(of => of.files)
    if (hour !== undefined) {
      for (const made of new Set(files.map(({ file }) => dirname(file)))) await makeHour(directory, made)
    }
    await publishAll(directory, files)
    if (closed !== undefined) await closeHoursBefore(directory, closed, task)
  }

  recover({ publish }: { readonly publish: readonly NdjsonTransaction[] }): Observable<unknown> {
    const { directory, task } = this.#options
    return defer(async () => {
      await makeDirectory(directory)
      // All that it has written in hours before this one is in these, or in none.
      await this.#published(publish, this.#hour)
      await sweep(directory, task)
      // Made before it is needed, so that another sink in this directory is noticed before anything is written.
      this.#begin()
      await this.#files.settled()
    })
  }

  close(): void {
    this.#files.close()
  }

  #makeRoom(lineBytes: number, fileBytesMax: number): void {
    if (this.#fileBytes > 0 && this.#fileBytes + lineBytes > fileBytesMax) {
      this.#handOver()
      this.#files.finish()
      this.#begin()
      this.#fileBytes = 0
    }
    this.#fileBytes += lineBytes
  }

  #begin(): void {
    const pending = pendingName(this.#options.task, this.#sequence++)
    this.#pending.push(pending)
    this.#files.begin(pending)
  }

  #handOver(): void {
    if (this.#text === '') return
    if (this.#pending.length === 0) this.#begin()
    this.#files.append(Buffer.from(this.#text))
    this.#text = ''
  }
}

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
