import * as t from 'io-ts'
import { EMPTY, NEVER, type Observable, of, Subject, tap, timer, VirtualTimeScheduler } from 'rxjs'
import {
  cron,
  hourly,
  hours,
  type Job,
  minutes,
  type RunOptions,
  type Sink,
  type Source,
  SpillwayError,
  stream,
  type TriggerRequest,
  timetable,
} from 'spillway'
import { into, union } from 'spillway/operators'
import type { Environment } from 'spillway/testing'
import { expect, test } from 'vitest'
import { runIn } from '../run.ts'

type Checkpoints = NonNullable<RunOptions['checkpoints']>

/** Gives a number at once and another one every so many ms, and then ends if it is to. */
const numbers = (
  scheduler: VirtualTimeScheduler,
  { everyMs, count = Number.POSITIVE_INFINITY, name }: { everyMs: number; count?: number; name: string },
): Source<number, number> => ({
  name,
  position: t.number,
  splits: () => of(['one']),
  open(_, from = 0) {
    let position = from
    let due = true
    return {
      next() {
        if (position >= count) return 'end'
        if (!due) return 'wait'
        due = false
        return [position++]
      },
      ready$: timer(everyMs, scheduler).pipe(
        tap(() => {
          due = true
        }),
      ),
      position: () => position,
      close() {},
    }
  },
})

const nowhere = (hangs: boolean): Sink<number, number> => ({
  name: 'nowhere',
  transaction: t.number,
  open: () => ({
    mayWrite: () => true,
    ready$: NEVER,
    write() {},
    cut: () => (hangs ? { tx: 0, durable: NEVER } : undefined),
    publish: () => EMPTY,
    recover: () => EMPTY,
    close() {},
  }),
})

interface Ran {
  readonly checkpoints: Checkpoints
  readonly untilMs: number
  /** Of the numbers that had come before. */
  readonly before?: { readonly everyMs: number; readonly count: number }
  /** No transaction becomes durable. */
  readonly hangs?: boolean
  readonly at?: readonly (readonly [atMs: number, (job: Job) => void])[]
}

/** When checkpoints were triggered, how, and what failed the job. */
const ran = async ({ checkpoints, untilMs, before, hangs = false, at = [] }: Ran) => {
  const scheduler = new VirtualTimeScheduler(undefined, untilMs)
  const environment: Environment = {
    scheduler,
    clock: () => scheduler.now(),
    nextSlice: slice => void scheduler.schedule(slice, 0.01),
    choose: () => 0,
    sliceTurnsMax: 8,
  }
  const live = stream(numbers(scheduler, { name: 'live', everyMs: Math.max(1, untilMs / 1_000) }))
  const old = before && stream(numbers(scheduler, { name: 'old', ...before }), { backlog: true })
  const all = old === undefined ? live : union(old, live)
  const job = runIn(environment, all.pipe(into(nowhere(hangs))), { checkpoints })
  const triggered: string[] = []
  job.checkpoints$.subscribe(({ triggeredAtMs, alignment, outcome }) => {
    const how = [alignment === 'aligned' ? [] : JSON.stringify(alignment), outcome === 'completed' ? [] : outcome]
    triggered.push([Math.round(triggeredAtMs), ...how.flat()].join(' '))
  })
  for (const [atMs, act] of at) scheduler.schedule(() => act(job), atMs)
  let failed: unknown
  job.done.catch(error => {
    failed = error
  })
  scheduler.flush()
  await job.cancel()
  return { triggered, failed: failed instanceof SpillwayError ? failed.code : failed }
}

