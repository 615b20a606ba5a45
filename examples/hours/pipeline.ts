/** The piece to copy: flights as they land, in a directory an hour, each with `_SUCCESS` once it is whole. */
import * as t from 'io-ts'
import { hourly, minutes, type Pipeline, type RunOptions, type Source, stream } from 'spillway'
import { ndjsonFiles } from 'spillway/node'
import { eventTime, into } from 'spillway/operators'

export const Landing = t.type({ origin: t.string, destination: t.string, landedMs: t.number, delayMin: t.number })
export type Landing = t.TypeOf<typeof Landing>

export const landingsByTheHour = (landings: Source<Landing>, directory: string): Pipeline =>
  stream(landings, { parallelism: 2 }).pipe(
    eventTime({ timeMs: landing => landing.landedMs, outOfOrderMs: 0 }),
    into(ndjsonFiles(directory, Landing, { hourOf: landing => landing.landedMs })),
  )

/** On the hour all that has landed in it becomes visible; the next checkpoint after later landings says that the hour is whole. */
export const checkpoints: NonNullable<RunOptions['checkpoints']> = { schedule: hourly(), everyMs: minutes(10) }
