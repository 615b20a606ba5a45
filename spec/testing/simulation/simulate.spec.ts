import * as t from 'io-ts'
import { NEVER, of } from 'rxjs'
import { type Source, stream } from 'spillway'
import { collect, fromArray, into, keyBy, map, scan } from 'spillway/operators'
import { type GivenConditions, type Simulation, SimulationFailure, simulate } from 'spillway/testing'
import { expect, test, vi } from 'vitest'
import { BufferBudget } from '../../../lib/channel/budget.ts'
import { conditionsOf } from '../../../lib/testing/simulation/conditions.ts'

const words = Array.from({ length: 200 }, (_, n) => ({ word: `w${n % 5}`, n }))

const counted = () =>
  stream(fromArray(words, { splits: 2 })).pipe(
    keyBy(({ word }) => word),
    scan(count => count + 1, 0, t.number),
    into(collect<number>()),
  )

/** Counts outside of its state: what a restore does not bring back. */
const forgetful = () => {
  let count = 0
  return stream(fromArray(words)).pipe(
    map(() => ++count),
    into(collect<number>()),
  )
}

const failureOf = (run: () => Simulation): SimulationFailure => {
  try {
    run()
  } catch (error) {
    if (error instanceof SimulationFailure) return error
    throw error
  }
  throw new Error('the simulation should have failed')
}

const crashes = [
  { kind: 'crash', phase: 'flowing', after: 5 },
  { kind: 'storeDelay', phase: 'writing', after: 3 },
  { kind: 'crash', phase: 'committing', after: 0 },
] as const

/** A crash with a checkpoint behind it. */
const crashesAfterwards = [
  { kind: 'sinkDelay', phase: 'flowing', after: 2 },
  { kind: 'crash', phase: 'publishing', after: 0 },
] as const

/** Several checkpoints before the end; nothing is drawn but what happens in the run. */
const inSmallSteps = {
  alignment: 'aligned' as const,
  latencyMs: 2,
  slowness: 0.2,
  link: false as const,
  checkpoints: { everyMs: 1, timeoutMs: 50, retainedCount: 1 },
  channels: { buffersMax: 1, bufferRecordsMax: 2, flushMs: 5 },
  spareBuffers: false as const,
}

test('a job is done through crashes, and has published what it should', () => {
  const { starts, met, published } = simulate(counted, { ...inSmallSteps, seed: 1, faults: crashes, parallelism: 2 })
  expect(starts).toBe(3)
  expect(met.map(({ kind }) => kind)).toEqual(expect.arrayContaining(['crash', 'crash']))
  const counts = [...published.values()].flat(2).sort((a, b) => Number(a) - Number(b))
  expect(counts).toEqual(Array.from({ length: 200 }, (_, n) => 1 + Math.floor(n / 5)))
})

test('with few buffers to spare pools wait for each other, also at another parallelism, and without they do not', () => {
  const want = vi.spyOn(BufferBudget.prototype, 'want')
  const denied = (given: Partial<GivenConditions>) => {
    want.mockClear()
    simulate(counted, { ...inSmallSteps, seed: 1, shrink: false, faults: crashes, parallelism: 2, ...given })
    return want.mock.results.filter(({ value }) => value === false).length
  }
  const rescaled = [...crashes, { kind: 'otherParallelism', phase: 'restoring', after: 0 }] as const
  try {
    expect(denied({})).toBe(0)
    for (const spareBuffers of [0, 1]) expect(denied({ spareBuffers })).toBeGreaterThan(0)
    for (let seed = 1; seed <= 5; seed++) {
      expect(denied({ seed, spareBuffers: 0, faults: rescaled })).toBeGreaterThan(0)
    }
  } finally {
    want.mockRestore()
  }
})

