import { concatMap, merge, type Observable, type SchedulerLike, Subscription } from 'rxjs'
import type { Acknowledged, CheckpointOrder, CoordinateEvent } from '../coordination/events.ts'
import type { FailureCause } from '../coordination/tolerance.ts'
import type { CheckpointId } from '../element.ts'
import { messageOf, SpillwayError } from '../error.ts'
import { Line } from '../line.ts'
import type { Coding } from '../snapshot/chunk.ts'
import { checksumOf, containerSteps, type Section } from '../snapshot/container.ts'
import { releaseSnapshot } from '../snapshot/format.ts'
import { objectNames } from '../snapshot/log.ts'
import { SharedFiles } from '../snapshot/sharedFiles.ts'
import type { Piece, TaskId, TaskSnapshot } from '../snapshot/snapshot.ts'
import { type Encoded, SnapshotEncoder, type ToEncode } from '../snapshot/snapshotEncoder.ts'
import type { Store } from '../store/store.ts'
import { InFlightFile, type Sharing } from './inFlightFile.ts'
import { inPieces } from './inPieces.ts'
import { type ChainLimits, SnapshotChains } from './snapshotChains.ts'

export interface SnapshotWriterOptions {
  readonly store: Store
  readonly encoding: Coding
  readonly scheduler: SchedulerLike
  /** Of the run's start. */
  readonly epoch: number
  /** Snapshots being encoded, and objects being put, at the same time; the others wait as references. */
  readonly writesMax: number
  /** State, or in-flight data, of up to so many bytes is not put: its sections go into the log's entry. */
  readonly inlineBytesMax: number
  /** Tasks at the most whose in-flight data is put as one object. */
  readonly tasksPerFile: number
  /** Of state that is put only what has changed is; undefined: always all of it. */
  readonly incremental: ChainLimits | undefined
  readonly say: (event: SnapshotEvent) => void
  /** An aborted snapshot may have been put under this name. */
  readonly onLeft: (object: string) => void
  /** Nothing waits, and nothing is under way. */
  readonly onIdle: () => void
}

/** What has become of a snapshot. */
export type SnapshotEvent = Acknowledged | Extract<CoordinateEvent, { kind: 'declined' | 'failed' }>

/**
 * Writes tasks' snapshots, once what they name elsewhere is durable; an abort stops those of its tasks, also those that have not
 * begun. State is put as an object of the task, and holds only what has changed where it can build on one that is durable
 * (`SnapshotChains`), in-flight data with that of other tasks (`SharedFiles`). A task's last snapshot is
 * tried again three times: no later one takes its place, so a store that fails for a moment must not lose it.
 *
 * Memory: `writesMax` encoded snapshots and files, and the in-flight data of fewer than `tasksPerFile` that wait for others.
 *
 * Of thousands of small snapshots each is an object that goes through its steps, not a chain of Observables.
 */
export class SnapshotWriter {
  readonly options: SnapshotWriterOptions
  readonly encoder: SnapshotEncoder
  readonly chains: SnapshotChains
  /** By task: its snapshots up to this checkpoint's are given up; ids only grow, and one is under way at a time. */
  readonly #abortedUpTo = new Map<TaskId, CheckpointId>()
  /** By task: all its snapshots up to this epoch's are given up. */
  readonly #abandonedUpTo = new Map<TaskId, number>()
  readonly #waiting = new Line<TaskSnapshot>()
  readonly #underWay = new Set<Writing>()
  readonly #shared: SharedFiles
  /** By task: those that lack nothing but a file with their in-flight data. */
  readonly #toShare = new Map<TaskId, Writing>()
  readonly #files = new Set<InFlightFile>()
  #filesBegun = 0
  #beginning = false

  constructor(options: SnapshotWriterOptions) {
    this.options = options
    this.encoder = new SnapshotEncoder(options.encoding, options.scheduler)
    this.chains = new SnapshotChains(options.incremental)
    this.#shared = new SharedFiles(options.tasksPerFile)
  }

  get idle(): boolean {
    return this.#waiting.length === 0 && this.#underWay.size + this.#toShare.size + this.#files.size === 0
  }

  /** A checkpoint is triggered. */
  begin({ barrier, asked }: CheckpointOrder & { kind: 'trigger' }): void {
    this.#putShared(this.#shared.begin(barrier.checkpoint, asked))
  }

  write(snapshot: TaskSnapshot): void {
    this.#waiting.push(snapshot)
    this.#beginWaiting()
  }

  /** The parts of these tasks are durable. */
  published(order: CheckpointOrder & { kind: 'publish' }): void {
    this.chains.published(order)
  }

  abort({ checkpoint, tasks }: CheckpointOrder & { kind: 'abort' }): void {
    this.chains.aborted(tasks)
    for (const task of tasks) this.#abortedUpTo.set(task, checkpoint)
    this.#giveUp(tasks)
  }

