import { expect, test } from 'vitest'
import {
  checkpointHistory,
  nothingRemembered,
  type RememberedEvent,
  remembered,
} from '../../lib/coordination/checkpointHistory.ts'
import { distribution } from '../../lib/coordination/distribution.ts'
import { report, stageReports } from '../../lib/coordination/report.ts'
import { acknowledged } from './told.ts'

test.each<[readonly number[], readonly number[]]>([
  [[], [0, 0, 0, 0, 0, 0]],
  [[7], [7, 7, 7, 7, 7, 7]],
  [
    [3, 1, 2, 10],
    [1, 4, 2, 10, 10, 10],
  ],
  [Array.from({ length: 200 }, (_, n) => n + 1), [1, 100.5, 100, 190, 198, 200]],
])('min, avg, p50, p95, p99 and max of %j', (values, expected) => {
  expect(Object.values(distribution(values))).toEqual(expected)
})

const reported = (id: number, durationMs: number, reason?: string): RememberedEvent => ({
  kind: 'reported',
  report: report({
    ...{ id, alignment: 'aligned', kind: 'checkpoint', triggeredAtMs: 0, durationMs, regions: 1, failedRegions: [] },
    ...(reason === undefined ? {} : { reason, cause: 'io' }),
    ...{ acknowledged: [], missing: [] },
  }),
})

const history = (count: number, events: readonly RememberedEvent[]) =>
  checkpointHistory(events.reduce(remembered, nothingRemembered(count)))

test('a history has counts of all, the latest of each kind, the newest reports, and figures over the completed ones among them', () => {
  const { counts, latest, reports, summary } = history(3, [
    { kind: 'restored', checkpoint: 7 },
    ...[1, 2, 3].map(n => reported(7 + n, 10 * n)),
    reported(11, 1_000, 'the disk is full'),
    reported(12, 40),
    { kind: 'triggered', checkpoint: 13 },
  ])
  expect(counts).toEqual({ triggered: 6, inProgress: 1, completed: 4, failed: 1, restored: 1 })
  expect([latest.completed?.id, latest.failed?.id, latest.restored]).toEqual([12, 11, 7])
  expect(reports.map(({ id }) => id)).toEqual([10, 11, 12])
  expect(summary.durationMs).toEqual({ min: 30, avg: 35, p50: 30, p95: 40, p99: 40, max: 40 })
})

test('a history of no reports still counts', () => {
  expect(history(0, [reported(1, 5), reported(2, 5)])).toMatchObject({ counts: { completed: 2 }, reports: [] })
})

test("a stage's figures are those of its tasks that took part", () => {
  const of = (task: string, ended: boolean, syncMs: number) => {
    const by = acknowledged(task, { checkpoint: 1, ended })
    return { ...by, times: { ...by.times, syncMs } }
  }
  const { tasks } = report({
    ...{
      id: 1,
      alignment: 'aligned',
      kind: 'checkpoint',
      triggeredAtMs: 0,
      durationMs: 5,
      regions: 1,
      failedRegions: [],
    },
    acknowledged: [of('0:a/0', false, 1), of('0:a/1', false, 3), of('0:a/2', true, 100), of('1:b/0', false, 5)],
    missing: [],
  })
  const stages = stageReports({ tasks })
  expect(
    stages.map(({ stage, tasks: count, figures }) => [stage, count, figures.syncMs.max, figures.syncMs.avg]),
  ).toEqual([
    ['0:a', 2, 3, 2],
    ['1:b', 1, 5, 5],
  ])
})