test('few buffers to spare are drawn now and then, unless the budget is given', () => {
  const spares = (channels: Partial<Pick<GivenConditions, 'channels'>>) =>
    new Set(Array.from({ length: 60 }, (_, seed) => conditionsOf(counted, { ...channels, seed }).spareBuffers))
  expect(spares({})).toEqual(new Set([false, 0, 1, 2, 3]))
  expect(spares({ channels: { budgetBuffers: 100 } })).toEqual(new Set([false]))
})

test('the same seed gives the same run, byte for byte, another seed another', () => {
  const logs = [7, 7, 8].map(seed => simulate(counted, { seed, faults: 5 }).log)
  expect(logs[0]).toBe(logs[1])
  expect(logs[0]).not.toBe(logs[2])
})

test('state that is no part of the snapshot is found out, and the failure is as short as can be', () => {
  const failure = failureOf(() =>
    simulate(forgetful, { ...inSmallSteps, seed: 1, faults: crashesAfterwards, parallelism: 3 }),
  )
  expect(failure.message).toMatch(
    /^the simulation fails with seed 1: collect published 200 records instead of 200\n {2}not/,
  )
  expect(failure.conditions.parallelism).toBe(1)
  expect(failure.conditions.faults).toHaveLength(1)
  expect(failure.message).toContain('found under  {"seed":1,')
  expect(failure.message).toContain('shortest     {"seed":1,')
  // The picture of the shortest.
  expect(failure.message).toMatch(/\nms +\d/)
  expect(failure.message).toMatch(/\nfaults +c\n/)
  expect(failure.message).toMatch(/\n0:fromArray\/0 +\.[.0-9) ]+\|?\n/)
})

test('a failure happens again with its seed and conditions', () => {
  const run = () => simulate(forgetful, { ...inSmallSteps, seed: 3, faults: crashesAfterwards, parallelism: 2 })
  const { message, conditions } = failureOf(run)
  expect(failureOf(run).message).toBe(message)
  const again = failureOf(() => simulate(forgetful, { ...conditions, shrink: false }))
  expect(again.conditions).toEqual(conditions)
})

test('what sinks should publish may be given, and anything else claimed', () => {
  const expected = { collect: words.map(({ n }) => 1 + Math.floor(n / 5)) }
  expect(simulate(counted, { seed: 2, expected }).published.size).toBe(1)
  const wrong = failureOf(() => simulate(counted, { seed: 2, expected: { collect: [1] }, shrink: false }))
  expect(wrong.message).toContain('collect published 200 records instead of 1\n  too many:      1 1 1 1 10')
  const check = ({ checkpoints }: Simulation) => {
    if (checkpoints < 1_000) throw new Error('too few checkpoints')
  }
  expect(failureOf(() => simulate(counted, { seed: 2, check, shrink: false })).message).toContain(
    'with seed 2: too few checkpoints',
  )
})

test('a source that waits for what never comes stalls', () => {
  const source: Source<number, number> = {
    name: 'waiting',
    position: t.number,
    splits: () => of(['only']),
    open: () => ({ next: () => 'wait', ready$: NEVER, position: () => 0, close() {} }),
  }
  const { message } = failureOf(() =>
    simulate(() => stream(source).pipe(into(collect())), { seed: 1, expected: {}, shrink: false }),
  )
  expect(message).toContain('STALLED')
}, 120_000)

test('a job that fails by itself is a failure', () => {
  const broken = () =>
    stream(fromArray(words)).pipe(
      map(({ n }) => {
        if (n === 20) throw new Error('no twenty')
        return n
      }),
      into(collect()),
    )
  expect(failureOf(() => simulate(broken, { seed: 1 })).message).toContain('an undisturbed run fails already')
  expect(failureOf(() => simulate(broken, { seed: 1, expected: {}, faults: 0 })).message).toContain(
    'map: its function threw "no twenty" on record {"word":"w0","n":20}.',
  )
})

test('options and pipelines are refused as run refuses them', () => {
  expect(() => simulate(() => [], { seed: 1 })).toThrow('NO_PIPELINE')
})
