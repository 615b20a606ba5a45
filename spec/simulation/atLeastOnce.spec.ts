import { named, stream } from 'spillway'
import { collect, fromArray, into, map, rebalance } from 'spillway/operators'
import { type Simulation, simulate } from 'spillway/testing'
import { expect, test } from 'vitest'

const firstSeed = Number(process.env.SEED ?? Math.floor(Math.random() * 1e9))
const schedules = 60
/** The first are always the same, so that whether they meet what is to be met is no matter of luck. */
const seeds = [1, firstSeed].flatMap(first => Array.from({ length: schedules }, (_, i) => first + i))

const numbers = Array.from({ length: 150 }, (_, n) => n)

/** Producers are far apart, so that a task takes much behind its first barrier while it waits for the others. */
const job = () => [
  stream(fromArray(numbers, { splits: 5 })).pipe(
    rebalance(),
    map(n => n),
    rebalance(),
    named('numbers', into(collect())),
  ),
]

const times = ({ published }: Simulation): readonly number[] => {
  const counts = numbers.map(() => 0)
  for (const n of (published.get('numbers') ?? []).flat() as readonly number[]) counts[n] = (counts[n] as number) + 1
  return counts
}

/** Drawn by hand, since the alignment must go with the guarantee. */
const conditions = (seed: number) => ({
  seed,
  parallelism: 1 + (seed % 4),
  alignment: 'aligned' as const,
  checkpoints: { everyMs: 1 + (seed % 5), timeoutMs: 100, retainedCount: 1, guarantee: 'at-least-once' as const },
  expected: {},
  shrink: false,
})

test(`at least once: nothing is lost, whatever fails (SEED=${firstSeed})`, () => {
  let doubled = 0
  for (const seed of seeds) {
    const check = (run: Simulation) => {
      const lost = times(run).indexOf(0)
      if (lost >= 0) throw new Error(`record ${lost} is lost`)
      if (times(run).some(count => count > 1)) doubled++
    }
    const crashes = [
      { kind: 'crash', phase: 'publishing', after: seed % 3 },
      { kind: 'crash', phase: 'flowing', after: seed % 30 },
    ] as const
    simulate(job, { ...conditions(seed), faults: seed % 2 === 0 ? crashes : 3, check })
  }
  // Otherwise it would be exactly once, and what is tested would not be what it is called.
  expect(doubled).toBeGreaterThan(0)
}, 120_000)

test(`at least once: without a failure everything comes once (SEED=${firstSeed})`, () => {
  for (const seed of seeds) {
    const check = (run: Simulation) => expect(times(run)).toEqual(numbers.map(() => 1))
    simulate(job, { ...conditions(seed), faults: [], check })
  }
}, 60_000)
