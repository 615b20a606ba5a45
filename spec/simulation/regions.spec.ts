import * as t from 'io-ts'
import { fixedDelay, named, operator, regional, stream } from 'spillway'
import { collect, fromArray, into, map, rescale } from 'spillway/operators'
import { type Fault, simulate } from 'spillway/testing'
import { expect, test } from 'vitest'

const firstSeed = Number(process.env.SEED ?? Math.floor(Math.random() * 1e9))
const schedules = 150

const records = Array.from({ length: 160 }, (_, n) => n)
/** Of each split a quarter, in order. */
const expected = { out: records.map(n => [2 * n, 1 + (n % 40)]) }

/** Four regions of three tasks: a source, one that counts what it sees, and a sink. */
const job = () =>
  stream(fromArray(records, { splits: 4 }), { parallelism: 4 }).pipe(
    rescale(),
    map(n => 2 * n),
    numbered(),
    rescale(),
    named('out', into(collect())),
  )

/** State of a whole task: the restart that loses it, or counts twice, gives other numbers. */
const numbered = () =>
  operator<number, readonly [n: number, nth: number]>('numbered', ({ state }) => {
    const seen = state.value('seen', t.number, 0)
    return { record: n => [[n, seen.update(count => count + 1)] as const] }
  })

const faultsOf = (seed: number): readonly Fault[] => [
  { kind: 'taskFailure', phase: 'aligning', after: seed % 7 },
  { kind: 'sinkFailure', phase: 'publishing', after: seed % 3 },
  { kind: 'storeInDoubt', phase: 'committing', after: 0 },
  { kind: 'taskFailure', phase: 'committing', after: seed % 5 },
  { kind: 'storeFailure', phase: 'writing', after: seed % 2 },
  { kind: 'taskFailure', phase: 'flowing', after: seed % 90 },
  ...(seed % 3 === 0 ? [{ kind: 'crash', phase: 'publishing', after: seed % 11 } as const] : []),
]

test(`regions fail, are carried over and restarted by themselves, and each publishes exactly once (SEED=${firstSeed})`, () => {
  let [restarts, whole] = [0, 0]
  for (let seed = firstSeed; seed < firstSeed + schedules; seed++) {
    const run = simulate(job, {
      seed,
      parallelism: 4,
      expected,
      faults: faultsOf(seed),
      checkpoints: {
        everyMs: 3,
        timeoutMs: 60,
        retainedCount: 1 + (seed % 2),
        inlineBytesMax: seed % 2 === 0 ? 0 : 1_000,
        policy: regional({ failedRatioMax: 0.5, consecutiveFailuresMax: 100 }),
      },
      restart: fixedDelay({ delayMs: seed % 4, attemptsMax: 5 }),
      shrink: false,
    })
    restarts += run.restarts
    if (run.starts === 1) whole++
  }
  // Otherwise nothing has been tested.
  expect([restarts > schedules, whole > schedules / 3]).toEqual([true, true])
}, 60_000)
