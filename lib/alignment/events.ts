import type { Barrier, CheckpointId } from '../element.ts'

/** What the gate or the clock says. */
export type AlignmentEvent =
  /** A barrier that may time out has arrived in a channel's queue, and has not been taken. */
  | { readonly kind: 'announced'; readonly channel: number; readonly barrier: Barrier }
  | ({ readonly kind: 'barrier'; readonly channel: number; readonly barrier: Barrier } & Moment)
  | { readonly kind: 'cancel'; readonly checkpoint: CheckpointId }
  | ({ readonly kind: 'end'; readonly channel: number } & Moment)
  /** The timer that was started last, and not stopped, is due. */
  | { readonly kind: 'timer' }

/** When something was taken. */
export interface Moment {
  readonly nowMs: number
  /** Buffers that the task has taken so far. */
  readonly buffers: number
}

/** What is to be done, in this order. */
export type AlignmentEffect =
  /** Nothing is taken from the channel. */
  | { readonly kind: 'block'; readonly channel: number }
  | { readonly kind: 'unblock'; readonly channel: number }
  /** The checkpoint's barrier moves to the head of the channel's queue. */
  | { readonly kind: 'prioritize'; readonly channel: number; readonly checkpoint: CheckpointId }
  /** The task takes its snapshot now. */
  | {
      readonly kind: 'begin'
      readonly barrier: Barrier
      readonly alignment: 'aligned' | 'unaligned'
      readonly startDelayMs: number
    }
  | { readonly kind: 'capture'; readonly channel: number; readonly checkpoint: CheckpointId }
  /** No channel captures for it any more. */
  | { readonly kind: 'drop'; readonly checkpoint: CheckpointId }
  /** All barriers have been taken: the in-flight data is whole. */
  | ({ readonly kind: 'aligned'; readonly checkpoint: CheckpointId } & AlignmentMetrics)
  | { readonly kind: 'abort'; readonly checkpoint: CheckpointId; readonly reason: AbortReason }
  /** There is one timer; a new one takes the place of the last. */
  | { readonly kind: 'startTimer'; readonly dueMs: number }
  | { readonly kind: 'stopTimer' }

export type AbortReason = 'subsumed' | 'cancelled'

/** How a checkpoint's barriers came in at one task. */
export interface AlignmentMetrics {
  /** From the trigger to the first barrier, or end instead of it, taken. */
  readonly startDelayMs: number
  /** From the first barrier, or end instead of it, taken to the last. */
  readonly alignmentMs: number
  /** Buffers taken meanwhile. */
  readonly processedDuringAlignment: number
}

export const startDelayMs = (first: Moment, { timestampMs }: Barrier): number => Math.max(0, first.nowMs - timestampMs)

export const metrics = (barrier: Barrier, { first, last }: { first: Moment; last: Moment }): AlignmentMetrics => ({
  startDelayMs: startDelayMs(first, barrier),
  alignmentMs: last.nowMs - first.nowMs,
  processedDuringAlignment: last.buffers - first.buffers,
})
