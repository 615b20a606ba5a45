import type { Timetable } from '../coordination/timetable.ts'
import type { Plan } from '../graph/plan.ts'
import type { Settings } from './options.ts'

/**
 * What is said of sinks whose outside gives up a transaction sooner than it may be published: it must last from its cut to the end
 * of the checkpoint that is the first to contain it, which may be the next one, and through a restart.
 * Source: what Flink's Kafka sink asks of transaction.timeout.ms.
 */
export const transactionTimeouts = ({ checkpoints }: Settings, { stages }: Plan, nowMs: number): readonly string[] => {
  const declared = stages
    .flatMap(({ pipelines }) => pipelines)
    .flatMap(({ name, sink: { transactionTimeoutMs: lastsMs } }) => (lastsMs === undefined ? [] : [{ name, lastsMs }]))
  if (declared.length === 0) return []
  const { timeoutMs } = checkpoints
  const intervalMs = longestIntervalMs(checkpoints, nowMs)
  const neededMs = timeoutMs + intervalMs + restartMs
  return declared
    .filter(({ lastsMs }) => lastsMs < neededMs)
    .map(
      ({ name, lastsMs }) =>
        `${name}: its transactions are given up after ${lastsMs} ms, but may have to last for ${neededMs} ms: ` +
        `checkpoints.timeoutMs (${timeoutMs}), the time between two checkpoints (${intervalMs}) and a restart (${restartMs}). ` +
        'Let them last longer, or take checkpoints more often, with a shorter timeout.',
    )
}

/** Between two triggers, as far as it is known: of those that are asked for it is not. */
const longestIntervalMs = (
  { everyMs, backlogEveryMs = everyMs, schedule, minPauseMs }: Settings['checkpoints'],
  nowMs: number,
): number => {
  const times = schedule !== undefined && 'kind' in schedule ? [longestGapMs(schedule, nowMs)] : []
  const either = (intervalMs: number | undefined) => Math.min(intervalMs ?? Number.POSITIVE_INFINITY, ...times)
  const isAsked = times.length === 0 && (everyMs === undefined || everyMs === Number.POSITIVE_INFINITY)
  if (isAsked) return minPauseMs
  return Math.max(either(everyMs), either(backlogEveryMs), minPauseMs)
}

/** As far as its next times show. */
const longestGapMs = (timetable: Timetable, nowMs: number): number => {
  let longestMs = 0
  let at = nowMs
  for (let looked = 0; looked < 100; looked++) {
    const next = timetable.next(at)
    if (next === undefined) return Number.POSITIVE_INFINITY
    longestMs = Math.max(longestMs, next - at)
    at = next
  }
  return longestMs
}

/** From a failure until what the last checkpoint contains is published; a guess. */
const restartMs = 60_000
