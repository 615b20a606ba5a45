import * as fc from 'fast-check'
import { type Phase, type Simulation, simulate } from 'spillway/testing'
import { type FaultKind, meetings } from '../../lib/testing/simulation/faults.ts'
import { generated } from './generated.ts'
import { checkRun } from './oracles.ts'
import { type Topology, topology } from './topology.ts'

/** A generated job, and the conditions that it runs under. */
export interface Case {
  readonly topology: Topology
  readonly parallelism: number
  readonly seed: number
  readonly faults: Parameters<typeof simulate>[1]['faults'] & readonly unknown[]
}

export interface Sizes {
  readonly stages: number
  readonly records: number
  readonly parallelism: number
  readonly faults: readonly FaultKind[] | 'all'
  readonly faultsMax: number
}

export const large: Sizes = { stages: 6, records: 120, parallelism: 8, faults: 'all', faultsMax: 14 }
export const small: Sizes = { stages: 3, records: 66, parallelism: 2, faults: ['crash'], faultsMax: 1 }

export const cases = ({ faults, faultsMax, ...sizes }: Sizes): fc.Arbitrary<Case> => {
  const met = meetings.filter(({ kind }) => faults === 'all' || faults.includes(kind))
  const pair = fc.oneof(...met.map(of => ({ weight: weightOf(of), arbitrary: fc.constant(of) })))
  const after = fc.oneof({ weight: 3, arbitrary: fc.nat({ max: 2 }) }, { weight: 1, arbitrary: fc.nat({ max: 30 }) })
  return fc.record({
    topology: topology(sizes),
    parallelism: fc.integer({ min: 1, max: sizes.parallelism }),
    seed: fc.nat(),
    faults: fc.array(
      fc.tuple(pair, after).map(([meeting, after]) => ({ ...meeting, after })),
      { minLength: Math.min(5, faultsMax), maxLength: faultsMax },
    ),
  })
}

/** Pairs that are rarely met, because the phase is short, or because something must have happened before, come more often. */
const weightOf = ({ kind, phase }: { readonly kind: FaultKind; readonly phase: Phase }): number =>
  rare[kind]?.[phase] ?? usual[phase]

const usual: Readonly<Record<Phase, number>> = {
  restoring: 2,
  flowing: 2,
  aligning: 5,
  writing: 5,
  committing: 8,
  publishing: 10,
  finishing: 2,
}

const rare: { readonly [K in FaultKind]?: Partial<Record<Phase, number>> } = {
  taskFailure: { committing: 12, publishing: 20 },
  storeFailure: { restoring: 4, aligning: 12, committing: 14, publishing: 26 },
  storeInDoubt: { restoring: 4, aligning: 12, committing: 14, publishing: 24, finishing: 4 },
  storeDelay: { aligning: 12, committing: 16 },
  partialRead: { restoring: 8 },
  sinkDelay: { aligning: 7, committing: 12, publishing: 18 },
  sinkFailure: { committing: 20 },
  otherParallelism: { restoring: 50 },
}

/** Runs one case under all oracles. */
export const runCase = ({ topology, parallelism, seed, faults }: Case): Simulation => {
  const job = generated(topology, { parallelism })
  const expected = { ...job.expected }
  // What is chained depends on the order of arrival, and is explained instead.
  for (const name of job.chained) delete expected[name]
  return simulate(() => job.pipelines, {
    seed,
    parallelism,
    faults,
    expected,
    check: run => checkRun(run, job),
    shrink: false,
  })
}

export interface Failure {
  readonly seed: number
  /** The shortest found. */
  readonly case: Case
  readonly message: string
}

/** The case of this seed; if it fails it is made as short as can be (if `shrink`). `onRun` hears of each run but those of shrinking. */
export const runSeed = (
  seed: number,
  sizes: Sizes,
  onRun: (run: Simulation) => void,
  { shrink = true }: { readonly shrink?: boolean } = {},
): Failure | undefined => {
  let first = true
  const property = fc.property(cases(sizes), of => {
    const heard = first
    first = false
    const run = runCase(of)
    if (heard) onRun(run)
  })
  const { counterexample, errorInstance } = fc.check(property, {
    seed,
    numRuns: 1,
    endOnFailure: !shrink,
    interruptAfterTimeLimit: shrinkMs,
  })
  if (counterexample === null) return undefined
  const message =
    errorInstance instanceof Error ? (errorInstance.stack ?? errorInstance.message) : String(errorInstance)
  return { seed, case: counterexample[0], message }
}

/** For making a failing case shorter. */
const shrinkMs = 30_000
