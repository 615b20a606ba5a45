import type { TaskId } from '../snapshot/snapshot.ts'
import type { TaskReport } from './report.ts'

/** A stretch of a checkpoint's time, in ms. */
export type Leg =
  /** From the trigger until a task began that no barrier had told to: it reads a source, or had another task's barrier sooner. */
  | { readonly kind: 'begin'; readonly task: TaskId; readonly ms: number }
  /** From one task's beginning until the other had its barrier; so many buffers stood before that. */
  | {
      readonly kind: 'barrier'
      readonly from: TaskId
      readonly to: TaskId
      readonly buffers: number | undefined
      readonly ms: number
    }
  /** The synchronous phase; the rest until the snapshot was whole; until it was stored. */
  | { readonly kind: 'sync' | 'inFlight' | 'async'; readonly task: TaskId; readonly ms: number }
  /** From the last acknowledgement until the log said so. */
  | { readonly kind: 'commit'; readonly ms: number }

/**
 * Where a checkpoint's time went: the way of its barrier, from the trigger on, to the task that was the last to acknowledge, that
 * task's snapshot, and the commit. What the legs' sum lacks of the duration is not explained by the figures.
 */
export const criticalPath = ({
  durationMs,
  tasks,
}: {
  readonly durationMs: number
  readonly tasks: readonly TaskReport[]
}): readonly Leg[] => {
  const last = latest(tasks)
  if (last === undefined) return [{ kind: 'commit', ms: durationMs }]
  const { task, syncMs, asyncMs } = last
  const cameMs = Math.max(last.begunMs, last.lastBarrierMs)
  return [
    ...wayTo(last, tasks),
    { kind: 'sync', task, ms: syncMs },
    { kind: 'inFlight', task, ms: Math.max(0, last.wholeMs - cameMs - syncMs) },
    { kind: 'async', task, ms: asyncMs },
    { kind: 'commit', ms: Math.max(0, durationMs - last.wholeMs - asyncMs) },
  ]
}

/** Those that had ended have not taken part. */
const latest = (tasks: readonly TaskReport[]): TaskReport | undefined => {
  let found: TaskReport | undefined
  for (const task of tasks) {
    if (!task.ended && task.wholeMs + task.asyncMs > (found === undefined ? -1 : found.wholeMs + found.asyncMs))
      found = task
  }
  return found
}

const wayTo = (last: TaskReport, tasks: readonly TaskReport[]): readonly Leg[] => {
  const reportOf = new Map(tasks.map(of => [of.task, of]))
  const legs: Leg[] = []
  let at: TaskReport | undefined = last
  /** When the barrier was there. */
  let cameMs = Math.max(last.begunMs, last.lastBarrierMs)
  while (at !== undefined) {
    const { task, lastBarrier }: TaskReport = at
    const from: TaskReport | undefined = lastBarrier && reportOf.get(lastBarrier.from)
    // It had begun before the barrier that is known to be its last: of an unaligned one only the first counts.
    const isKnown = from !== undefined && !from.ended && cameMs >= at.lastBarrierMs && from.begunMs <= cameMs
    if (!isKnown) {
      legs.push({ kind: 'begin', task, ms: cameMs })
      break
    }
    legs.push({ kind: 'barrier', from: from.task, to: task, buffers: lastBarrier?.buffers, ms: cameMs - from.begunMs })
    cameMs = from.begunMs
    at = from
  }
  return legs.reverse()
}

/**
 * The legs in a sentence: the longest and its share, then the others in their order, then what is not explained if that is more
 * than a twentieth.
 */
export const explained = (legs: readonly Leg[], durationMs: number): string => {
  const longest = legs.reduce((most, leg) => (leg.ms > most.ms ? leg : most))
  const others = legs.filter(leg => leg !== longest && leg.ms >= leastShare * durationMs && leg.ms > 0)
  const known = legs.reduce((sum, { ms }) => sum + ms, 0)
  const unknown = durationMs > 0 ? 1 - known / durationMs : 0
  const share = durationMs > 0 ? Math.round((100 * longest.ms) / durationMs) : 100
  return [
    `${share} % of it was ${sentenceOf(longest)}`,
    ...(others.length === 0 ? [] : [others.map(wordsOf).join(', ')]),
    ...(unknown > unexplainedMax ? [`${Math.round(100 * unknown)} % of it is not explained by these figures`] : []),
  ].join('; ')
}

const sentenceOf = (leg: Leg): string => {
  switch (leg.kind) {
    case 'begin':
      return `the time until ${short(leg.task)} began`
    case 'barrier':
      return leg.buffers === undefined || leg.buffers === 0
        ? `the barrier on its way from ${short(leg.from)} to ${short(leg.to)}`
        : `the barrier waiting behind ${counted(leg.buffers)} between ${short(leg.from)} and ${short(leg.to)}`
    case 'sync':
      return `taking the snapshot of ${short(leg.task)}`
    case 'inFlight':
      return `waiting for what was in flight to ${short(leg.task)}`
    case 'async':
      return `writing the snapshot of ${short(leg.task)}`
    case 'commit':
      return 'making it durable'
  }
}

const wordsOf = (leg: Leg): string => {
  switch (leg.kind) {
    case 'begin':
      return `until ${short(leg.task)} began ${inTime(leg.ms)}`
    case 'barrier':
      return `barrier from ${short(leg.from)} to ${short(leg.to)} ${inTime(leg.ms)}`
    case 'inFlight':
      return `in flight ${inTime(leg.ms)}`
    default:
      return `${leg.kind} ${inTime(leg.ms)}`
  }
}

/** Without the stage's number: `2:cart/1` is `cart/1`. */
const short = (task: TaskId): string => task.slice(task.indexOf(':') + 1)
const counted = (buffers: number): string => `${buffers} buffer${buffers === 1 ? '' : 's'}`

/** In words, such as `4.2 s`. */
export const inTime = (ms: number): string => {
  if (ms >= 1_000) return `${(ms / 1_000).toFixed(1)} s`
  return `${ms < 10 ? ms.toFixed(1) : ms.toFixed(0)} ms`
}

/** What takes less of the whole is left out. */
const leastShare = 0.01
const unexplainedMax = 0.05
