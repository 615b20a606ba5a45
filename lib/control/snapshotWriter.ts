import { defer, merge, type Observable, type SchedulerLike, Subscription } from 'rxjs'
import type { Acknowledged, CheckpointOrder, CoordinateEvent } from '../coordination/events.ts'
import type { FailureCause } from '../coordination/tolerance.ts'
import type { CheckpointId } from '../element.ts'
import { messageOf, SpillwayError } from '../error.ts'
import { Line } from '../line.ts'
import { checksumOf } from '../snapshot/container.ts'
import type { Encoding } from '../snapshot/encoding.ts'
import { releaseSnapshot, snapshotObject } from '../snapshot/format.ts'
import { objectNames } from '../snapshot/log.ts'
import type { InlineSnapshot, SnapshotObject, SnapshotSizes, TaskId, TaskSnapshot } from '../snapshot/snapshot.ts'
import { type Encoded, SnapshotEncoder, type ToEncode } from '../snapshot/snapshotEncoder.ts'
import type { Store } from '../store/store.ts'

export interface SnapshotWriterOptions {
  readonly store: Store
  readonly encoding: Encoding
  readonly scheduler: SchedulerLike
  /** Snapshots being encoded or written at the same time; the others wait as references. */
  readonly writesMax: number
  /** A snapshot of up to so many bytes is not put: its sections go into the log's entry. */
  readonly inlineBytesMax: number
  readonly say: (event: SnapshotEvent) => void
  /** An aborted snapshot may have been put under this name. */
  readonly onLeft: (object: string) => void
  /** Nothing waits, and nothing is under way. */
  readonly onIdle: () => void
}

/** What has become of a snapshot. */
export type SnapshotEvent = Acknowledged | Extract<CoordinateEvent, { kind: 'declined' }>

/**
 * Writes tasks' snapshots, once what they name elsewhere is durable; an abort stops those of its tasks, also those that have not
 * begun. A task's last one is tried again three times: no later one takes its place, so a store that fails for a moment
 * must not lose it.
 *
 * Of thousands of small snapshots each is an object that goes through its steps, not a chain of Observables.
 */
export class SnapshotWriter {
  readonly options: SnapshotWriterOptions
  readonly encoder: SnapshotEncoder
  /** By task: its snapshots up to this checkpoint's are given up; ids only grow, and one is under way at a time. */
  readonly #abortedUpTo = new Map<TaskId, CheckpointId>()
  /** By task: all its snapshots up to this epoch's are given up. */
  readonly #abandonedUpTo = new Map<TaskId, number>()
  readonly #waiting = new Line<TaskSnapshot>()
  readonly #underWay = new Set<Writing>()
  #beginning = false

  constructor(options: SnapshotWriterOptions) {
    this.options = options
    this.encoder = new SnapshotEncoder(options.encoding, options.scheduler)
  }

  get idle(): boolean {
    return this.#waiting.length === 0 && this.#underWay.size === 0
  }

  write(snapshot: TaskSnapshot): void {
    this.#waiting.push(snapshot)
    this.#beginWaiting()
  }

  abort({ checkpoint, tasks }: CheckpointOrder & { kind: 'abort' }): void {
    for (const task of tasks) this.#abortedUpTo.set(task, checkpoint)
    this.#giveUp()
  }

  /** These tasks are no more: also their last snapshots are given up, if they are of this epoch or one before. */
  abandon({ tasks, epoch }: { readonly tasks: readonly TaskId[]; readonly epoch: number }): void {
    for (const task of tasks) this.#abandonedUpTo.set(task, epoch)
    this.#giveUp()
  }

