import { asyncScheduler, Observable, type SchedulerLike } from 'rxjs'
import {
  type AbortReason,
  type AlignmentEffect,
  type AlignmentEvent,
  type AlignmentState,
  alignment,
  initialAlignment,
} from '../alignment/alignment.ts'
import type { Captured, Gate, Taken } from '../channel/gate.ts'
import type { Active, Alignment, Barrier, Buffer, CheckpointId, End, Idle, Recovered, Watermark } from '../element.ts'
import { absurd } from '../invariant.ts'

/** The task takes its snapshot now, before it takes anything else. */
export interface Begin {
  readonly kind: 'begin'
  /** What the task sends on: the barrier as it is from here on. */
  readonly barrier: Barrier
  readonly alignment: 'aligned' | 'unaligned'
  /** From the trigger to the first barrier taken, ms. */
  readonly startDelayMs: number
}

/** All barriers of the checkpoint have been taken: its in-flight data is whole. */
export interface Aligned {
  readonly kind: 'aligned'
  readonly checkpoint: CheckpointId
  /** From the first barrier (or end instead of it) taken to the last, ms. */
  readonly alignmentMs: number
}

/** The checkpoint has been given up; what was captured for it is of no use. */
export interface Aborted {
  readonly kind: 'aborted'
  readonly checkpoint: CheckpointId
  readonly reason: AbortReason
}

export interface AlignOptions {
  readonly alignment?: Alignment
  readonly scheduler?: SchedulerLike
}

export type AlignedElement<T> =
  | Buffer<T>
  | Watermark
  | Idle
  | Active
  | Recovered
  | Begin
  | Captured<T>
  | Aligned
  | Aborted
  | End

/**
 * Aligns the barriers of a gate's channels, by `alignment`.
 *
 * Emits data as it is taken, `begin` where the snapshot belongs, `captured` in-flight data of unaligned checkpoints,
 * `aligned` once all barriers are in, `aborted`, and `end` after the last channel's. Holds back: nothing; it blocks
 * channels by orders to the gate. Completes with the last end.
 *
 * `alignment` is for barriers that name none, as in the lanes of a picture; those of a running job all name one.
 * Source: the states follow Flink's SingleCheckpointBarrierHandler, all of the state in one value.
 */
export const align =
  <T>({ scheduler = asyncScheduler, alignment: unnamed = 'aligned' }: AlignOptions = {}) =>
  (gate: Gate<T>): Observable<AlignedElement<T>> =>
    new Observable(subscriber => {
      gate.alignment = unnamed
      let state = initialAlignment(gate.channels)
      let firstTakenMs = 0

      const carryOut = (effect: AlignmentEffect): void => {
        switch (effect.kind) {
          case 'block':
          case 'unblock':
          case 'capture':
          case 'drop':
            return gate.perform(effect)
          case 'begin': {
            const startDelayMs = Math.max(0, firstTakenMs - effect.barrier.timestampMs)
            return subscriber.next({ ...effect, startDelayMs })
          }
          case 'aligned':
            return subscriber.next({ ...effect, alignmentMs: scheduler.now() - firstTakenMs })
          case 'abort':
            return subscriber.next({ kind: 'aborted', checkpoint: effect.checkpoint, reason: effect.reason })
          default:
            return absurd(effect)
        }
      }

      const happened = (event: AlignmentEvent): void => {
        const [next, effects] = alignment(state, event)
        if (event.kind === 'barrier' && event.barrier.checkpoint > newest(state)) firstTakenMs = scheduler.now()
        state = next
        for (const effect of effects) carryOut(effect)
      }

      const taken = ({ channel, element }: Taken<T>): void => {
        switch (element.kind) {
          case 'barrier':
            return happened({ kind: 'barrier', channel, barrier: element })
          case 'cancel':
            return happened({ kind: 'cancel', checkpoint: element.checkpoint })
          case 'end':
            happened({ kind: 'end', channel })
            if (state.ended.size < gate.channels) return
            subscriber.next(element)
            return subscriber.complete()
          case 'side':
          case 'splits':
            return
          default:
            return subscriber.next(element)
        }
      }

      return gate.subscribe({
        next: event => (event.kind === 'captured' ? subscriber.next(event) : taken(event)),
        error: error => subscriber.error(error),
        complete: () => subscriber.complete(),
      })
    })

const newest = ({ settled, underWay }: AlignmentState): CheckpointId =>
  Math.max(settled, underWay?.barrier.checkpoint ?? settled)