  /** These tasks are no more: also their last snapshots are given up, if they are of this epoch or one before. */
  abandon({ tasks, epoch }: { readonly tasks: readonly TaskId[]; readonly epoch: number }): void {
    this.chains.abandoned(tasks)
    for (const task of tasks) this.#abandonedUpTo.set(task, epoch)
    this.#giveUp(tasks)
  }

  #giveUp(tasks: readonly TaskId[]): void {
    for (const writing of [...this.#underWay]) {
      if (!this.#isAborted(writing.snapshot)) continue
      this.#underWay.delete(writing)
      writing.giveUp()
    }
    for (const task of tasks) {
      const writing = this.#toShare.get(task)
      if (writing === undefined || !this.#isAborted(writing.snapshot)) continue
      this.#toShare.delete(task)
      writing.giveUp()
    }
    for (const file of [...this.#files]) {
      if (file.isWanted) continue
      this.#files.delete(file)
      file.giveUp()
    }
    this.#putShared(this.#shared.gone(tasks))
    this.#beginWaiting()
  }

  stop(): void {
    this.#waiting.clear()
    for (const writing of [...this.#underWay, ...this.#toShare.values(), ...this.#files]) writing.stop()
    this.#underWay.clear()
    this.#toShare.clear()
    this.#files.clear()
  }

  /** By a writing. */
  ended(writing: Writing, event: SnapshotEvent): void {
    const { task } = writing.snapshot
    this.#underWay.delete(writing)
    if (this.#toShare.get(task) === writing) this.#toShare.delete(task)
    writing.stop()
    this.options.say(event)
    if (event.kind === 'acknowledged') this.#putShared(this.#shared.answered(task))
    this.#beginWaiting()
  }

  /** By a writing that lacks nothing but a file with its in-flight data. */
  share(writing: Writing): void {
    const { task, checkpoint } = writing.snapshot
    this.#underWay.delete(writing)
    this.#toShare.set(task, writing)
    this.#putShared(this.#shared.add(task, checkpoint))
    this.#beginWaiting()
  }

  #putShared(tasks: readonly TaskId[] | undefined): void {
    if (tasks === undefined) return
    const members = tasks.map(task => this.#toShare.get(task) as Writing)
    const { checkpoint } = (members[0] as Writing).snapshot
    const file = new InFlightFile({
      store: this.options.store,
      scheduler: this.options.scheduler,
      encoding: this.options.encoding.name,
      object: objectNames(this.options.epoch).inFlight(checkpoint, ++this.#filesBegun),
      members,
      onLeft: this.options.onLeft,
      onEnd: () => {
        this.#files.delete(file)
        this.#beginWaiting()
      },
    })
    this.#files.add(file)
    file.put()
  }

  /** In a loop: one that ends at once would begin the next within itself, and thousands would overflow the stack. */
  #beginWaiting(): void {
    if (this.#beginning) return
    this.#beginning = true
    while (this.#mayBegin && this.#waiting.length > 0) this.#begin(this.#waiting.take())
    this.#beginning = false
    if (this.idle) this.options.onIdle()
  }

  get #mayBegin(): boolean {
    return this.#underWay.size + this.#files.size < this.options.writesMax
  }

  #begin(snapshot: TaskSnapshot): void {
    if (this.#isAborted(snapshot)) return releaseSnapshot(snapshot)
    const writing = new Writing(snapshot, this)
    this.#underWay.add(writing)
    writing.attempt()
  }

  #isAborted({ task, ended, checkpoint, epoch }: TaskSnapshot): boolean {
    if (epoch <= (this.#abandonedUpTo.get(task) ?? 0)) return true
    return !ended && checkpoint <= (this.#abortedUpTo.get(task) ?? 0)
  }
}

/** One snapshot on its way: it becomes durable elsewhere, is encoded, is put unless it is small, and ends. */
class Writing implements ToEncode, Sharing {
  readonly snapshot: TaskSnapshot
  stopped = false
  readonly #writer: SnapshotWriter
  #attempts = 0
  #step: Subscription | undefined
  #encoded: Encoded | undefined
  /** What its state builds on, if it is not whole. */
  #base: readonly Piece[] | undefined
  /** What is in the store, perhaps, while it is not yet the coordinator's. */
  #state: Piece | undefined

  constructor(snapshot: TaskSnapshot, writer: SnapshotWriter) {
    this.snapshot = snapshot
    this.#writer = writer
  }

  attempt(): void {
    const { durable } = this.snapshot
    this.#attempts++
    this.#base = this.#writer.chains.baseOf(this.snapshot)
    if (durable.length === 0) this.#writer.encoder.encode(this)
    else this.#take(merge(...durable), () => this.#writer.encoder.encode(this))
  }

  get whole(): boolean {
    return this.#base === undefined
  }

  encoded(encoded: Encoded): void {
    this.#encoded = encoded
    if (!encoded.onBase) this.#base = undefined
    if (this.#isSmall('state') && this.#base === undefined) this.#stateIsKept()
    else this.#putState(encoded.state.sections)
  }

  #isSmall(holds: Piece['holds']): boolean {
    return (this.#encoded as Encoded)[holds].bytes <= this.#writer.options.inlineBytesMax
  }

  #putState(sections: readonly Section[]): void {
    const object = nameOf(this.snapshot, this.#attempts)
    const { store, encoding, scheduler } = this.#writer.options
    const container$ = inPieces(() => containerSteps(sections, { encoding: encoding.name }), scheduler)
    const putting = container$.pipe(
      concatMap(bytes => {
        this.#state = { holds: 'state', object, begin: 0, bytes: bytes.length, crc: checksumOf(bytes) }
        return store.put(object, bytes)
      }),
    )
    this.#take(putting, () => this.#stateIsKept())
  }

  #stateIsKept(): void {
    if (this.#isSmall('inFlight')) this.#acknowledge()
    else this.#writer.share(this)
  }

  get inFlight(): readonly Section[] {
    return (this.#encoded as Encoded).inFlight.sections
  }

  /** It stands in a file that has been put. */
  isShared(inFlight: Piece): void {
    this.#acknowledge(inFlight)
  }

  #acknowledge(inFlight?: Piece): void {
    const { task, ended, checkpoint, times: taken } = this.snapshot
    const encoded = this.#encoded as Encoded
    const times = { ...taken, asyncMs: this.#writer.options.scheduler.now() - taken.wholeAtMs }
    const state = piecesOf(this.#base, this.#state)
    if (state.length > 0) this.#writer.chains.written(this.snapshot, state)
    const pieces = inFlight === undefined ? state : [...state, inFlight]
    const snapshot = { task, ended, sections: this.#sectionsInEntry(inFlight), pieces }
    this.#writer.ended(this, { kind: 'acknowledged', checkpoint, snapshot, sizes: encoded.sizes, times })
  }

  #sectionsInEntry(inFlightPiece: Piece | undefined): readonly Section[] {
    const { state, inFlight } = this.#encoded as Encoded
    if (this.#state !== undefined) return inFlightPiece === undefined ? inFlight.sections : none
    if (inFlightPiece !== undefined || inFlight.sections.length === 0) return state.sections
    return [...state.sections, ...inFlight.sections]
  }

  /** A step that is not done at once. */
  #take(step: Observable<unknown>, next: () => void): void {
    const taking = new Subscription()
    this.#step = taking
    taking.add(step.subscribe({ error: error => this.failed(error), complete: next }))
  }

  failed(error: unknown): void {
    const { task, ended } = this.snapshot
    // Not the checkpoint alone: what the task will emit, and all that later ones hold, depends on such a value too.
    if (error instanceof SpillwayError && error.code === 'MUTATED_AFTER_CAPTURE') {
      return this.#writer.ended(this, { kind: 'failed', task, error })
    }
    if (ended && this.#attempts < lastAttempts && mayPass(error)) {
      const { scheduler } = this.#writer.options
      this.#leaveState()
      this.#step = scheduler.schedule(() => this.attempt(), this.#attempts * lastRetryMs)
      return
    }
    this.#decline(error, causeOf(error))
  }

  isNotShared(error: unknown, isFirst: boolean): void {
    // One failure of the store is one, however many tasks share the file. Source: Flink's CHANNEL_STATE_SHARED_STREAM_EXCEPTION.
    this.#decline(error, isFirst ? causeOf(error) : 'shared-file')
  }

  #decline(error: unknown, cause: FailureCause): void {
    const { task, ended, checkpoint } = this.snapshot
    this.#leaveState()
    this.#writer.ended(this, { kind: 'declined', task, ended, checkpoint, reason: messageOf(error), cause })
  }

  giveUp(): void {
    this.stop()
    this.#leaveState()
  }

  /** What has been interrupted, or has failed, may have reached the store. What has been acknowledged is the coordinator's. */
  #leaveState(): void {
    if (this.#state === undefined) return
    this.#writer.options.onLeft(this.#state.object)
    this.#state = undefined
  }

  stop(): void {
    this.stopped = true
    this.#step?.unsubscribe()
    releaseSnapshot(this.snapshot)
  }
}

const none: readonly never[] = []

const piecesOf = (base: readonly Piece[] | undefined, own: Piece | undefined): readonly Piece[] => {
  if (own === undefined) return none
  return base === undefined ? [own] : [...base, own]
}

const nameOf = ({ task, ended, checkpoint, epoch }: TaskSnapshot, attempt: number): string => {
  const names = objectNames(epoch)
  return ended ? names.ended(task, attempt) : names.snapshot(checkpoint, task)
}

const mayPass = (error: unknown): boolean => !(error instanceof SpillwayError && error.code === 'NOT_ENCODABLE')

const causeOf = (error: unknown): FailureCause =>
  error instanceof SpillwayError && error.code === 'STORE_FAILED' ? 'io' : 'async'

const lastAttempts = 4
const lastRetryMs = 1_000
