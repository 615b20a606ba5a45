import { memoryStore } from 'spillway'
import type { Simulation } from 'spillway/testing'
import { expect, test } from 'vitest'
import type { Generated } from './generated.ts'
import { checkRun } from './oracles.ts'
import { made, nth, type Rec } from './record.ts'
import { linked } from './steps.ts'

const record = (split: string, n: number): Rec => ({
  ...made(`${split}${n}`, { n, key: 0, timeMs: 0 }),
  split,
  place: [n],
  trail: 'a',
})

const [s1, s2, s3, t1, t2] = [record('s', 1), record('s', 2), record('s', 3), record('t', 1), record('t', 2)]

/** What a run that published this is told; the states are none. */
const judge = (published: readonly (readonly Rec[])[], chainedRecords?: readonly Rec[], open = 0): string => {
  const run = { published: new Map([['out', published]]), met: [], store: memoryStore() } as unknown as Simulation
  const of: Generated = {
    pipelines: [],
    expected: { out: chainedRecords ?? [] },
    chained: chainedRecords === undefined ? [] : ['out'],
    states: [],
    open: () => open,
  }
  try {
    checkRun(run, of)
    return 'fine'
  } catch (error) {
    return (error as Error).message
  }
}

const chain = (...records: readonly Rec[]): readonly Rec[] =>
  records.map((of, i) => linked(i === 0 ? '' : (records[i - 1] as Rec).id, of))

const cases: Record<string, { found: string; expected: string }> = {
  'records of one split and trail in their order': {
    found: judge([[s1, t1, s2, t2, s3]]),
    expected: 'fine',
  },
  'two tasks have no order between them': { found: judge([[s2], [s1]]), expected: 'fine' },
  'records of one split out of order': {
    found: judge([[s2, t1, s1]]),
    expected: 'out, task 0: s1 has come after s2',
  },
  'results of one record out of order': {
    found: judge([[nth(s1, 1), nth(s1, 0)]]),
    expected: 'out, task 0: s1.0 has come after s1.1',
  },
  'records that took different ways': { found: judge([[{ ...s2, trail: 'b' }, s1]]), expected: 'fine' },
  'records that have lost their order': {
    found: judge([[s2, s1].map(of => ({ ...of, trail: undefined }))]),
    expected: 'fine',
  },
  'a chain that an order of arrival explains': {
    found: judge([chain(s1, t1, t2, s2, s3)], [s1, s2, s3, t1, t2]),
    expected: 'fine',
  },
  'a chain that only an order which no split allows explains': {
    found: judge([chain(s2, s1).map(of => ({ ...of, trail: undefined }))], [s1, s2]),
    expected: 'out: no order of its records explains the results of key 0: >s2 s2>s1',
  },
  'a chain that has begun anew': {
    found: judge([[...chain(s1), ...chain(s2)].map(of => ({ ...of, trail: undefined }))], [s1, s2]),
    expected: 'out: no order of its records explains the results of key 0: >s1 >s2',
  },
  'readers left open': { found: judge([[]], undefined, 2), expected: '2 readers of sources are left open' },
}

test.each(Object.entries(cases))('%s', (_, { found, expected }) => {
  expect(found).toBe(expected)
})
