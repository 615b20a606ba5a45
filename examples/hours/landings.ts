/**
 * The input: the real flights of one day, each given at the time at which it lands (US Bureau of Transportation Statistics, by way
 * of the npm package vega-datasets). Landings are derived: the departure, a minute for eight miles, and the delay.
 */
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import * as t from 'io-ts'
import { of, type SchedulerLike, timer } from 'rxjs'
import type { Source } from 'spillway'
import type { Landing } from './pipeline.ts'

const file = fileURLToPath(new URL('../../node_modules/vega-datasets/data/flights-20k.json', import.meta.url))
export const dayMs = Date.parse('2001-01-02T00:00:00Z')
const endMs = dayMs + 24 * 3_600_000

interface Flight {
  readonly date: string
  readonly delay: number
  readonly distance: number
  readonly origin: string
  readonly destination: string
}

/** In the order in which they land. */
export const landingsOfTheDay = async (): Promise<readonly Landing[]> => {
  const flights: readonly Flight[] = JSON.parse(await readFile(file, 'utf8'))
  return flights
    .map(landing)
    .filter(({ landedMs }) => landedMs >= dayMs && landedMs < endMs)
    .sort((a, b) => a.landedMs - b.landedMs)
}

const landing = ({ date, delay, distance, origin, destination }: Flight): Landing => {
  const departureMs = Date.parse(`${date.replaceAll('/', '-').replace(' ', 'T')}:00Z`)
  return { origin, destination, landedMs: departureMs + Math.round(distance / 8 + delay) * 60_000, delayMin: delay }
}

/** Two splits, each with every other landing, given when it is time; position: how many have been given. */
export const asTheyLand = (landings: readonly Landing[], scheduler: SchedulerLike): Source<Landing, number> => ({
  name: 'landings',
  position: t.number,
  splits: () => of(['even', 'odd']),
  open(split, from = 0) {
    const own = landings.filter((_, n) => n % 2 === (split === 'even' ? 0 : 1))
    let position = from
    const untilNextMs = () => Math.max(0, (own[position]?.landedMs ?? endMs) - scheduler.now())
    return {
      next() {
        if (untilNextMs() > 0) return 'wait'
        const next = own[position]
        if (next === undefined) return 'end'
        position += 1
        return [next]
      },
      get ready$() {
        return timer(untilNextMs(), scheduler)
      },
      position: () => position,
      close() {},
    }
  },
})
