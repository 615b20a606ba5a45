import type { CheckpointId } from '../element.ts'
import type { TaskId } from '../snapshot/snapshot.ts'
import {
  andThen,
  type CheckpointsState,
  numberOf,
  partOf,
  regionOf,
  type Step,
  unneededReleased,
  withPublished,
} from './checkpointsState.ts'
import type { CheckpointEvent, CheckpointOrder, Drain, Requested } from './events.ts'
import type { Completed } from './retention.ts'
import { membersOf, vectorOf } from './vector.ts'

/** A job that the user ends. */
export type Stopping =
  /** Its last checkpoint is complete: nothing is read any more, and no other checkpoint publishes what comes behind it. */
  | { readonly kind: 'stopping'; readonly request: number; readonly save: boolean; readonly checkpoint: CheckpointId }
  /** Its sources end where they are; then it ends as any other job. */
  | { readonly kind: 'draining'; readonly request: number; readonly save: boolean }

/** A checkpoint for which more was asked is complete. */
export const completedFor = (state: CheckpointsState, { request, purpose }: Requested, complete: Completed): Step => {
  if (request === undefined || purpose === undefined) return [state, []]
  const { checkpoint } = complete
  if (!purpose.stop) {
    const saving = [...state.saving, { request, of: complete }]
    return [{ ...state, saving }, [{ kind: 'save', request, of: { checkpoint } }]]
  }
  const waiting = state.admission.queue.flatMap(({ request: { request: other } }) => other ?? [])
  return [
    {
      ...state,
      stopping: { kind: 'stopping', request, save: purpose.save, checkpoint },
      admission: { ...state.admission, queue: [] },
    },
    waiting.map(refused),
  ]
}

/** Nothing is begun any more that would publish what comes after the stop's checkpoint. */
export const isStopping = ({ stopping }: CheckpointsState): boolean => stopping?.kind === 'stopping'

export const refused = (request: number): CheckpointOrder => ({ kind: 'refuse', request, reason: 'stopping' })

export const drained = (state: CheckpointsState, { request, save }: Drain): Step =>
  state.stopping === undefined
    ? [{ ...state, stopping: { kind: 'draining', request, save } }, [{ kind: 'drain', request }]]
    : [state, [refused(request)]]

/** Only of a region's last part, and of the checkpoint that a job stops with, somebody waits for it. */
export const published = (
  state: CheckpointsState,
  { tasks, checkpoint }: Extract<CheckpointEvent, { kind: 'published' }>,
): Step => {
  const { stopping, endedCount } = state
  const stops = stopping?.kind === 'stopping' && stopping.checkpoint === checkpoint
  if (endedCount === 0 && !stops) return [state, []]
  const last = tasks.filter(task => {
    const part = partOf(state, regionOf(state, numberOf(state, task)))
    return (stops || part?.final === true) && part?.checkpoint === checkpoint
  })
  return publishedBy(state, last)
}

/** All that these tasks have written is published. */
export const publishedBy = (state: CheckpointsState, tasks: readonly TaskId[]): Step => {
  const next = withPublished(state, tasks)
  return next === state ? [state, []] : [next, ending(next)]
}

/** Once all is published the job is done, but for its savepoint and others that are being made. */
const ending = ({ unpublished, saving, stopping }: CheckpointsState): readonly CheckpointOrder[] => {
  if (unpublished > 0 || saving.length > 0) return []
  return stopping?.save === true
    ? [{ kind: 'save', request: stopping.request, of: 'what is published' }]
    : [{ kind: 'finished' }]
}

/** The savepoint is made, or cannot be. A job that was to stop with it goes on then; one that is drained has nothing left to do. */
export const saved = (
  state: CheckpointsState,
  { kind, request }: Extract<CheckpointEvent, { kind: 'saved' | 'saveFailed' }>,
): Step => {
  const { stopping } = state
  if (stopping?.request === request) {
    return kind === 'saveFailed' && stopping.kind === 'stopping' ? resumed(state) : [state, [{ kind: 'finished' }]]
  }
  const next = { ...state, saving: state.saving.filter(of => of.request !== request) }
  const step: Step = next.pending === undefined ? unneededReleased(next) : [next, []]
  return andThen(step, of => [of, ending(of)])
}

const resumed = (state: CheckpointsState): Step => {
  const isFinal = (task: number) => partOf(state, regionOf(state, task))?.final === true
  const published = vectorOf(state.layout.tasks.length, isFinal)
  const unpublished = membersOf(published).filter(is => !is).length
  return [{ ...state, stopping: undefined, published, unpublished }, [{ kind: 'resume' }]]
}
