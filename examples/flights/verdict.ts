import type { Start } from './child.ts'
import type { Difference } from './compare.ts'
import { figure, seconds } from './console.ts'

export interface Outcome {
  readonly flights: number
  readonly tookMs: number
  readonly starts: readonly Start[]
  readonly results: { readonly delays: number; readonly late: number }
  readonly differences: readonly Difference[]
}

/** The figures to print. */
export const tableOf = ({ flights, tookMs, starts, results, differences }: Outcome): string => {
  const resumed = starts.slice(1)
  const timed = starts.flatMap(start => start.timed)
  const total = (what: 'lost' | 'duplicated' | 'wrong') => figure(sum(differences.map(found => found[what])))
  const rows = {
    records: `${figure(flights)} in ${seconds(tookMs)}`,
    'records/s': `${figure((flights / tookMs) * 1000)}, with the slow sink, the kills and the starts`,
    results: `${figure(results.delays)} hourly delays, ${figure(results.late)} late flights`,
    kills: figure(resumed.length),
    'restored records in flight': resumed.map(start => figure(start.restored?.recordsInFlight ?? 0)).join(' / '),
    'checkpoints completed': figure(sum(starts.map(start => start.completed.length))),
    'an aligned checkpoint': `${medianMs(timed, 'aligned')} under this backpressure`,
    'an unaligned checkpoint': `${medianMs(timed, 'unaligned')} under this backpressure`,
    lost: total('lost'),
    duplicated: total('duplicated'),
    wrong: total('wrong'),
  }
  return Object.entries(rows)
    .map(([what, text]) => `${what.padEnd(28)}${text}`)
    .join('\n')
}

/** What is not as it should be. */
export const complaintsOf = ({ starts, differences }: Outcome): readonly string[] => {
  const complaints = differences.flatMap(found => found.example ?? [])
  if (!starts.some(({ restored }) => restored && restored.recordsInFlight > 0)) {
    complaints.push('no start has restored any records in flight')
  }
  for (const [n, { restored }] of starts.entries()) {
    const last = starts[n - 1]?.completed.at(-1) ?? 0
    if ((restored?.checkpoint ?? 0) < last) {
      complaints.push(
        `checkpoint ${last} was complete, but start ${n + 1} restored ${restored?.checkpoint ?? 'nothing'}`,
      )
    }
  }
  return complaints
}

const sum = (all: readonly number[]) => all.reduce((before, one) => before + one, 0)

const medianMs = (timed: Start['timed'], alignment: 'aligned' | 'unaligned') => {
  const durationsMs = timed.filter(one => one.alignment === alignment).map(one => one.durationMs)
  const median = durationsMs.sort((a, b) => a - b)[Math.floor(durationsMs.length / 2)]
  return median === undefined ? 'not timed' : `${median.toFixed(0)} ms`
}
