import * as fc from 'fast-check'
import { keyedSteps, keyKinds, plainSteps } from './steps.ts'

/** A generated job as data; numbers that name streams are taken modulo the streams that there are, so that any is valid. */
export interface Topology {
  readonly sources: readonly SourceSpec[]
  /** In the order of the flow: each reads streams of those before. */
  readonly stages: readonly StageSpec[]
}

export interface SourceSpec {
  readonly splits: number
  readonly records: number
  readonly timed: boolean
  /** Its tasks; 0: the job's. */
  readonly parallelism: number
  /** It has nothing for a moment now and then. */
  readonly waits: boolean
}

export interface StageSpec {
  /** Several: a union. */
  readonly inputs: readonly number[]
  readonly exchange:
    | { readonly kind: 'forward' }
    | { readonly kind: 'rebalance' | 'rescale' | 'broadcast' | 'global' | 'custom' }
    | { readonly kind: 'keyed'; readonly keys: keyof typeof keyKinds; readonly step: keyof typeof keyedSteps }
  /** Tasks behind the exchange; 0: the job's. */
  readonly parallelism: number
  readonly alignedOnly: boolean
  readonly steps: readonly (keyof typeof plainSteps)[]
  /** What it reads goes to sinks of its own, too. */
  readonly tapped: boolean
}

const inTurns = ['rebalance', 'rescale'] as const
const chosen = ['broadcast', 'global', 'custom'] as const

const names = <A extends object>(of: A) => fc.constantFrom(...(Object.keys(of) as (keyof A & string)[]))

const sourceSpec = (recordsMax: number): fc.Arbitrary<SourceSpec> =>
  fc.record({
    splits: fc.integer({ min: 1, max: 4 }),
    records: fc.integer({ min: 0, max: recordsMax }),
    timed: fc.boolean(),
    parallelism: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 4 })),
    waits: fc.boolean(),
  })

const stageSpec: fc.Arbitrary<StageSpec> = fc.record({
  inputs: fc.array(fc.nat({ max: 9 }), { minLength: 1, maxLength: 3 }),
  exchange: fc.oneof(
    {
      weight: 3,
      arbitrary: fc.record({ kind: fc.constant('keyed' as const), keys: names(keyKinds), step: names(keyedSteps) }),
    },
    { weight: 1, arbitrary: fc.constant({ kind: 'forward' as const }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom(...inTurns) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom(...chosen) }) },
  ),
  parallelism: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 4 })),
  alignedOnly: fc.oneof({ weight: 5, arbitrary: fc.constant(false) }, { weight: 1, arbitrary: fc.constant(true) }),
  steps: fc.array(names(plainSteps), { maxLength: 2 }),
  tapped: fc.boolean(),
})

export const topology = (max: { readonly stages: number; readonly records: number }): fc.Arbitrary<Topology> =>
  fc.record({
    sources: fc.array(sourceSpec(max.records), { minLength: 1, maxLength: 3 }),
    stages: fc.array(stageSpec, { minLength: 1, maxLength: max.stages }),
  })
