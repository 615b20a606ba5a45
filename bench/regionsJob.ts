import * as t from 'io-ts'
import { EMPTY, Subject } from 'rxjs'
import { type Job, type RunOptions, run, type Sink, type Source, stream } from 'spillway'
import { into, rescale } from 'spillway/operators'

/** Consecutive ones. */
interface Numbers {
  readonly first: number
  readonly count: number
}

/** What is outside, and outlives the runs: what the regions are given to read, and what they have published. */
export class RegionsWorld {
  readonly regions: number
  readonly fed$ = new Subject<void>()
  /** To each region. */
  fed = 0
  /** Records that have been published again. */
  duplicated = 0
  /** Records that others were published without. */
  skipped = 0
  readonly #next: number[]
  readonly #last: (Numbers | undefined)[]

  constructor(regions: number) {
    this.regions = regions
    this.#next = new Array<number>(regions).fill(0)
    this.#last = new Array<undefined>(regions)
  }

  /** Each region has so many more records to read. */
  feed(records: number): void {
    this.fed += records
    this.fed$.next()
  }

  publish(region: number, { first, count }: Numbers): void {
    const next = this.#next[region] as number
    this.duplicated += Math.max(0, Math.min(next - first, count))
    this.skipped += Math.max(0, first - next)
    this.#next[region] = Math.max(next, first + count)
    this.#last[region] = { first, count }
  }

  /** As after a crash: the region's last transaction, the very same, may have been published before. */
  recover(region: number, tx: Numbers): void {
    const last = this.#last[region]
    if (last?.first !== tx.first || last.count !== tx.count) this.publish(region, tx)
  }

  /** Left out, or not yet published. */
  get missing(): number {
    return this.#next.reduce((sum, next) => sum + this.fed - next, this.skipped)
  }
}

export interface RegionsJobOptions {
  /** Whether the snapshot that a region's source takes now is one that cannot be written. */
  readonly fails: (region: number) => boolean
  readonly run: Omit<RunOptions, 'parallelism'>
}

/**
 * source(n) -> rescale -> sink(n): n regions of two tasks. A source whose snapshot is to fail gives a function for its position,
 * which no encoding takes. Sinks compare what they publish with what is next.
 */
export const regionsJob = (world: RegionsWorld, { fails, run: options }: RegionsJobOptions): Job => {
  const pipeline = stream(numbers(world, fails)).pipe(rescale(), into(comparing(world)))
  return run(pipeline, { ...options, parallelism: world.regions })
}

const numbers = (world: RegionsWorld, fails: (region: number) => boolean): Source<number, number> => ({
  name: 'numbers',
  // Whatever it is, only the encoding looks at it.
  position: t.any,
  splits: () => [Array.from({ length: world.regions }, (_, region) => String(region))],
  open(split, from = 0) {
    let position = from
    // Its own, as thousands that come and go are dear in one Subject.
    const ready$ = new Subject<void>()
    const feeding = world.fed$.subscribe(() => ready$.next())
    return {
      next(recordsMax) {
        const count = Math.min(recordsMax, world.fed - position)
        if (count === 0) return 'wait'
        const first = position
        position += count
        return Array.from({ length: count }, (_, i) => first + i)
      },
      ready$,
      position: () => (fails(Number(split)) ? (unwritable as never) : position),
      close: () => feeding.unsubscribe(),
    }
  },
})

const unwritable = () => {}

const comparing = (world: RegionsWorld): Sink<number, Numbers> => ({
  name: 'comparing',
  transaction: t.type({ first: t.number, count: t.number }),
  open({ subtask: { index } }) {
    let open: Numbers | undefined
    return {
      mayWrite: () => true,
      ready$: EMPTY,
      write(batch) {
        for (const number of batch) {
          if (open !== undefined && number !== open.first + open.count)
            throw new Error(`region ${index} gets ${number} after ${open.first + open.count - 1}`)
          open = { first: open?.first ?? number, count: (open?.count ?? 0) + 1 }
        }
      },
      cut() {
        const tx = open
        open = undefined
        return tx === undefined ? undefined : { tx, durable: EMPTY }
      },
      publish(transactions) {
        for (const tx of transactions) world.publish(index, tx)
        return EMPTY
      },
      recover({ publish }) {
        for (const tx of publish) world.recover(index, tx)
        return EMPTY
      },
      close() {},
    }
  },
})
