/** The piece to copy: hourly delays by airport, with the flights that are reported too late for their hour beside. */
import * as t from 'io-ts'
import { hours, minutes, type Pipeline, type Sink, stream } from 'spillway'
import { ndjsonFile } from 'spillway/node'
import { aggregates, count, eventTime, into, keyBy, map, mean, tumblingWindow } from 'spillway/operators'

export const Flight = t.type({ origin: t.string, departureMs: t.number, delayMin: t.number })
export type Flight = t.TypeOf<typeof Flight>

export const HourlyDelay = t.type({ airport: t.string, hourMs: t.number, meanDelayMin: t.number, flights: t.number })
export type HourlyDelay = t.TypeOf<typeof HourlyDelay>

export const hourlyDelays = (
  files: readonly string[],
  sinks: { delays: Sink<HourlyDelay>; late: Sink<Flight> },
): readonly Pipeline[] => {
  const hourly = stream(ndjsonFile(files, Flight)).pipe(
    eventTime({ timeMs: flight => flight.departureMs, outOfOrderMs: minutes(120) }),
    keyBy(flight => flight.origin),
    tumblingWindow(
      { sizeMs: hours(1), late: 'side' },
      aggregates({ meanDelayMin: mean((flight: Flight) => flight.delayMin), flights: count() }),
    ),
  )
  const delays = hourly.pipe(
    map(({ key, startMs, value }) => ({ airport: key, hourMs: startMs, ...value })),
    into(sinks.delays),
  )
  const late = hourly.side('late').pipe(into(sinks.late))
  return [delays, late]
}
