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
  /** It has nothing for a moment now and then. */
  readonly waits: boolean
}

export interface StageSpec {
  /** Several: a union. */
  readonly inputs: readonly number[]
  readonly exchange:
    | { readonly kind: 'forward' }
    | { readonly kind: 'rebalance' }
    | { readonly kind: 'keyed'; readonly keys: keyof typeof keyKinds; readonly step: keyof typeof keyedSteps }
  readonly steps: readonly (keyof typeof plainSteps)[]
  /** What it reads goes to sinks of its own, too. */
  readonly tapped: boolean
}

const names = <A extends object>(of: A) => fc.constantFrom(...(Object.keys(of) as (keyof A & string)[]))

const sourceSpec = (recordsMax: number): fc.Arbitrary<SourceSpec> =>
  fc.record({
    splits: fc.integer({ min: 1, max: 4 }),
    records: fc.integer({ min: 0, max: recordsMax }),
    timed: fc.boolean(),
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
    { weight: 1, arbitrary: fc.constant({ kind: 'rebalance' as const }) },
  ),
  steps: fc.array(names(plainSteps), { maxLength: 2 }),
  tapped: fc.boolean(),
})

export const topology = (max: { readonly stages: number; readonly records: number }): fc.Arbitrary<Topology> =>
  fc.record({
    sources: fc.array(sourceSpec(max.records), { minLength: 1, maxLength: 3 }),
    stages: fc.array(stageSpec, { minLength: 1, maxLength: max.stages }),
  })
