import { expect, test } from 'vitest'
import { buffer, watermark } from '../../lib/element.ts'
import { type Begun, type Frame, gateState, nothingBegun, ownState } from '../../lib/snapshot/frame.ts'
import type { ReadSnapshot } from '../../lib/snapshot/snapshot.ts'
import { type LeftOut, summaryOf, withoutInFlight } from '../../lib/snapshot/withoutInFlight.ts'
import type { RestoredOperator } from '../../lib/state/operatorState.ts'

const records = (count: number, generation?: number): Begun => ({
  work: { kind: 'records', buffer: buffer(Array.from({ length: count }, (_, n) => n)), next: 0 },
  delivered: 1,
  ...(generation === undefined ? {} : { generation }),
})
const timers: Begun = {
  work: { kind: 'watermark', timeMs: 10, firing: { key: 'a', group: 1, timeMs: 7 } },
  delivered: 2,
}
const end: Begun = { work: { kind: 'end' }, delivered: 3 }
const frame = (first: Begun, more: readonly Begun[] = [], pending: Frame['pending'] = []): Frame => ({
  ...first,
  more,
  pending,
})

const snapshot = (kept: Record<string, unknown>, of: Partial<ReadSnapshot> = {}): ReadSnapshot => ({
  ended: false,
  operators: new Map([['o', { kept, tables: new Map() }]]),
  inFlight: [],
  outputs: [],
  ...of,
})

const keptBy = (read: ReadSnapshot, operator = 'o') => read.operators.get(operator)?.kept

test.each<[string, Frame, Frame | undefined, number]>([
  ['records of a call are left out', frame(records(3)), undefined, 3],
  ['what was pending too', frame(nothingBegun, [], [buffer([1, 2])]), undefined, 2],
  ['and what other tasks had begun', frame(records(1), [records(2, 4)]), undefined, 3],
  ['the call of a timer stays, so that what it has delivered does not come twice', frame(timers), frame(timers), 0],
  ['so does that of the end', frame(records(2), [end]), frame(end), 2],
  [
    'watermarks stay in what was pending, markers of generations do not',
    frame(records(1), [], [buffer([1]), { kind: 'recovered', generation: 1 }, watermark(5)]),
    frame(nothingBegun, [], [watermark(5)]),
    2,
  ],
  [
    'what stays is begun at once, since there are no generations',
    frame(records(1), [{ ...timers, generation: 2 }]),
    frame(timers),
    1,
  ],
])('of a suspended operator: %s', (_, before, after, count) => {
  const values = { [ownState.watermark]: 7, [ownState.transactions]: ['tx'], mine: 1 }
  const [read, leftOut] = withoutInFlight('1:o/0', snapshot({ ...values, [ownState.frame]: before }))
  expect(keptBy(read)).toEqual(after === undefined ? values : { ...values, [ownState.frame]: after })
  expect(leftOut).toEqual(count === 0 ? [] : [{ kind: 'operator', task: '1:o/0', operator: 'o', records: count }])
})

test('tables, flags and the watermarks of channels stay; the generations of a former restore end', () => {
  const tables = new Map([['t', []]])
  const watermarks = { channels: [], combinedMs: 3 }
  const operators = new Map<string, RestoredOperator>([
    ['o', { kept: {}, tables }],
    [
      gateState.operator,
      { kept: { [gateState.watermarks]: watermarks, [gateState.generations]: 2 }, tables: new Map() },
    ],
  ])
  const [read] = withoutInFlight('1:o/0', snapshot({}, { ended: true, operators }))
  expect(read.ended).toBe(true)
  expect(read.operators.get('o')?.tables).toBe(tables)
  expect(keptBy(read, gateState.operator)).toEqual({ [gateState.watermarks]: watermarks })
})

test('channels are counted for the task that their records were on their way to, whoever had them', () => {
  const counts = [
    { input: 0, from: 2, records: 5 },
    { to: '2:p/1', input: 1, from: 0, records: 7 },
  ]
  const [, leftOut] = withoutInFlight('1:o/0', snapshot({}, { counts }))
  expect(leftOut).toEqual<LeftOut[]>([
    { kind: 'channel', to: '1:o/0', input: 0, from: 2, records: 5 },
    { kind: 'channel', to: '2:p/1', input: 1, from: 0, records: 7 },
  ])
  expect(summaryOf(leftOut)).toBe(
    '12 records left out: 7 on their way to 2:p/1 from 0 of its input 1, 5 on their way to 1:o/0 from 2 of its input 0',
  )
})

test('a summary names the largest ten, and says when there is nothing', () => {
  expect(summaryOf([])).toBe('0 records left out')
  const many = Array.from(
    { length: 12 },
    (_, n): LeftOut => ({ kind: 'operator', task: `t/${n}`, operator: 'o', records: n + 1 }),
  )
  expect(summaryOf(many)).toMatch(/^78 records left out: 12 in calls that o of t\/11 had begun, .* those of 2 others$/)
})
