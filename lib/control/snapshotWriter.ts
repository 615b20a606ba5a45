import { defer, merge, Observable, type SchedulerLike, Subscription } from 'rxjs'
import type { Acknowledged, CheckpointOrder, CoordinateEvent } from '../coordination/events.ts'
import type { FailureCause } from '../coordination/tolerance.ts'
import type { CheckpointId } from '../element.ts'
import { messageOf, SpillwayError } from '../error.ts'
import { checksumOf } from '../snapshot/container.ts'
import type { Encoding } from '../snapshot/encoding.ts'
import { releaseSnapshot, snapshotObject } from '../snapshot/format.ts'
import { objectNames } from '../snapshot/log.ts'
import type { InlineSnapshot, SnapshotObject, SnapshotSizes, TaskId, TaskSnapshot } from '../snapshot/snapshot.ts'
import { type Encoded, snapshotEncoder } from '../snapshot/snapshotEncoder.ts'
import type { Store } from '../store/store.ts'

export interface SnapshotWriterOptions {
  readonly store: Store
  readonly encoding: Encoding
  readonly scheduler: SchedulerLike
  readonly epoch: number
  /** A snapshot of up to so many bytes is not put: its sections go into the log's entry. */
  readonly inlineBytesMax: number
  /** An aborted snapshot may have been put under this name. */
  readonly onLeft: (object: string) => void
}

/** What has become of a snapshot. */
export type SnapshotEvent = Acknowledged | Extract<CoordinateEvent, { kind: 'declined' }>

/** How a snapshot is in the store. */
type Kept = Omit<InlineSnapshot, 'task' | 'ended'> | Omit<SnapshotObject, 'task' | 'ended'>

/**
 * Writes tasks' snapshots, once what they name elsewhere is durable; an abort stops those of its tasks, also those that have not
 * begun. A task's last one is tried again three times: no later one takes its place, so a store that fails for a moment
 * must not lose it.
 */
export class SnapshotWriter {
  readonly #options: SnapshotWriterOptions
  readonly #encoded: (snapshot: TaskSnapshot) => Observable<Encoded>
  readonly #names: ReturnType<typeof objectNames>
  /** By task: its snapshots up to this checkpoint's are given up; ids only grow, and one is under way at a time. */
  readonly #abortedUpTo = new Map<TaskId, CheckpointId>()
  readonly #underWay = new Set<Stoppable>()

  constructor(options: SnapshotWriterOptions) {
    this.#options = options
    this.#encoded = snapshotEncoder(options.encoding, options.scheduler)
    this.#names = objectNames(options.epoch)
  }

  abort({ checkpoint, tasks }: CheckpointOrder & { kind: 'abort' }): void {
    for (const task of tasks) this.#abortedUpTo.set(task, checkpoint)
    for (const { snapshot, stop } of [...this.#underWay]) if (this.#isAborted(snapshot)) stop()
  }

  /** Emits what becomes of it, or nothing if it is aborted. One Observable a snapshot, as thousands of tasks may have small ones. */
  written(snapshot: TaskSnapshot): Observable<SnapshotEvent> {
    const { store, encoding, scheduler, inlineBytesMax, onLeft } = this.#options
    const { task, checkpoint, ended, durable } = snapshot
    return new Observable(subscriber => {
      const begunMs = scheduler.now()
      const step = new Subscription()
      let attempts = 0
      /** It has been put, perhaps, and is not yet the coordinator's. */
      let mayBeThere = false

      const attempt = (): void => {
        attempts++
        if (durable.length === 0) encode()
        else step.add(merge(...durable).subscribe({ error: failed, complete: encode }))
      }
      const encode = (): void => {
        step.add(this.#encoded(snapshot).subscribe({ next: keep, error: failed }))
      }
      const keep = ({ sections, sizes }: Encoded): void => {
        if (sizes.stateBytes + sizes.inFlightBytes <= inlineBytesMax) acknowledge({ sections }, sizes)
        else put({ sections, sizes })
      }
      const put = ({ sections, sizes }: Encoded): void => {
        const object = this.#nameOf(snapshot, attempts)
        let inStore: Kept | undefined
        const putting = defer(() => {
          const bytes = snapshotObject({ ended, sections }, encoding)
          inStore = { object, bytes: bytes.length, crc: checksumOf(bytes) }
          mayBeThere = true
          return store.put(object, bytes)
        })
        step.add(putting.subscribe({ error: failed, complete: () => acknowledge(inStore as Kept, sizes) }))
      }
      const acknowledge = (inStore: Kept, sizes: SnapshotSizes): void => {
        mayBeThere = false
        // Before the next checkpoint can hear of it, and capture.
        snapshot.captured?.release()
        const times = { ...snapshot.times, asyncMs: scheduler.now() - begunMs }
        subscriber.next({ kind: 'acknowledged', checkpoint, snapshot: { task, ended, ...inStore }, sizes, times })
        subscriber.complete()
      }
      const failed = (error: unknown): void => {
        if (ended && attempts < lastAttempts && mayPass(error)) {
          step.add(scheduler.schedule(attempt, attempts * lastRetryMs))
          return
        }
        subscriber.next({ kind: 'declined', task, ended, checkpoint, reason: messageOf(error), cause: causeOf(error) })
        subscriber.complete()
      }

      const stoppable = { snapshot, stop: () => subscriber.complete() }
      this.#underWay.add(stoppable)
      subscriber.add(() => {
        this.#underWay.delete(stoppable)
        step.unsubscribe()
        releaseSnapshot(snapshot)
        // What an abort has interrupted may have reached the store. What has been acknowledged is the coordinator's.
        if (mayBeThere && this.#isAborted(snapshot)) onLeft(this.#nameOf(snapshot, attempts))
      })
      if (this.#isAborted(snapshot)) subscriber.complete()
      else attempt()
    })
  }

  #isAborted({ task, ended, checkpoint }: TaskSnapshot): boolean {
    return !ended && checkpoint <= (this.#abortedUpTo.get(task) ?? 0)
  }

  #nameOf({ task, ended, checkpoint }: TaskSnapshot, attempt: number): string {
    return ended ? this.#names.ended(task, attempt) : this.#names.snapshot(checkpoint, task)
  }
}

interface Stoppable {
  readonly snapshot: TaskSnapshot
  readonly stop: () => void
}

const mayPass = (error: unknown): boolean => !(error instanceof SpillwayError && error.code === 'NOT_ENCODABLE')

const causeOf = (error: unknown): FailureCause =>
  error instanceof SpillwayError && error.code === 'STORE_FAILED' ? 'io' : 'async'

const lastAttempts = 4
const lastRetryMs = 1_000