  #giveUp(): void {
    for (const writing of [...this.#underWay]) {
      if (!this.#isAborted(writing.snapshot)) continue
      this.#underWay.delete(writing)
      writing.stop()
      // What it has interrupted may have reached the store. What has been acknowledged is the coordinator's.
      if (writing.mayBeThere !== undefined) this.options.onLeft(writing.mayBeThere)
    }
    this.#beginWaiting()
  }

  stop(): void {
    this.#waiting.clear()
    for (const writing of this.#underWay) writing.stop()
    this.#underWay.clear()
  }

  /** By a writing. */
  ended(writing: Writing, event: SnapshotEvent): void {
    this.#underWay.delete(writing)
    writing.stop()
    this.options.say(event)
    this.#beginWaiting()
  }

  /** In a loop: one that ends at once would begin the next within itself, and thousands would overflow the stack. */
  #beginWaiting(): void {
    if (this.#beginning) return
    this.#beginning = true
    while (this.#underWay.size < this.options.writesMax && this.#waiting.length > 0) this.#begin(this.#waiting.take())
    this.#beginning = false
    if (this.idle) this.options.onIdle()
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

/** How a snapshot is in the store. */
type Kept = Omit<InlineSnapshot, 'task' | 'ended'> | Omit<SnapshotObject, 'task' | 'ended'>

/** One snapshot on its way: it becomes durable elsewhere, is encoded, is put unless it is small, and ends. */
class Writing implements ToEncode {
  readonly snapshot: TaskSnapshot
  stopped = false
  /** The name under which it has been put, perhaps, while it is not yet the coordinator's. */
  mayBeThere: string | undefined
  readonly #writer: SnapshotWriter
  #attempts = 0
  #step: Subscription | undefined

  constructor(snapshot: TaskSnapshot, writer: SnapshotWriter) {
    this.snapshot = snapshot
    this.#writer = writer
  }

  attempt(): void {
    const { durable } = this.snapshot
    this.#attempts++
    if (durable.length === 0) this.#writer.encoder.encode(this)
    else this.#take(merge(...durable), () => this.#writer.encoder.encode(this))
  }

  encoded(encoded: Encoded): void {
    const { stateBytes, inFlightBytes } = encoded.sizes
    if (stateBytes + inFlightBytes > this.#writer.options.inlineBytesMax) this.#put(encoded)
    else this.#acknowledge({ sections: encoded.sections }, encoded.sizes)
  }

  #put({ sections, sizes }: Encoded): void {
    const { store, encoding } = this.#writer.options
    const { snapshot } = this
    const { ended } = snapshot
    const object = nameOf(snapshot, this.#attempts)
    let inStore: Kept | undefined
    const putting = defer(() => {
      const bytes = snapshotObject({ ended, sections }, encoding)
      inStore = { object, bytes: bytes.length, crc: checksumOf(bytes) }
      this.mayBeThere = object
      return store.put(object, bytes)
    })
    this.#take(putting, () => this.#acknowledge(inStore as Kept, sizes))
  }

  #acknowledge(inStore: Kept, sizes: SnapshotSizes): void {
    const { task, ended, checkpoint, times: taken } = this.snapshot
    const times = { ...taken, asyncMs: this.#writer.options.scheduler.now() - taken.wholeAtMs }
    const snapshot = { task, ended, ...inStore }
    this.#writer.ended(this, { kind: 'acknowledged', checkpoint, snapshot, sizes, times })
  }

  /** A step that is not done at once. */
  #take(step: Observable<unknown>, next: () => void): void {
    const taking = new Subscription()
    this.#step = taking
    taking.add(step.subscribe({ error: error => this.failed(error), complete: next }))
  }

  failed(error: unknown): void {
    const { task, ended, checkpoint } = this.snapshot
    if (ended && this.#attempts < lastAttempts && mayPass(error)) {
      const { scheduler } = this.#writer.options
      this.#step = scheduler.schedule(() => this.attempt(), this.#attempts * lastRetryMs)
      return
    }
    const cause = causeOf(error)
    this.#writer.ended(this, { kind: 'declined', task, ended, checkpoint, reason: messageOf(error), cause })
  }

  stop(): void {
    this.stopped = true
    this.#step?.unsubscribe()
    releaseSnapshot(this.snapshot)
  }
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
