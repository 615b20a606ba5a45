import * as t from 'io-ts'
import { EMPTY, Subject } from 'rxjs'
import { type Job, type RunOptions, run, type Sink, type Source, stream } from 'spillway'
import { into, rescale } from 'spillway/operators'

export interface RegionsJob {
  readonly job: Job
  /** Each source has so many more records to read. */
  readonly feed: (records: number) => void
  /** Records published again, and records left out, by all regions together. */
  readonly duplicated: () => number
  readonly lost: () => number
  readonly published: () => number
  /** Records that all sources together have been given to read. */
  readonly fed: () => number
}

export interface RegionsJobOptions {
  readonly regions: number
  /** Whether the snapshot that a region's source takes now is one that cannot be written. */
  readonly fails: (region: number) => boolean
  readonly run: Omit<RunOptions, 'parallelism'>
}

/**
 * source(n) -> rescale -> sink(n): n regions of two tasks. A source whose snapshot is to fail gives a function for its position,
 * which no encoding takes. Sinks compare what they publish with what is next.
 */
export const regionsJob = ({ regions, fails, run: options }: RegionsJobOptions): RegionsJob => {
  const fed$ = new Subject<number>()
  const next = new Array<number>(regions).fill(0)
  let fed = 0
  const figures = { published: 0, duplicated: 0, lost: 0 }
  const publish = (region: number, { first, count }: Numbers) => {
    const expected = next[region] as number
    figures.published += count
    figures.duplicated += Math.max(0, Math.min(expected - first, count))
    figures.lost += Math.max(0, first - expected)
    next[region] = Math.max(expected, first + count)
  }
  const pipeline = stream(numbers({ regions, fails, fed$ })).pipe(rescale(), into(comparing(publish)))
  return {
    job: run(pipeline, { ...options, parallelism: regions }),
    feed: records => {
      fed += records * regions
      fed$.next(records)
    },
    fed: () => fed,
    published: () => figures.published,
    duplicated: () => figures.duplicated,
    lost: () => figures.lost,
  }
}

interface NumbersOptions {
  readonly regions: number
  readonly fails: (region: number) => boolean
  readonly fed$: Subject<number>
}

const numbers = ({ regions, fails, fed$ }: NumbersOptions): Source<number, number> => ({
  name: 'numbers',
  // Whatever it is, only the encoding looks at it.
  position: t.any,
  splits: () => [Array.from({ length: regions }, (_, region) => String(region))],
  open(split, from = 0) {
    const ready$ = new Subject<void>()
    let [position, left] = [from, 0]
    const feeding = fed$.subscribe(records => {
      left += records
      ready$.next()
    })
    return {
      next(recordsMax) {
        if (left === 0) return 'wait'
        const count = Math.min(recordsMax, left)
        left -= count
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

/** Consecutive ones. */
interface Numbers {
  readonly first: number
  readonly count: number
}

const comparing = (publish: (region: number, numbers: Numbers) => void): Sink<number, Numbers> => ({
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
        if (open === undefined) return undefined
        const tx = open
        open = undefined
        return { tx, durable: EMPTY }
      },
      publish(transactions) {
        for (const tx of transactions) publish(index, tx)
        return EMPTY
      },
      recover({ publish: transactions }) {
        for (const tx of transactions) publish(index, tx)
        return EMPTY
      },
      close() {},
    }
  },
})
