import { concatMap, type SchedulerLike, Subscription } from 'rxjs'
import { checksumOf, containerSteps, type Section } from '../snapshot/container.ts'
import type { Piece } from '../snapshot/snapshot.ts'
import type { Store } from '../store/store.ts'
import { inPieces } from './inPieces.ts'

/** A task's snapshot whose in-flight data is put with that of others. */
export interface Sharing {
  readonly inFlight: readonly Section[]
  /** Nobody waits for it any more. */
  readonly stopped: boolean
  isShared(piece: Piece): void
  /** One of those that share a file is the first. */
  isNotShared(error: unknown, isFirst: boolean): void
}

export interface InFlightFileOptions {
  readonly store: Store
  readonly scheduler: SchedulerLike
  /** The name of what its chunks are encoded by. */
  readonly encoding: string
  /** Its name. */
  readonly object: string
  readonly members: readonly Sharing[]
  /** It may be in the store, and is of no use. */
  readonly onLeft: (object: string) => void
  /** Before its members hear of it. */
  readonly onEnd: () => void
}

/**
 * The in-flight data of several tasks on its way: one object, in which each has a container of its own, with its own checksums
 * and end, so that what becomes of one says nothing of the others.
 */
export class InFlightFile {
  readonly #options: InFlightFileOptions
  readonly #putting = new Subscription()

  constructor(options: InFlightFileOptions) {
    this.#options = options
  }

  get isWanted(): boolean {
    return this.#options.members.some(({ stopped }) => !stopped)
  }

  put(): void {
    const { store, scheduler, object } = this.#options
    let containers: readonly Uint8Array[] = []
    const putting = inPieces(() => this.#containers(), scheduler).pipe(
      concatMap(written => {
        containers = written
        return store.put(object, joined(written))
      }),
    )
    this.#putting.add(
      putting.subscribe({ error: error => this.#failed(error), complete: () => this.#isPut(containers) }),
    )
  }

  *#containers(): Generator<number, readonly Uint8Array[]> {
    const { encoding, members } = this.#options
    const containers: Uint8Array[] = []
    for (const { inFlight } of members) containers.push(yield* containerSteps(inFlight, { encoding }))
    return containers
  }

  #isPut(containers: readonly Uint8Array[]): void {
    const { object, members, onEnd } = this.#options
    onEnd()
    let begin = 0
    for (const [i, container] of containers.entries()) {
      const member = members[i] as Sharing
      const bytes = container.length
      if (!member.stopped) member.isShared({ holds: 'inFlight', object, begin, bytes, crc: checksumOf(container) })
      begin += bytes
    }
  }

  #failed(error: unknown): void {
    const { object, members, onLeft, onEnd } = this.#options
    onLeft(object)
    onEnd()
    const [first, ...others] = members.filter(({ stopped }) => !stopped)
    first?.isNotShared(error, true)
    for (const other of others) if (!other.stopped) other.isNotShared(error, false)
  }

  /** Nobody waits for it any more. */
  giveUp(): void {
    this.stop()
    this.#options.onLeft(this.#options.object)
  }

  stop(): void {
    this.#putting.unsubscribe()
  }
}

const joined = (all: readonly Uint8Array[]): Uint8Array => {
  const bytes = new Uint8Array(all.reduce((size, { length }) => size + length, 0))
  let position = 0
  for (const one of all) {
    bytes.set(one, position)
    position += one.length
  }
  return bytes
}
