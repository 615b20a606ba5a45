import { concat, map, of, Subject, throwError, timer, VirtualTimeScheduler } from 'rxjs'
import { expect, test } from 'vitest'
import { coordinate } from '../../lib/control/coordinate.ts'
import type { CoordinateEvent, Schedule } from '../../lib/coordination/events.ts'
import { cron, hourly, type Timetable, type TriggerRequest } from '../../lib/coordination/timetable.ts'

const hourMs = 3_600_000
/** A timetable of times by hand. */
const at = (...times: readonly number[]): Timetable => ({
  kind: 'timetable',
  next: afterMs => times.find(time => time > afterMs),
})

/** One task, which answers each trigger after so long; what is triggered when, and what else is said. */
const ran = (
  options: Partial<Schedule> | ((scheduler: VirtualTimeScheduler) => Partial<Schedule>),
  {
    answersInMs = 1,
    untilMs,
    events = [],
  }: { answersInMs?: number; untilMs: number; events?: readonly (readonly [atMs: number, CoordinateEvent])[] },
): readonly string[] => {
  const scheduler = new VirtualTimeScheduler(undefined, untilMs)
  const heard = new Subject<CoordinateEvent>()
  const said: string[] = []
  const given = typeof options === 'function' ? options(scheduler) : options
  const schedule: Partial<Schedule> = { timeoutMs: 2 ** 30, ...given }
  heard.pipe(coordinate({ ...(schedule as object), connected: [['a']], scheduler })).subscribe(order => {
    const now = scheduler.now()
    if (order.kind === 'trigger') {
      const { checkpoint, alignment } = order.barrier
      said.push(`${now}${alignment === 'aligned' ? '' : ` ${JSON.stringify(alignment)}`}`)
      scheduler.schedule(() => heard.next(acknowledged(checkpoint)), answersInMs)
    }
    if (order.kind === 'commit') {
      heard.next({ kind: 'committed', checkpoint: order.checkpoint, entry: order.checkpoint })
    }
    if (order.kind === 'failJob') said.push(`${now} fails: ${(order.error as { code?: string }).code}`)
  })
  for (const [atMs, event] of events) scheduler.schedule(() => heard.next(event), atMs)
  scheduler.flush()
  return said
}

const acknowledged = (checkpoint: number): CoordinateEvent => ({
  kind: 'acknowledged',
  checkpoint,
  snapshot: { task: 'a', ended: false, sections: [], pieces: [] },
  sizes: { stateBytes: 0, inFlightBytes: 0, inFlightRecords: 0 },
  times: {
    ...{ startDelayMs: 0, alignmentMs: 0, processedDuringAlignment: 0, syncMs: 0 },
    ...{ begunAtMs: 0, wholeAtMs: 0, asyncMs: 0 },
  },
})

const configured = (schedule: Partial<Schedule>): CoordinateEvent => ({
  kind: 'configured',
  schedule: {
    ...{ everyMs: undefined, timeoutMs: 2 ** 30, alignment: 'aligned', minPauseMs: 0, tolerableFailures: 9 },
    ...schedule,
  },
})
const backlog = (is: boolean): CoordinateEvent => ({ kind: 'backlog', task: 'a', is })

test.each<[string, readonly string[], Partial<Schedule>, Parameters<typeof ran>[1]]>([
  ['an interval counts from trigger to trigger', ['10', '20', '30'], { everyMs: 10 }, { untilMs: 35 }],
  [
    "the interval's is left out while one is under way, and in the pause after it",
    ['10', '34', '58'],
    { everyMs: 10, minPauseMs: 10 },
    { untilMs: 60, answersInMs: 14 },
  ],
  ['on the hour', [`${hourMs}`, `${2 * hourMs}`], { schedule: hourly() }, { untilMs: 2.5 * hourMs }],
  [
    'a time that comes while one is under way waits for it, and for no pause',
    ['10', '24'],
    { everyMs: 10, minPauseMs: 10, schedule: at(20) },
    { untilMs: 45, answersInMs: 14 },
  ],
  ['times that come meanwhile are one', ['1', '51'], { schedule: at(1, 2, 3, 4) }, { untilMs: 90, answersInMs: 50 }],
  [
    'times and an interval go side by side',
    ['10', '15', '20', '30'],
    { everyMs: 10, schedule: at(15) },
    { untilMs: 31 },
  ],
  [
    'a time further away than a timer can wait',
    [`${100 * 24 * hourMs}`],
    { schedule: at(100 * 24 * hourMs) },
    { untilMs: 101 * 24 * hourMs },
  ],
  [
    'another interval counts from the last trigger',
    ['10', '17', '24'],
    { everyMs: 10 },
    { untilMs: 25, events: [[12, configured({ everyMs: 7 })]] },
  ],
  [
    'another timetable holds from the next time on',
    ['10', '25'],
    { schedule: at(10, 20) },
    { untilMs: 50, events: [[12, configured({ schedule: at(25) })]] },
  ],
  [
    'an interval of Infinity triggers nothing, and can be taken back',
    ['10', '40'],
    { everyMs: 10 },
    {
      untilMs: 41,
      events: [
        [12, configured({ everyMs: Number.POSITIVE_INFINITY })],
        [15, configured({ everyMs: 30 })],
      ],
    },
  ],
  [
    'another interval while a source works off a backlog',
    ['30', '60', '70', '80'],
    { everyMs: 10, backlogEveryMs: 30 },
    {
      untilMs: 81,
      events: [
        [1, backlog(true)],
        [62, backlog(false)],
      ],
    },
  ],
  [
    'none while a source does, if it says so',
    ['45', '55'],
    { everyMs: 10, backlogEveryMs: Number.POSITIVE_INFINITY },
    {
      untilMs: 61,
      events: [
        [1, backlog(true)],
        [45, backlog(false)],
      ],
    },
  ],
])('%s', (_, expected, options, run) => {
  expect(ran(options, run)).toEqual(expected)
})

test("an Observable asks, with an alignment of its own or the job's", () => {
  const options = (scheduler: VirtualTimeScheduler) => ({
    alignment: 'unaligned' as const,
    schedule: concat(
      timer(5, scheduler).pipe(map((): TriggerRequest => ({}))),
      timer(3, scheduler).pipe(map((): TriggerRequest => ({ alignment: 'aligned' }))),
    ),
  })
  expect(ran(options, { untilMs: 20 })).toEqual(['5 "unaligned"', '8'])
})

test('one that fails fails the job, and says so', () => {
  const schedule = concat(
    of({}),
    throwError(() => new Error('the line is busy')),
  )
  expect(ran({ schedule }, { untilMs: 10 })).toEqual(['0', '0 fails: SCHEDULE_FAILED'])
})

test('a cron expression in a zone is asked for the time after the last one', () => {
  const schedule = cron('0 2 * * *', { timeZone: 'Europe/Berlin' })
  expect(ran({ schedule }, { untilMs: 26 * hourMs })).toEqual([`${hourMs}`, `${25 * hourMs}`])
})