test.each<[string, Ran, readonly string[]]>([
  [
    'on the hour',
    { checkpoints: { schedule: hourly() }, untilMs: hours(3.5) },
    [hours(1), hours(2), hours(3)].map(String),
  ],
  [
    'by a cron expression, and an interval beside it',
    { checkpoints: { schedule: cron('20 * * * *'), everyMs: minutes(30) }, untilMs: minutes(95) },
    [20, 30, 60, 80, 90].map(of => `${minutes(of)}`),
  ],
  [
    'at once, where something asks as the job begins, with an alignment of its own',
    { checkpoints: { schedule: of<TriggerRequest>({ alignment: 'unaligned' }) }, untilMs: 50 },
    ['0 "unaligned"'],
  ],
  [
    'at another interval while a source works off what had come before, and as usual once it has ended',
    { checkpoints: { everyMs: 10, backlogEveryMs: 40 }, before: { everyMs: 10, count: 10 }, untilMs: 115 },
    ['40', '80', '90', '100', '110'],
  ],
  [
    'not at all while it does, if so it is said',
    {
      checkpoints: { everyMs: 10, backlogEveryMs: Number.POSITIVE_INFINITY, schedule: timetable([55]) },
      before: { everyMs: 10, count: 10 },
      untilMs: 115,
    },
    ['55', '90', '100', '110'],
  ],
  [
    'at another interval from the next decision on',
    {
      checkpoints: { everyMs: 10 },
      untilMs: 75,
      at: [
        [15, job => job.configure({ checkpoints: { everyMs: 20 } })],
        [55, job => job.configure({ checkpoints: { everyMs: 7 } })],
      ],
    },
    ['10', '30', '50', '57', '64', '71'],
  ],
  [
    'at other times from the next decision on, and at none once they are taken away',
    {
      checkpoints: { schedule: timetable([10, 20, 30, 40]) },
      untilMs: 60,
      at: [
        [15, job => job.configure({ checkpoints: { schedule: timetable([25, 35, 45]) } })],
        [40, job => job.configure({ checkpoints: { schedule: timetable([]) } })],
      ],
    },
    ['10', '25', '35'],
  ],
  [
    'at another interval in the backlog that is being worked off',
    {
      checkpoints: { everyMs: 10, backlogEveryMs: Number.POSITIVE_INFINITY },
      before: { everyMs: 10, count: 100 },
      untilMs: 100,
      at: [[35, job => job.configure({ checkpoints: { backlogEveryMs: 30 } })]],
    },
    ['35', '65', '95'],
  ],
  [
    'after another pause from the next decision on',
    {
      checkpoints: { everyMs: 10 },
      untilMs: 75,
      at: [[25, job => job.configure({ checkpoints: { minPauseMs: 15 } })]],
    },
    ['10', '20', '35', '50', '65'],
  ],
])('checkpoints are triggered %s', async (_, of, triggered) => {
  expect(await ran(of)).toEqual({ triggered, failed: 'CANCELLED' })
})

test.each<[string, Checkpoints, string]>([
  ['an alignment that is none', { schedule: of({ alignment: 'sideways' } as object) }, 'INVALID_OPTION'],
  [
    'an alignment that overtakes, at least once',
    { schedule: of({ alignment: 'unaligned' }), guarantee: 'at-least-once' },
    'INVALID_OPTION',
  ],
  ['nothing', { schedule: of(null) as unknown as Observable<TriggerRequest> }, 'SCHEDULE_FAILED'],
])('an Observable that asks for %s fails the job', async (_, checkpoints, code) => {
  expect(await ran({ checkpoints, untilMs: 50 })).toEqual({ triggered: [], failed: code })
})

const tolerating =
  (tolerableFailures: number) =>
  (job: Job): void =>
    void job.configure({ checkpoints: { tolerableFailures } })

test.each<[string, Ran['at'], readonly string[], string]>([
  ['any number of them', [], ['10', '20', '30', '40', '50'], 'CANCELLED'],
  ['two, told after the second', [[27, tolerating(2)]], ['10', '20', '30'], 'CHECKPOINT_FAILED'],
  [
    'two, taken back before the third',
    [
      [27, tolerating(2)],
      [33, tolerating(Number.POSITIVE_INFINITY)],
    ],
    ['10', '20', '30', '40', '50'],
    'CANCELLED',
  ],
])('as many checkpoints may fail as is said when one does: %s', async (_, at, times, failed) => {
  const checkpoints = { everyMs: 10, timeoutMs: 5 }
  const triggered = times.map(of => `${of} failed`)
  expect(await ran({ checkpoints, untilMs: 59, hangs: true, ...(at && { at }) })).toEqual({ triggered, failed })
})

test('nobody is subscribed to what asks once the job is over, or has been given another schedule', async () => {
  const [first, second] = [new Subject<TriggerRequest>(), new Subject<TriggerRequest>()]
  const seen: (readonly boolean[])[] = []
  const look = () => void seen.push([first.observed, second.observed])
  await ran({
    checkpoints: { schedule: first },
    untilMs: 50,
    at: [
      [10, look],
      [20, job => void job.configure({ checkpoints: { schedule: second } })],
      [30, look],
    ],
  })
  look()
  expect(seen).toEqual([
    [true, false],
    [false, true],
    [false, false],
  ])
})
