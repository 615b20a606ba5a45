import { invariant } from '../invariant.ts'
import { initialPool, isAvailable, overdraftOf, type PoolEvent, type PoolState, pool } from './pool.ts'

export interface PoolOptions {
  /** Buffers that are always its own. */
  readonly guaranteed: number
  /** Buffers that it may hold, what it draws on the budget included. */
  readonly max: number
  readonly perChannelMax: number
  /** Beyond `max`, of memory that is no one else's. */
  readonly overdraftMax: number
  /** It has become available. Never called inside a request or a release. */
  readonly onAvailable: () => void
}

/** A pool's counts, for a dump. */
export interface PoolStand {
  readonly available: boolean
  readonly size: number
  readonly held: number
  readonly channelsAtLimit: number
  /** For a buffer of the budget. */
  readonly waits: boolean
}

/**
 * The buffers of a job: each writer's pool has its guaranteed ones, and draws further ones, one at a time, on what is left.
 *
 * A pool that holds all that it has wants one more, so that it is available before it is asked; pools that want one and get
 * none are served in the order in which they began to want. Listeners are called when all counts are right, one after the
 * other, so that one of them may request and release itself.
 * Source: the order of calls is the lesson of FLINK-22946, where a listener was called inside another's release.
 */
export class BufferBudget {
  readonly #buffersMax: number
  readonly #guaranteed: number
  #promised = 0
  #drawn = 0
  #waiting: readonly BufferPool[] = []
  readonly #toTell = new Set<BufferPool>()
  #telling = false

  /** `guaranteed`: the sum of all pools' guarantees, kept for them from the start, as the first may draw before the last is made. */
  constructor({ buffersMax, guaranteed }: { readonly buffersMax: number; readonly guaranteed: number }) {
    invariant(guaranteed <= buffersMax, () => `a budget of ${buffersMax} is not below the guarantees, ${guaranteed}`)
    this.#buffersMax = buffersMax
    this.#guaranteed = guaranteed
  }

  pool(options: PoolOptions): BufferPool {
    this.#promised += options.guaranteed
    invariant(this.#promised <= this.#guaranteed, () => `the pools' guarantees are within the ${this.#guaranteed} kept`)
    return new BufferPool(this, options)
  }

  /** Buffers that no pool has. */
  get free(): number {
    return this.#buffersMax - this.#guaranteed - this.#drawn
  }

  /** It would mean that a pool waits although it could be served. */
  get hasGrantableWaiter(): boolean {
    return this.free > 0 && this.#waiting.length > 0
  }

  isWaiting(pool: BufferPool): boolean {
    return this.#waiting.includes(pool)
  }

  /** One more for this pool, now or in its turn. */
  want(by: BufferPool): boolean {
    if (this.free > 0 && this.#waiting.length === 0) {
      this.#drawn++
      return true
    }
    if (!this.#waiting.includes(by)) this.#waiting = [...this.#waiting, by]
    return false
  }

  wantNoMore(by: BufferPool): void {
    if (this.#waiting.includes(by)) this.#waiting = this.#waiting.filter(other => other !== by)
  }

  /** By a pool that is closed. */
  forget(closed: BufferPool, { guaranteed, drawn }: { readonly guaranteed: number; readonly drawn: number }): void {
    this.wantNoMore(closed)
    this.#toTell.delete(closed)
    this.#promised -= guaranteed
    for (let i = 0; i < drawn; i++) this.giveBack()
    this.settle()
  }

  giveBack(): void {
    invariant(this.#drawn > 0, () => 'a buffer that is given back has been drawn')
    this.#drawn--
    const [next, ...others] = this.#waiting
    if (next === undefined || this.free === 0) return
    this.#waiting = others
    this.#drawn++
    next.drawn()
  }

  /** Calls the pool's listener once nothing is under way; once, also if it was available, busy and available again by then. */
  tell(available: BufferPool): void {
    this.#toTell.add(available)
  }

  settle(): void {
    if (this.#telling || this.#toTell.size === 0) return
    this.#telling = true
    try {
      for (const next of this.#toTell) {
        this.#toTell.delete(next)
        next.told()
      }
    } finally {
      this.#telling = false
    }
  }
}

/** One writer's share of the budget. */
export class BufferPool {
  readonly #budget: BufferBudget
  readonly #options: PoolOptions
  #state: PoolState
  #closed = false

  constructor(budget: BufferBudget, options: PoolOptions) {
    this.#budget = budget
    this.#options = options
    const { guaranteed: size, overdraftMax, perChannelMax } = options
    this.#state = initialPool({ size, overdraftMax, perChannelMax })
  }

  /** Its writer may begin another record. */
  get available(): boolean {
    return isAvailable(this.#state)
  }

  /** Overdraft included. */
  get held(): number {
    return this.#state.held
  }

  get overdraft(): number {
    return overdraftOf(this.#state)
  }

  /** What a dump says of it. */
  get stand(): PoolStand {
    const { size, held, channelsAtLimit } = this.#state
    return { available: this.available, size, held, channelsAtLimit, waits: this.#budget.isWaiting(this) }
  }

  /** For a channel that holds so many buffers; false: not even the overdraft has one. */
  request(channelHeld: number): boolean {
    const before = this.#state.held
    this.#happened({ kind: 'requested', channelHeld })
    this.#budget.settle()
    return this.#state.held > before
  }

  /** What a restore puts into a channel that holds so many buffers is granted always. */
  restore(channelHeld: number): void {
    this.#happened({ kind: 'restored', channelHeld })
    this.#budget.settle()
  }

  /** Of a channel that holds so many buffers, this one included. */
  release(channelHeld: number): void {
    this.#happened({ kind: 'released', channelHeld })
    this.#budget.settle()
  }

  /** Its writer is no more: all that it has is the budget's again, whatever its channels still hold. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    const { guaranteed } = this.#options
    this.#budget.forget(this, { guaranteed, drawn: this.#state.size - guaranteed })
  }

  /** By the budget: it has one more. */
  drawn(): void {
    this.#happened({ kind: 'resized', size: this.#state.size + 1 })
  }

  /** By the budget: the time to call the listener. */
  told(): void {
    if (this.available) this.#options.onAvailable()
  }

  #happened(event: PoolEvent): void {
    if (this.#closed) return
    const before = this.available
    this.#become(event)
    this.#resize()
    if (!before && this.available) this.#budget.tell(this)
  }

  #become(event: PoolEvent): void {
    this.#state = pool(this.#state, event)[0]
  }

  /** Draws as long as all is held, and gives back what is not. */
  #resize(): void {
    const { guaranteed, max } = this.#options
    for (;;) {
      const { held, size } = this.#state
      if (held < size || size >= max || !this.#budget.want(this)) break
      this.#become({ kind: 'resized', size: size + 1 })
    }
    const { held, size } = this.#state
    if (held >= size) return
    this.#budget.wantNoMore(this)
    if (size === guaranteed || held === size - 1) return
    this.#become({ kind: 'resized', size: size - 1 })
    this.#budget.giveBack()
  }
}
