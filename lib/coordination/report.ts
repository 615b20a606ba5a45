import type { Alignment, CheckpointId } from '../element.ts'
import type { LastBarrier, TaskId } from '../snapshot/snapshot.ts'
import { criticalPath, explained, inTime } from './criticalPath.ts'
import { type Distribution, distribution } from './distribution.ts'
import type { Acknowledged } from './events.ts'
import type { FailureCause } from './tolerance.ts'

/**
 * `final`: all tasks had ended; the last checkpoint of a job on bounded input. `savepoint`: one that a savepoint is made of, or that
 * the job stops with.
 */
export type CheckpointKind = 'checkpoint' | 'savepoint' | 'final'

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
  /** That it wrote: of state that builds on earlier checkpoints what has changed. */
  readonly stateBytes: number
  readonly inFlightBytes: number
  readonly inFlightRecords: number
  /** Of the job; and the numbers of those whose parts failed, and are carried over if the checkpoint is complete. */
  readonly regions: number
  readonly failedRegions: readonly number[]
  /** Of those that have acknowledged, also if it failed; `stageReports` says how their figures are distributed. */
  readonly tasks: readonly TaskReport[]
  /** Tasks that were asked and had not acknowledged. */
  readonly missing: readonly TaskId[]
  /** What it was, and where its time went. */
  readonly summary: string
}

/** What is known of one task's share. Times in ms; those `since the trigger` by the job's clock. */
export interface TaskReport {
  readonly task: TaskId
  /** It had ended before: its last snapshot stands for it. */
  readonly ended: boolean
  /** Whether it was so in fact: records in flight are part of its snapshot. */
  readonly unaligned: boolean
  /** From the trigger to the first barrier. */
  readonly startDelayMs: number
  /** From the first barrier to the last. */
  readonly alignmentMs: number
  /** Buffers taken from the first barrier to the last. */
  readonly processedDuringAlignment: number
  /** Since the trigger: when its snapshot began; when it had all barriers; when its snapshot was whole, and began to be written. */
  readonly begunMs: number
  readonly lastBarrierMs: number
  readonly wholeMs: number
  /** Where its last barrier came from, and how many buffers it found in the channel; none of a task that reads a source. */
  readonly lastBarrier?: LastBarrier
  /** In which the task did nothing else. */
  readonly syncMs: number
  /** From a whole snapshot to the acknowledgement that it is stored: waiting for its turn, encoding, writing. */
  readonly asyncMs: number
  readonly stateBytes: number
  readonly inFlightBytes: number
  readonly inFlightRecords: number
}

/** The figures of a stage's tasks. */
export interface StageReport {
  /** Such as `2:cart`. */
  readonly stage: string
  readonly tasks: number
  readonly figures: Readonly<Record<TaskFigure, Distribution>>
}

export type TaskFigure = (typeof taskFigures)[number]
const taskFigures = [
  'startDelayMs',
  'alignmentMs',
  'processedDuringAlignment',
  'syncMs',
  'asyncMs',
  'stateBytes',
  'inFlightBytes',
  'inFlightRecords',
] as const

/** How a report's figures are distributed over each stage's tasks, without those that had ended. */
export const stageReports = ({ tasks }: Pick<CheckpointReport, 'tasks'>): readonly StageReport[] => {
  const byStage = new Map<string, TaskReport[]>()
  for (const task of tasks) {
    if (task.ended) continue
    const stage = task.task.slice(0, task.task.lastIndexOf('/'))
    const others = byStage.get(stage)
    if (others === undefined) byStage.set(stage, [task])
    else others.push(task)
  }
  return [...byStage].map(([stage, of]) => {
    const figures = taskFigures.map(figure => [figure, distribution(of.map(task => task[figure]))] as const)
    return { stage, tasks: of.length, figures: Object.fromEntries(figures) as StageReport['figures'] }
  })
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
  readonly missing: readonly TaskId[]
}

export const report = (of: Reported): CheckpointReport => {
  const tasks = of.acknowledged.map(acknowledged => taskReport(acknowledged, of.triggeredAtMs))
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
    missing: of.missing,
  }
  return { ...whole, summary: summary(whole) }
}

const taskReport = ({ snapshot, times, sizes }: Acknowledged, triggeredAtMs: number): TaskReport => {
  const { begunAtMs, wholeAtMs, lastBarrier } = times
  const since = (atMs: number) => Math.max(0, atMs - triggeredAtMs)
  return {
    task: snapshot.task,
    ended: snapshot.ended,
    unaligned: sizes.inFlightRecords > 0,
    startDelayMs: times.startDelayMs,
    alignmentMs: times.alignmentMs,
    processedDuringAlignment: times.processedDuringAlignment,
    begunMs: since(begunAtMs),
    lastBarrierMs: times.startDelayMs + times.alignmentMs,
    wholeMs: since(wholeAtMs),
    ...(lastBarrier === undefined ? {} : { lastBarrier }),
    syncMs: times.syncMs,
    asyncMs: times.asyncMs,
    ...sizes,
  }
}

const summary = (of: Omit<CheckpointReport, 'summary'>): string => {
  const what = `checkpoint ${of.id} (${inWords(of.alignment)}${of.kind === 'checkpoint' ? '' : `, ${of.kind}`})`
  if (of.outcome === 'failed') return `${what} failed after ${inTime(of.durationMs)}: ${of.reason}${soFar(of)}`
  const wrote = `wrote ${size(of.stateBytes)} of state and ${of.inFlightRecords} records (${size(of.inFlightBytes)}) in flight`
  return `${what} took ${inTime(of.durationMs)} and ${wrote}: ${explained(criticalPath(of), of.durationMs)}`
}

/** What is known of one that failed. */
const soFar = ({ tasks, missing }: Omit<CheckpointReport, 'summary'>): string => {
  const answered = tasks.filter(({ ended }) => !ended)
  if (answered.length === 0) return ''
  const last = answered.reduce((latest, task) => (endOf(task) > endOf(latest) ? task : latest))
  const count = `${answered.length} of ${answered.length + missing.length} tasks had acknowledged`
  return `; ${count}, the last of them, ${last.task}, after ${inTime(endOf(last))}`
}

const endOf = ({ wholeMs, asyncMs }: TaskReport): number => wholeMs + asyncMs

const inWords = (alignment: Alignment): string =>
  typeof alignment === 'string' ? alignment : `aligned for ${alignment.alignedTimeoutMs} ms`

const size = (bytes: number): string =>
  bytes < 10_000
    ? `${bytes} B`
    : bytes < 10_000_000
      ? `${(bytes / 1_000).toFixed(0)} kB`
      : `${(bytes / 1_000_000).toFixed(0)} MB`
