import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Case, runCase } from './cases.ts'
import { type Topology, topology } from './topology.ts'

const firstSeed = Number(process.env.SEED ?? Math.floor(Math.random() * 1e9))

/** Killed soon after a checkpoint has become durable, and started at another parallelism; up to four times. */
const rescaled = (of: fc.Arbitrary<Topology>): fc.Arbitrary<Case> =>
  fc.record({
    topology: of,
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

const any = topology({ stages: 5, records: 120 })

/** Its first stages apply broadcast rules to keys, in as many tasks as the job has. */
const ruled = any.map(of => ({
  ...of,
  stages: of.stages.map((stage, i) =>
    i < 2
      ? { ...stage, exchange: { kind: 'keyed', keys: 'number', step: 'ruled' } as const, parallelism: 0, steps: [] }
      : stage,
  ),
}))

test.each([
  ['generated jobs', any, 100],
  ['jobs with broadcast rules', ruled, 50],
])(
  `%s, restarted at other parallelisms, do what they mean (SEED=${firstSeed})`,
  async (_, of, jobs) => {
    let restarted = 0
    for (let seed = firstSeed; seed < firstSeed + jobs; seed++) {
      // Promises of the runs before hold all that they have held until they settle.
      await new Promise(resolve => setImmediate(resolve))
      const [drawn] = fc.sample(rescaled(of), { seed, numRuns: 1 }) as [Case]
      try {
        const { met } = runCase(drawn)
        if (met.some(({ kind }) => kind === 'otherParallelism')) restarted++
      } catch (error) {
        throw new Error(`SEED=${seed}\n${JSON.stringify(drawn)}\n${error instanceof Error ? error.message : error}`)
      }
    }
    // Otherwise nothing has been tested. Of 400 jobs it was 128.
    expect(restarted).toBeGreaterThan(jobs / 25)
  },
  180_000,
)

/** A long call is suspended in one task while the records behind it go to another, whatever the partitioner says. */
test('order per key holds where calls behind a custom exchange are suspended', () => {
  const topology: Topology = {
    sources: [{ splits: 1, records: 30, timed: true, parallelism: 0, waits: false }],
    stages: [
      stage({ kind: 'custom' }, { inputs: [3], parallelism: 0, steps: ['flatMap'] }),
      stage({ kind: 'keyed', keys: 'number', step: 'chain' }, { inputs: [5], parallelism: 3, steps: [] }),
    ],
  }
  for (let seed = 0; seed < 30; seed++) {
    const faults = [
      { kind: 'crash', phase: 'publishing', after: 0 },
      { kind: 'otherParallelism', phase: 'restoring', after: 0 },
    ] as const
    runCase({ topology, parallelism: 2, seed, faults })
  }
})

const stage = (
  exchange: Topology['stages'][number]['exchange'],
  of: Pick<Topology['stages'][number], 'inputs' | 'parallelism' | 'steps'>,
): Topology['stages'][number] => ({ ...of, exchange, alignedOnly: false, tapped: false })
