import { invariant } from '../invariant.ts'

/**
 * The buffers that a job's snapshots hold: captured from channels by an unaligned checkpoint, and not yet written.
 *
 * Channels give a captured buffer on as any other, and its slot in the writer's pool with it, so a slow store slows nothing.
 * From then on it is counted here. A snapshot that wants more than is left is refused, and holds nothing any more.
 * Source: Flink keeps captured buffers in the network's own pools; here they have a budget instead.
 */
export class CaptureBudget {
  /** May grow, as more is restored. */
  buffersMax: number
  #held = 0

  constructor(buffersMax: number) {
    this.buffersMax = buffersMax
  }

  get held(): number {
    return this.#held
  }

  /** What one snapshot holds. */
  hold(): CaptureHold {
    return new CaptureHold(this)
  }

  /** By a hold: so many more; false: they are not left. */
  draw(buffers: number): boolean {
    if (this.#held + buffers > this.buffersMax) return false
    this.#held += buffers
    return true
  }

  /** By a hold. */
  giveBack(buffers: number): void {
    invariant(buffers <= this.#held, () => `the ${buffers} buffers given back are among the ${this.#held} held`)
    this.#held -= buffers
  }
}

/** The captured buffers of one snapshot, until it is written or given up. */
export class CaptureHold {
  readonly #budget: CaptureBudget
  #buffers = 0
  #refused = false

  constructor(budget: CaptureBudget) {
    this.#budget = budget
  }

  /** More was in flight than the budget had left: the snapshot is not whole. */
  get refused(): boolean {
    return this.#refused
  }

  get buffersMax(): number {
    return this.#budget.buffersMax
  }

  /** Holds so many more, or none at all from now on. */
  add(buffers: number): void {
    if (this.#refused) return
    if (this.#budget.draw(buffers)) {
      this.#buffers += buffers
      return
    }
    this.#refused = true
    this.release()
  }

  /** Idempotent. */
  release(): void {
    this.#budget.giveBack(this.#buffers)
    this.#buffers = 0
  }
}
