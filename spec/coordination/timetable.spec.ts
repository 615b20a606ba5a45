import { describe, expect, test } from 'vitest'
import { cron, hourly, type Timetable, timetable } from '../../lib/coordination/timetable.ts'

/** So many times after one, in UTC. */
const times = (of: Timetable, after: string, count: number): readonly string[] => {
  const found: string[] = []
  for (let at = Date.parse(after); found.length < count; ) {
    const next = of.next(at)
    if (next === undefined) break
    found.push(new Date(next).toISOString().slice(0, 19))
    at = next
  }
  return found
}

test.each<[string, Timetable, string, readonly string[]]>([
  ['on the hour', hourly(), '2026-05-01T09:59:59.999Z', ['2026-05-01T10:00:00', '2026-05-01T11:00:00']],
  ['after a full hour the next one', hourly(), '2026-05-01T10:00:00Z', ['2026-05-01T11:00:00']],
  [
    'hours of a zone that is half an hour off',
    hourly({ timeZone: 'Asia/Kolkata' }),
    '2026-05-01T10:00:00Z',
    ['2026-05-01T10:30:00', '2026-05-01T11:30:00'],
  ],
  [
    'every hour where the clock is put back, the repeated one twice',
    hourly({ timeZone: 'Europe/Berlin' }),
    '2026-10-24T23:30:00Z',
    ['2026-10-25T00:00:00', '2026-10-25T01:00:00', '2026-10-25T02:00:00'],
  ],
  [
    'every hour where the clock is put forward, the missing one not',
    hourly({ timeZone: 'America/New_York' }),
    '2026-03-08T06:30:00Z',
    ['2026-03-08T07:00:00', '2026-03-08T08:00:00'],
  ],
  [
    'a time of day where the clock is put forward over it: at the first one behind it',
    cron('30 2 * * *', { timeZone: 'Europe/Berlin' }),
    '2026-03-28T00:00:00Z',
    ['2026-03-28T01:30:00', '2026-03-29T01:00:00', '2026-03-30T00:30:00'],
  ],
  [
    'the same in another zone',
    cron('15 2 * * *', { timeZone: 'America/New_York' }),
    '2026-03-07T00:00:00Z',
    ['2026-03-07T07:15:00', '2026-03-08T07:00:00', '2026-03-09T06:15:00'],
  ],
  [
    'a time of day that is repeated: once, the first time',
    cron('30 1 * * *', { timeZone: 'America/New_York' }),
    '2026-10-31T12:00:00Z',
    ['2026-11-01T05:30:00', '2026-11-02T06:30:00'],
  ],
  [
    'of every hour: in the repeated one twice',
    cron('30 * * * *', { timeZone: 'America/New_York' }),
    '2026-11-01T04:40:00Z',
    ['2026-11-01T05:30:00', '2026-11-01T06:30:00', '2026-11-01T07:30:00'],
  ],
  [
    'a time of day that is repeated, in another zone',
    cron('30 2 * * *', { timeZone: 'Europe/Berlin' }),
    '2026-10-24T12:00:00Z',
    ['2026-10-25T00:30:00', '2026-10-26T01:30:00'],
  ],
  ['seconds', cron('*/20 * * * * *'), '2026-05-01T10:00:05Z', ['2026-05-01T10:00:20', '2026-05-01T10:00:40']],
  [
    'times as they are given, in order',
    timetable([Date.parse('2026-05-02'), Date.parse('2026-05-01'), Date.parse('2026-05-03')]),
    '2026-05-01T00:00:00Z',
    ['2026-05-02T00:00:00', '2026-05-03T00:00:00'],
  ],
  ['a last time', cron('0 0 0 1 1 * 2027'), '2026-05-01T10:00:00Z', ['2027-01-01T00:00:00']],
])('%s', (_, of, after, expected) => {
  expect(times(of, after, expected.length)).toEqual(expected)
})

const changes: Readonly<Record<string, readonly string[]>> = {
  'Europe/Berlin': ['2026-03-29', '2026-10-25'],
  'America/New_York': ['2026-03-08', '2026-11-01'],
  'Australia/Lord_Howe': ['2026-04-05', '2026-10-04'],
}
test.each(['0 * * * *', '*/30 * * * *', '30 2 * * *'])(
  'every time is behind the one that it was asked for, through changes of the clock: %s',
  expression => {
    for (const [timeZone, days] of Object.entries(changes)) {
      const of = cron(expression, { timeZone })
      for (const day of days) {
        let at = Date.parse(day) - 24 * 3_600_000
        for (const end = at + 3 * 24 * 3_600_000; at < end; ) {
          const next = of.next(at) as number
          expect(next - at, `${expression} ${timeZone} after ${new Date(at).toISOString()}`).toBeGreaterThan(0)
          expect(next - at).toBeLessThanOrEqual((expression === '30 2 * * *' ? 25 : 2) * 3_600_000)
          at = next
        }
      }
    }
  },
)

test('behind the last time there is none', () => {
  expect(cron('0 0 0 1 1 * 2027').next(Date.parse('2027-01-01T00:00:00Z'))).toBeUndefined()
})

describe('what is no timetable is refused at once', () => {
  test.each<[string, () => Timetable, string]>([
    ['an expression of three fields', () => cron('* * *'), 'cron: '],
    ['a day that no month has', () => cron('0 0 31 2 *'), "'0 0 31 2 *' has no time after 1970"],
    ['a minute that no hour has', () => cron('61 * * * *'), 'cron: '],
    ['a time that is none', () => timetable([1, Number.NaN]), 'timetable: it has the time NaN'],
    ['a zone that is none', () => hourly({ timeZone: 'Mars/Olympus' }), 'Mars/Olympus'],
  ])('%s', (_, made, says) => {
    expect(made).toThrow(expect.objectContaining({ code: 'INVALID_OPTION', message: expect.stringContaining(says) }))
  })
})
