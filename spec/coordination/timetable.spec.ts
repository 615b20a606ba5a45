import { describe, expect, test } from 'vitest'
import { cron, hourly, type Timetable } from '../../lib/coordination/timetable.ts'

/** So many times after one, in UTC. */
const times = (timetable: Timetable, after: string, count: number): readonly string[] => {
  const found: string[] = []
  for (let at = Date.parse(after); found.length < count; ) {
    const next = timetable.next(at)
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
    'a local time through a change of the clock: as much later where it is missing',
    cron('30 2 * * *', { timeZone: 'Europe/Berlin' }),
    '2026-03-28T00:00:00Z',
    ['2026-03-28T01:30:00', '2026-03-29T01:00:00', '2026-03-30T00:30:00'],
  ],
  [
    'and once, the first time, where it is repeated',
    cron('30 2 * * *', { timeZone: 'Europe/Berlin' }),
    '2026-10-24T12:00:00Z',
    ['2026-10-25T00:30:00', '2026-10-26T01:30:00'],
  ],
  ['seconds', cron('*/20 * * * * *'), '2026-05-01T10:00:05Z', ['2026-05-01T10:00:20', '2026-05-01T10:00:40']],
  ['a last time', cron('0 0 0 1 1 * 2027'), '2026-05-01T10:00:00Z', ['2027-01-01T00:00:00']],
])('%s', (_, timetable, after, expected) => {
  expect(times(timetable, after, expected.length)).toEqual(expected)
})

test('behind the last time there is none', () => {
  expect(cron('0 0 0 1 1 * 2027').next(Date.parse('2027-01-01T00:00:00Z'))).toBeUndefined()
})

describe('what is no timetable is refused at once', () => {
  test.each<[string, () => Timetable, string]>([
    ['an expression of three fields', () => cron('* * *'), 'cron: '],
    ['a day that no month has', () => cron('0 0 31 2 *'), "'0 0 31 2 *' has no time after 1970"],
    ['a minute that no hour has', () => cron('61 * * * *'), 'cron: '],
    ['a zone that is none', () => hourly({ timeZone: 'Mars/Olympus' }), 'Mars/Olympus'],
  ])('%s', (_, made, says) => {
    expect(made).toThrow(expect.objectContaining({ code: 'INVALID_OPTION', message: expect.stringContaining(says) }))
  })
})
