/** What must come out, by a plain loop over the files that uses nothing of Spillway. */
import { linesOf } from './lines.ts'

/** Sorted lines. */
export interface Output {
  readonly delays: readonly string[]
  readonly late: readonly string[]
}

/**
 * A flight is late if its hour was over, 120 minutes of patience included, when its file told of it; otherwise it
 * counts in its hour, at its airport. The order does not matter then: delays are whole minutes, so sums are exact.
 */
export const oracle = async (files: readonly string[]): Promise<Output> => {
  const hoursByAirport = new Map<string, Map<number, { sum: number; count: number }>>()
  const late: string[] = []
  for (const file of files) {
    let latestMs = Number.NEGATIVE_INFINITY
    for await (const lines of linesOf(file)) {
      for (const line of lines) {
        const { origin, departureMs, delayMin } = JSON.parse(line)
        latestMs = Math.max(latestMs, departureMs)
        const startMs = departureMs - (departureMs % hourMs)
        if (startMs + hourMs <= latestMs - 2 * hourMs) {
          late.push(line)
          continue
        }
        const hours = hoursByAirport.get(origin) ?? new Map<number, { sum: number; count: number }>()
        if (hours.size === 0) hoursByAirport.set(origin, hours)
        const hour = hours.get(startMs)
        if (hour === undefined) hours.set(startMs, { sum: delayMin, count: 1 })
        else {
          hour.sum += delayMin
          hour.count += 1
        }
      }
    }
  }
  const delays: string[] = []
  for (const [airport, hours] of hoursByAirport) {
    for (const [startMs, { sum, count }] of hours) {
      delays.push(JSON.stringify({ airport, hourMs: startMs, meanDelayMin: sum / count, flights: count }))
    }
  }
  return { delays: delays.sort(), late: late.sort() }
}

const hourMs = 3_600_000
