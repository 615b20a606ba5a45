import { named, operator, type Stream, stream } from 'spillway'
import { collect, eventTime, fromArray, into, rebalance, rescale } from 'spillway/operators'
import { type Simulation, simulate } from 'spillway/testing'
import { expect, test } from 'vitest'

const firstSeed = Number(process.env.SEED ?? Math.floor(Math.random() * 1e9))
const schedules = 60

interface Stamped {
  readonly n: number
  /** What each stamping operator has seen, first the one nearest to the source. */
  readonly marks: readonly number[]
}

const samples = Array.from({ length: 160 }, (_, n) => ({ n, marks: [] as readonly number[] }))
/** Times go back now and then. */
const timeOf = ({ n }: Stamped): number => 3 * n - (n % 5 === 4 ? 20 : 0)
const outOfOrderMs = 4

/** Written as a user would: each record gets the watermark that its operator is at. */
const stamp = (name: string) =>
  named(
    name,
    operator<Stamped, Stamped>(
      'stamp',
      () => ({ record: (of, out, at) => out.emit({ ...of, marks: [...of.marks, at.operatorWatermarkMs] }) }),
      { stateful: false },
    ),
  )

const read = (splits: number): Stream<Stamped> =>
  stream(fromArray<Stamped>(samples, { splits })).pipe(eventTime({ timeMs: timeOf, outOfOrderMs }))

const faults = (seed: number) =>
  [
    { kind: 'crash', phase: 'publishing', after: seed % 3 },
    { kind: 'crash', phase: 'flowing', after: seed % 40 },
    { kind: 'crash', phase: 'writing', after: seed % 2 },
  ] as const

const alignmentOf = (seed: number) => (seed % 2 === 0 ? 'aligned' : 'unaligned')

test(`on a path of single channels every record sees the watermark that it would have seen without a crash (SEED=${firstSeed})`, () => {
  const path = () => [
    read(1).pipe(
      rescale(),
      stamp('first'),
      rescale(),
      stamp('second'),
      rescale(),
      stamp('third'),
      named('stamps', into(collect())),
    ),
  ]
  // A record a buffer: behind each its watermark.
  const before = samples.map((_, n) => Math.max(...samples.slice(0, n).map(timeOf), Number.NEGATIVE_INFINITY))
  const stamps = samples.map(({ n }) => {
    const mark = (before[n] as number) - outOfOrderMs
    return { n, marks: [mark, mark, mark] }
  })
  let restored = 0
  for (let seed = firstSeed; seed < firstSeed + schedules; seed++) {
    const { starts } = simulate(path, {
      seed,
      parallelism: 1,
      alignment: alignmentOf(seed),
      channels: { bufferRecordsMax: 1, buffersMax: 1 + (seed % 4), flushMs: 1 + (seed % 7) },
      faults: faults(seed),
      expected: { stamps },
      shrink: false,
    })
    restored += starts - 1
  }
  expect(restored).toBeGreaterThan(schedules)
}, 120_000)

test(`with several channels no watermark is ahead of the record's own channel, and none goes back at a restore (SEED=${firstSeed})`, () => {
  const parallelism = 3
  const fan = () => [
    read(parallelism).pipe(stamp('sent'), rebalance(), stamp('seen'), named('stamps', into(collect()))),
  ]
  let ahead = 0
  const check = ({ published }: Simulation) => {
    for (const task of published.get('stamps') as readonly (readonly Stamped[])[]) {
      let last = Number.NEGATIVE_INFINITY
      for (const { n, marks } of task) {
        const [sent, seen] = marks as readonly [number, number]
        if (seen > sent) throw new Error(`record ${n} is sent at ${sent}, and sees ${seen}`)
        if (seen < last) throw new Error(`record ${n} sees ${seen} after ${last}`)
        last = seen
      }
      if (last > 0) ahead++
    }
  }
  for (let seed = firstSeed; seed < firstSeed + schedules; seed++) {
    const conditions = { seed, parallelism, alignment: alignmentOf(seed), shrink: false } as const
    simulate(fan, { ...conditions, faults: faults(seed), check, expected: {} })
  }
  expect(ahead).toBeGreaterThan(schedules)
}, 120_000)
