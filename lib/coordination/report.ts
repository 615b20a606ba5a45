import type { Alignment, CheckpointId } from '../element.ts'
import type { TaskId } from '../snapshot/snapshot.ts'
import type { Acknowledged } from './events.ts'
import type { FailureCause } from './tolerance.ts'

/** `final`: all tasks had ended; the last checkpoint of a job on bounded input. */
export type CheckpointKind = 'checkpoint' | 'final'

/** What became of one checkpoint, and where its time and bytes went. All times in ms. */
export interface CheckpointReport {
  readonly id: CheckpointId
  readonly outcome: 'completed' | 'failed'
  /** Why it failed. */
  readonly reason?: string
  readonly cause?: FailureCause
  readonly alignment: Alignment
  readonly kind: CheckpointKind
  readonly triggeredAtMs: number
  /** From the trigger until it was durable, or given up. */
  readonly durationMs: number
  readonly stateBytes: number
  readonly inFlightBytes: number
  readonly inFlightRecords: number
  /** Of the job; and the numbers of those whose parts failed, and are carried over if the checkpoint is complete. */
  readonly regions: number
  readonly failedRegions: readonly number[]
  readonly tasks: readonly TaskReport[]
  /** Where the time went, in one sentence. */
  readonly summary: string
}

export interface TaskReport {
  readonly task: TaskId
  /** It had ended before: its last snapshot stands for it. */
  readonly ended: boolean
  /** Whether it was so in fact: records in flight are part of its snapshot. */
  readonly unaligned: boolean
  readonly startDelayMs: number
  readonly alignmentMs: number
  /** Buffers taken from the first barrier to the last. */
  readonly processedDuringAlignment: number
  readonly syncMs: number
  readonly asyncMs: number
  readonly stateBytes: number
  readonly inFlightBytes: number
  readonly inFlightRecords: number
}

export interface Reported {
  readonly id: CheckpointId
  readonly alignment: Alignment
  readonly kind: CheckpointKind
  readonly triggeredAtMs: number
  readonly durationMs: number
  readonly reason?: string
  readonly cause?: FailureCause
  readonly regions: number
  readonly failedRegions: readonly number[]
  readonly acknowledged: readonly Acknowledged[]
}

export const report = (of: Reported): CheckpointReport => {
  const tasks = of.acknowledged.map(taskReport)
  const sum = (bytes: (task: TaskReport) => number) => tasks.reduce((total, task) => total + bytes(task), 0)
  const whole = {
    id: of.id,
    outcome: of.reason === undefined ? ('completed' as const) : ('failed' as const),
    ...(of.reason === undefined ? {} : { reason: of.reason }),
    ...(of.cause === undefined ? {} : { cause: of.cause }),
    alignment: of.alignment,
    kind: of.kind,
    triggeredAtMs: of.triggeredAtMs,
    durationMs: of.durationMs,
    stateBytes: sum(task => task.stateBytes),
    inFlightBytes: sum(task => task.inFlightBytes),
    inFlightRecords: sum(task => task.inFlightRecords),
    regions: of.regions,
    failedRegions: of.failedRegions,
    tasks,
  }
  return { ...whole, summary: summary(whole) }
}

const taskReport = ({ snapshot, times, sizes }: Acknowledged): TaskReport => ({
  task: snapshot.task,
  ended: snapshot.ended,
  unaligned: sizes.inFlightRecords > 0,
  startDelayMs: times.startDelayMs,
  alignmentMs: times.alignmentMs,
  processedDuringAlignment: times.processedDuringAlignment,
  syncMs: times.syncMs,
  asyncMs: times.asyncMs,
  ...sizes,
})

const summary = (of: Omit<CheckpointReport, 'summary'>): string => {
  const what = `checkpoint ${of.id} (${inWords(of.alignment)}${of.kind === 'final' ? ', final' : ''})`
  if (of.outcome === 'failed') return `${what} failed after ${rounded(of.durationMs)} ms: ${of.reason}`
  const wrote = `wrote ${size(of.stateBytes)} of state and ${of.inFlightRecords} records (${size(of.inFlightBytes)}) in flight`
  const slowest = longestPhase(of.tasks)
  const where = slowest === undefined ? '' : `, longest ${slowest.phase} ${rounded(slowest.ms)} ms in ${slowest.task}`
  return `${what} took ${rounded(of.durationMs)} ms and ${wrote}${where}`
}

const inWords = (alignment: Alignment): string =>
  typeof alignment === 'string' ? alignment : `aligned for ${alignment.alignedTimeoutMs} ms`

const phases = [
  ['waiting for the first barrier', 'startDelayMs'],
  ['aligning barriers', 'alignmentMs'],
  ['taking the snapshot', 'syncMs'],
  ['writing', 'asyncMs'],
] as const

const longestPhase = (tasks: readonly TaskReport[]) => {
  let longest: { phase: string; ms: number; task: TaskId } | undefined
  for (const task of tasks) {
    for (const [phase, field] of phases) {
      if (task[field] > (longest?.ms ?? 0)) longest = { phase, ms: task[field], task: task.task }
    }
  }
  return longest
}

const rounded = (ms: number): string => (ms < 10 ? ms.toFixed(1) : ms.toFixed(0))

const size = (bytes: number): string =>
  bytes < 10_000
    ? `${bytes} B`
    : bytes < 10_000_000
      ? `${(bytes / 1_000).toFixed(0)} kB`
      : `${(bytes / 1_000_000).toFixed(0)} MB`
