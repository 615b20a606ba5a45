import { absurd } from '../invariant.ts'

/** Who asks: the schedule, or the user, for a checkpoint or for a savepoint. */
export type RequestKind = 'periodic' | 'checkpoint' | 'savepoint'

export interface AdmissionLimits {
  /** Checkpoints that may be pending at the same time, savepoints among them. */
  readonly concurrentMax: number
  /** From a completion to the next periodic start. */
  readonly minPauseMs: number
  /** Requests that may wait. */
  readonly queueMax: number
  /** Checkpoints may be unaligned: then a savepoint does not start beside one. */
  readonly unaligned: boolean
}

interface Request<R> {
  readonly request: R
  readonly kind: RequestKind
}

/** `R` names a request. */
export interface Admission<R> extends AdmissionLimits {
  /** Savepoints, then checkpoints, then periodic ones; each in the order in which they came. */
  readonly queue: readonly Request<R>[]
  /** In the order in which they started. */
  readonly pending: readonly Request<R>[]
  readonly completedAtMs: number | undefined
}

export type AdmissionEvent<R> =
  | { readonly kind: 'requested'; readonly request: R; readonly of: RequestKind }
  | { readonly kind: 'completed' | 'failed'; readonly request: R }

export type AdmissionEffect<R> =
  | { readonly kind: 'start'; readonly request: R }
  | { readonly kind: 'refuse'; readonly request: R; readonly reason: 'min-pause' | 'too-many-requests' }
  /** A newer one is complete: this one is of no use any more. */
  | { readonly kind: 'subsume'; readonly request: R }

type Step<R> = readonly [Admission<R>, readonly AdmissionEffect<R>[]]

export const initialAdmission = <R>(limits: AdmissionLimits): Admission<R> => ({
  ...limits,
  queue: [],
  pending: [],
  completedAtMs: undefined,
})

/**
 * Which requests start a checkpoint, and when: a transition function.
 * Source: Flink's CheckpointRequestDecider.
 */
export const admission = <R>(state: Admission<R>, event: AdmissionEvent<R>, nowMs: number): Step<R> => {
  switch (event.kind) {
    case 'requested':
      return requested(state, { request: event.request, kind: event.of }, nowMs)
    case 'completed':
      return completed(state, event.request, nowMs)
    case 'failed': {
      const pending = state.pending.filter(({ request }) => request !== event.request)
      return pending.length === state.pending.length ? [state, []] : started({ ...state, pending }, [], nowMs)
    }
    default:
      return absurd(event)
  }
}

const requested = <R>(state: Admission<R>, request: Request<R>, nowMs: number): Step<R> => {
  if (state.queue.length >= state.queueMax && state.queue.at(-1)?.kind !== 'periodic') {
    return started(state, [tooMany(request)], nowMs)
  }
  const queue = [...state.queue, request].sort((a, b) => ranks[a.kind] - ranks[b.kind])
  const last = queue.length > state.queueMax ? queue.pop() : undefined
  return started({ ...state, queue }, last === undefined ? [] : [tooMany(last)], nowMs)
}

const completed = <R>(state: Admission<R>, request: R, nowMs: number): Step<R> => {
  const at = state.pending.findIndex(pending => pending.request === request)
  if (at < 0) return [state, []]
  const isSubsumed = ({ kind }: Request<R>, i: number) =>
    i < at && kind !== 'savepoint' && state.pending[at]?.kind !== 'savepoint'
  const subsumed = state.pending.filter(isSubsumed)
  const pending = state.pending.filter((one, i) => i !== at && !isSubsumed(one, i))
  const effects = subsumed.map((one): AdmissionEffect<R> => ({ kind: 'subsume', request: one.request }))
  return started({ ...state, pending, completedAtMs: nowMs }, effects, nowMs)
}

/** Takes from the head of the queue for as long as it can. */
const started = <R>(state: Admission<R>, before: readonly AdmissionEffect<R>[], nowMs: number): Step<R> => {
  const queue = [...state.queue]
  const pending = [...state.pending]
  const effects = [...before]
  for (let head = queue[0]; head !== undefined; head = queue[0]) {
    const { request, kind } = head
    if (pending.length >= state.concurrentMax && (kind !== 'savepoint' || state.unaligned)) break
    queue.shift()
    if (kind === 'periodic' && nowMs < (state.completedAtMs ?? Number.NEGATIVE_INFINITY) + state.minPauseMs) {
      effects.push({ kind: 'refuse', request, reason: 'min-pause' })
    } else {
      pending.push(head)
      effects.push({ kind: 'start', request })
    }
  }
  return [{ ...state, queue, pending }, effects]
}

const tooMany = <R>({ request }: Request<R>): AdmissionEffect<R> => ({
  kind: 'refuse',
  request,
  reason: 'too-many-requests',
})

const ranks: Readonly<Record<RequestKind, number>> = { savepoint: 0, checkpoint: 1, periodic: 2 }
