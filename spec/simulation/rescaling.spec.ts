import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Case, runCase } from './cases.ts'
import { topology } from './topology.ts'

const jobs = 100
const firstSeed = Number(process.env.SEED ?? Math.floor(Math.random() * 1e9))

/** Killed soon after a checkpoint has become durable, and started at another parallelism; up to three times. */
const rescaled: fc.Arbitrary<Case> = fc.record({
  topology: topology({ stages: 5, records: 120 }),
  parallelism: fc.integer({ min: 1, max: 6 }),
  seed: fc.nat(),
  faults: fc
    .array(
      fc.record({ phase: fc.constantFrom('publishing', 'publishing', 'flowing', 'aligning'), after: fc.nat(12) }),
      {
        minLength: 1,
        maxLength: 4,
      },
    )
    .map(crashes =>
      crashes.flatMap(({ phase, after }) => [
        { kind: 'crash' as const, phase, after: phase === 'publishing' ? after % 3 : after },
        { kind: 'otherParallelism' as const, phase: 'restoring' as const, after: 0 },
      ]),
    ),
})

test(`${jobs} generated jobs, restarted at other parallelisms, do what they mean (SEED=${firstSeed})`, async () => {
  let restarted = 0
  for (let seed = firstSeed; seed < firstSeed + jobs; seed++) {
    // Promises of the runs before hold all that they have held until they settle.
    await new Promise(resolve => setImmediate(resolve))
    const [of] = fc.sample(rescaled, { seed, numRuns: 1 }) as [Case]
    try {
      const { met } = runCase(of)
      if (met.some(({ kind }) => kind === 'otherParallelism')) restarted++
    } catch (error) {
      throw new Error(`SEED=${seed}\n${JSON.stringify(of)}\n${error instanceof Error ? error.message : error}`)
    }
  }
  // Otherwise nothing has been tested. Of 120 jobs it was 18.
  expect(restarted).toBeGreaterThan(jobs / 25)
})
