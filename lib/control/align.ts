import { asyncScheduler, Observable, type SchedulerLike, type Subscription } from 'rxjs'
import { type AlignmentState, alignment, type Guarantee, initialAlignment } from '../alignment/alignment.ts'
import type { AbortReason, AlignmentEffect, AlignmentEvent, AlignmentMetrics, Moment } from '../alignment/events.ts'
import type { Announced, Captured, Gate, Taken } from '../channel/gate.ts'
import type { Active, Alignment, Barrier, Buffer, CheckpointId, End, Idle, Recovered, Watermark } from '../element.ts'
import { absurd } from '../invariant.ts'

/** The task takes its snapshot now, before it takes anything else. */
export interface Begin {
  readonly kind: 'begin'
  /** What the task sends on: unaligned if it has turned; one that came in in time may still time out further down. */
  readonly barrier: Barrier
  readonly alignment: 'aligned' | 'unaligned'
  /** From the trigger to the first barrier taken, ms. */
  readonly startDelayMs: number
}

/** All barriers of the checkpoint have been taken: its in-flight data is whole. */
export interface Aligned extends AlignmentMetrics {
  readonly kind: 'aligned'
  readonly checkpoint: CheckpointId
}

/** The checkpoint has been given up; what was captured for it is of no use. */
export interface Aborted {
  readonly kind: 'aborted'
  readonly checkpoint: CheckpointId
  readonly reason: AbortReason
}

export interface AlignOptions {
  /** Of barriers that name none, as in the lanes of a picture; those of a running job all name one. Default 'aligned'. */
  readonly alignment?: Alignment
  /** Default 'exactly-once'. With 'at-least-once' no channel waits for another, and alignments and timeouts mean nothing. */
  readonly guarantee?: Guarantee
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
 */
export const align =
  <T>({ scheduler = asyncScheduler, alignment: unnamed = 'aligned', guarantee = 'exactly-once' }: AlignOptions = {}) =>
  (gate: Gate<T>): Observable<AlignedElement<T>> =>
    new Observable(subscriber => {
      gate.alignment = unnamed
      if (guarantee === 'at-least-once') gate.perform({ kind: 'keepOrder' })
      let state: AlignmentState = initialAlignment(gate.channels, guarantee)
      let buffers = 0
      let timer: Subscription | undefined
      subscriber.add(() => timer?.unsubscribe())

      const carryOut = (effect: AlignmentEffect): void => {
        switch (effect.kind) {
          case 'block':
          case 'unblock':
          case 'prioritize':
          case 'capture':
          case 'drop':
            return gate.perform(effect)
          case 'begin':
          case 'aligned':
            return subscriber.next(effect)
          case 'abort':
            return subscriber.next({ kind: 'aborted', checkpoint: effect.checkpoint, reason: effect.reason })
          case 'startTimer': {
            timer?.unsubscribe()
            const delayMs = Math.max(0, effect.dueMs - scheduler.now())
            timer = scheduler.schedule(() => happened({ kind: 'timer' }), delayMs)
            return
          }
          case 'stopTimer':
            return timer?.unsubscribe()
          default:
            return absurd(effect)
        }
      }

      const happened = (event: AlignmentEvent): void => {
        const [next, effects] = alignment(state, event)
        state = next
        for (const effect of effects) carryOut(effect)
      }

      const now = (): Moment => ({ nowMs: scheduler.now(), buffers })

      const taken = ({ channel, element }: Taken<T>): void => {
        switch (element.kind) {
          case 'barrier':
            return happened({ kind: 'barrier', channel, barrier: element, ...now() })
          case 'cancel':
            return happened({ kind: 'cancel', checkpoint: element.checkpoint })
          case 'end':
            happened({ kind: 'end', channel, ...now() })
            if (state.ended.count < gate.channels) return
            subscriber.next(element)
            return subscriber.complete()
          case 'side':
          case 'splits':
            return
          case 'buffer':
            buffers++
            return subscriber.next(element)
          default:
            return subscriber.next(element)
        }
      }

      const said = (event: Announced | Taken<T> | Captured<T>): void => {
        switch (event.kind) {
          case 'announced':
            return happened(event)
          case 'taken':
            return taken(event)
          case 'captured':
            return subscriber.next(event)
          default:
            return absurd(event)
        }
      }

      return gate.subscribe({
        next: said,
        error: error => subscriber.error(error),
        complete: () => subscriber.complete(),
      })
    })
