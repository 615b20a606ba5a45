import { Cron } from 'croner'
import type { Alignment } from '../element.ts'
import { messageOf, SpillwayError } from '../error.ts'

/** Times at which checkpoints are triggered. */
export interface Timetable {
  readonly kind: 'timetable'
  /** The first one after a time, ms since 1970; undefined: there is none. */
  readonly next: (afterMs: number) => number | undefined
}

/** Somebody wants a checkpoint, of this alignment or the job's. */
export interface TriggerRequest {
  readonly alignment?: Alignment
}

/** What asks for checkpoints by itself: an Observable is one. */
export interface Requests {
  subscribe(observer: { readonly next: (request: TriggerRequest) => void; readonly error: (error: unknown) => void }): {
    unsubscribe(): void
  }
}

export interface TimeZoneOption {
  /** An IANA name, such as `Europe/Berlin`; default UTC. */
  readonly timeZone?: string
}

/**
 * At these times, ms since 1970, in any order; an empty one has none, and takes a schedule away where it replaces it.
 * @throws INVALID_OPTION
 */
export const timetable = (timesMs: readonly number[]): Timetable => {
  const wrong = timesMs.find(time => !Number.isFinite(time))
  if (wrong !== undefined) {
    const remedy = 'Give times in ms since 1970, such as Date.parse(...) gives them.'
    throw new SpillwayError('INVALID_OPTION', { place: 'timetable', problem: `it has the time ${wrong}.`, remedy })
  }
  const sorted = timesMs.toSorted((a, b) => a - b)
  return { kind: 'timetable', next: afterMs => sorted.find(time => time > afterMs) }
}

/** On the hour; also in the hour that a change of the clock repeats, and not in the one that it leaves out. @throws INVALID_OPTION */
export const hourly = ({ timeZone = 'UTC' }: TimeZoneOption = {}): Timetable =>
  cronTimes('hourly', { expression: '0 0 * * * *', timeZone })

/**
 * At the times of a cron expression of five fields, six with seconds or seven with years. A time of day that a change of the clock
 * leaves out comes at the first one behind it; one that is repeated comes once, the first time, unless the expression is of every hour.
 * @throws INVALID_OPTION
 */
export const cron = (expression: string, { timeZone = 'UTC' }: TimeZoneOption = {}): Timetable =>
  cronTimes('cron', { expression, timeZone })

const cronTimes = (
  place: string,
  { expression, timeZone }: { readonly expression: string; readonly timeZone: string },
): Timetable => {
  try {
    // Only asked for times; it holds no timer.
    const times = new Cron(expression, { timezone: timeZone, paused: true })
    const next = (afterMs: number) => times.nextRun(new Date(afterMs))?.getTime()
    if (next(0) === undefined) throw new Error(`'${expression}' has no time after 1970`)
    return { kind: 'timetable', next }
  } catch (cause) {
    throw new SpillwayError('INVALID_OPTION', {
      place,
      problem: `${messageOf(cause)}.`,
      remedy: "Give an expression such as '0 6 * * MON-FRI' and an IANA time zone such as 'Europe/Berlin'.",
      cause,
    })
  }
}
