/** What the child process and its parent tell each other. */
import type { Phase } from './phases.ts'

export type Report =
  | { readonly kind: 'running'; readonly restored: Restored | undefined; readonly bound: Bound }
  | { readonly kind: 'progress'; readonly fraction: number }
  | { readonly kind: 'checkpoint'; readonly checkpoint: number; readonly summary: string }
  | ({ readonly kind: 'timed' } & Timed)
  /** The child has come to this phase of a checkpoint and does not go on until it is told to. */
  | { readonly kind: 'phase'; readonly phase: Phase; readonly announcement: number }

export interface Restored {
  readonly checkpoint: number
  readonly recordsInFlight: number
}

/** What the job's channels and snapshots hold at the most. */
export interface Bound {
  readonly buffersMax: number
  readonly recordsMax: number
}

export interface Timed {
  readonly alignment: 'aligned' | 'unaligned'
  readonly durationMs: number
}

export interface GoOn {
  readonly announcement: number
}
