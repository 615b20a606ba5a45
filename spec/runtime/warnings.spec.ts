import { NEVER } from 'rxjs'
import { hourly, memoryStore, type RunOptions, stream, timetable } from 'spillway'
import { collect, fromArray, into } from 'spillway/operators'
import { expect, test } from 'vitest'
import { run } from '../run.ts'

/** A sink whose outside gives transactions up after 15 minutes. */
const pipeline = () =>
  stream(fromArray([1])).pipe(into({ ...collect<number>(), name: 'remote', transactionTimeoutMs: 15 * 60_000 }))

test.each<[string, RunOptions['checkpoints'], boolean]>([
  ['ten minutes of a checkpoint, and a minute for a restart', {}, false],
  ['and four between two', { everyMs: 4 * 60_000 }, false],
  ['and more than four', { everyMs: 4 * 60_000 + 1 }, true],
  ['and a pause of more than four', { minPauseMs: 5 * 60_000 }, true],
  ['a checkpoint of a quarter of an hour', { timeoutMs: 15 * 60_000 }, true],
  ['an hour between two', { schedule: hourly() }, true],
  ['a second between two, and an hour that makes no difference', { everyMs: 1_000, schedule: hourly() }, false],
  ['an hour that something asks for, which is not known', { schedule: NEVER }, false],
  ['minutes in a backlog', { everyMs: 1_000, backlogEveryMs: 5 * 60_000 }, true],
  ['any time in a backlog', { everyMs: 1_000, backlogEveryMs: Number.POSITIVE_INFINITY }, true],
  ['times that end', { schedule: timetable([Date.now() + 1_000_000]) }, true],
  ['no interval', { everyMs: Number.POSITIVE_INFINITY }, false],
])('a transaction that has to last for %s', async (_, checkpoints, warns) => {
  const job = run(pipeline(), { store: memoryStore(), checkpoints: checkpoints ?? {} })
  expect(job.warnings.map(({ code }) => code)).toEqual(warns ? ['TRANSACTION_TIMEOUT'] : [])
  for (const { message } of job.warnings)
    expect(message).toMatch(/remote: .* given up after 900000 ms, .* a restart \(60000\)/)
  await job.done
})
