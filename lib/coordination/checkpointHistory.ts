import type { CheckpointId } from '../element.ts'
import { type Distribution, distribution } from './distribution.ts'
import type { CheckpointReport } from './report.ts'

/** What has become of a run's checkpoints. */
export interface CheckpointHistory {
  readonly counts: {
    readonly triggered: number
    readonly inProgress: number
    readonly completed: number
    readonly failed: number
    /** Starts and restarts that went on from one. */
    readonly restored: number
  }
  readonly latest: {
    readonly completed: CheckpointReport | undefined
    readonly failed: CheckpointReport | undefined
    readonly restored: CheckpointId | undefined
  }
  /** The newest reports, oldest first; so many as `checkpoints.historyCount` says. */
  readonly reports: readonly CheckpointReport[]
  /** Over the completed ones among them; times in ms. */
  readonly summary: Readonly<Record<SummaryFigure, Distribution>>
}

export type SummaryFigure = (typeof figures)[number]
const figures = ['durationMs', 'stateBytes', 'inFlightBytes', 'inFlightRecords'] as const

/** What is remembered of them. */
export interface Remembered {
  readonly count: number
  readonly counts: Pick<CheckpointHistory['counts'], 'completed' | 'failed' | 'restored'>
  /** One at a time. */
  readonly inProgress: CheckpointId | undefined
  readonly latest: CheckpointHistory['latest']
  readonly reports: readonly CheckpointReport[]
}

export type RememberedEvent =
  | { readonly kind: 'triggered'; readonly checkpoint: CheckpointId }
  | { readonly kind: 'reported'; readonly report: CheckpointReport }
  | { readonly kind: 'restored'; readonly checkpoint: CheckpointId }

/** `count`: of reports that are kept. */
export const nothingRemembered = (count: number): Remembered => ({
  count,
  counts: { completed: 0, failed: 0, restored: 0 },
  inProgress: undefined,
  latest: { completed: undefined, failed: undefined, restored: undefined },
  reports: [],
})

export const remembered = (state: Remembered, event: RememberedEvent): Remembered => {
  const { counts, latest } = state
  switch (event.kind) {
    case 'triggered':
      return { ...state, inProgress: event.checkpoint }
    case 'restored':
      return {
        ...state,
        counts: { ...counts, restored: counts.restored + 1 },
        latest: { ...latest, restored: event.checkpoint },
      }
    case 'reported': {
      const { report } = event
      const { outcome } = report
      return {
        ...state,
        inProgress: undefined,
        counts: { ...counts, [outcome]: counts[outcome] + 1 },
        latest: { ...latest, [outcome]: report },
        reports: state.count === 0 ? [] : [...state.reports, report].slice(-state.count),
      }
    }
  }
}

export const checkpointHistory = ({ counts, inProgress, latest, reports }: Remembered): CheckpointHistory => {
  const open = inProgress === undefined ? 0 : 1
  const completed = reports.filter(({ outcome }) => outcome === 'completed')
  const of = (figure: SummaryFigure) => distribution(completed.map(report => report[figure]))
  return {
    counts: { ...counts, inProgress: open, triggered: counts.completed + counts.failed + open },
    latest,
    reports,
    summary: Object.fromEntries(figures.map(figure => [figure, of(figure)])) as CheckpointHistory['summary'],
  }
}
