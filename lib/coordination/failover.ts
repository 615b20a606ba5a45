import { messageOf, SpillwayError } from '../error.ts'
import { absurd, invariant, isBug } from '../invariant.ts'
import type { TaskId } from '../snapshot/snapshot.ts'
import type { Layout } from './layout.ts'
import { initialRestarts, none, type RestartPolicy, type Restarts, restarts } from './restarts.ts'

/**
 * What becomes of groups of joined tasks of which one has failed: a transition function, `(state, event, now) -> [state, effects]`.
 *
 * A group is stopped as a whole, waits as the policy says, then until no commit under way could still finish its part, is given
 * an epoch of its own by the store's log, and starts from its newest part. A failure on the way counts as another one; failures
 * before the restart has begun belong to the first. No other group is told anything.
 * Source: Flink's RestartPipelinedRegionFailoverStrategy.
 */
export interface Failover {
  readonly policy: RestartPolicy
  /** By group, of those that have failed. */
  readonly failures: ReadonlyMap<number, Failures>
  /** The groups that do not run. */
  readonly down: ReadonlyMap<number, Down>
}

interface Failures {
  readonly restarts: Restarts
  /** Restarts so far. */
  readonly attempts: number
}

/** What a group waits for: its delay, a commit under way, its epoch, its tasks. */
export type Down = 'delay' | 'commit' | 'epoch' | 'tasks'

export type FailoverEvent =
  | { readonly kind: 'failed'; readonly group: number; readonly error: unknown }
  /** The delay is over. */
  | { readonly kind: 'due'; readonly group: number; readonly committing: boolean }
  /** No commit that is under way names the group's part any more. */
  | { readonly kind: 'decided'; readonly group: number }
  | { readonly kind: 'epochBegun'; readonly group: number }
  | { readonly kind: 'epochFailed'; readonly group: number; readonly error: unknown }
  | { readonly kind: 'started'; readonly group: number }

export type FailoverEffect =
  | { readonly kind: 'stop'; readonly attempt: number; readonly restartInMs: number }
  | { readonly kind: 'beginEpoch' }
  | { readonly kind: 'restart'; readonly attempt: number }
  | { readonly kind: 'giveUp'; readonly error: unknown }

export const initialFailover = (policy: RestartPolicy = none()): Failover => ({
  policy,
  failures: new Map(),
  down: new Map(),
})

type Step = readonly [Failover, FailoverEffect | undefined]

export const failover = (state: Failover, event: FailoverEvent, nowMs: number): Step => {
  const { group } = event
  const waitsFor = state.down.get(group)
  switch (event.kind) {
    case 'failed':
      return waitsFor === undefined || waitsFor === 'tasks' ? failed(state, event, nowMs) : [state, undefined]
    case 'due':
      if (waitsFor !== 'delay') return [state, undefined]
      return event.committing ? [waiting(state, group, 'commit'), undefined] : beginsEpoch(state, group)
    case 'decided':
      return waitsFor === 'commit' ? beginsEpoch(state, group) : [state, undefined]
    case 'epochBegun':
      if (waitsFor !== 'epoch') return [state, undefined]
      return [waiting(state, group, 'tasks'), { kind: 'restart', attempt: state.failures.get(group)?.attempts ?? 0 }]
    case 'epochFailed':
      return waitsFor === 'epoch' ? failed(state, event, nowMs) : [state, undefined]
    case 'started': {
      const down = new Map(state.down)
      down.delete(group)
      return [{ ...state, down }, undefined]
    }
    default:
      return absurd(event)
  }
}

/**
 * The tasks that a task's failure restarts: those that channels join with it, directly or not. No other has had anything from
 * them, or gives them anything, since the part that they go on from.
 */
export const restartedWith = (failed: TaskId, { tasks, numberOf, groupOf, groups }: Layout): readonly TaskId[] => {
  const number = numberOf.get(failed)
  invariant(number !== undefined, () => `${failed} is a task of the job`)
  const group = groups[groupOf[number] as number] as readonly number[]
  return group.map(task => tasks[task] as TaskId)
}

const failed = (
  state: Failover,
  { group, error }: { readonly group: number; readonly error: unknown },
  nowMs: number,
): Step => {
  const before = state.failures.get(group) ?? { restarts: initialRestarts(state.policy, group), attempts: 0 }
  const [next, effect] = restarts(before.restarts, { kind: 'failed' }, nowMs)
  if (!isMendable(error) || state.policy.kind === 'none') return [state, { kind: 'giveUp', error }]
  if (effect.kind === 'giveUp') return [state, { kind: 'giveUp', error: exhausted(error, effect.reason) }]
  const attempt = before.attempts + 1
  const failures = new Map(state.failures).set(group, { restarts: next, attempts: attempt })
  const stop: FailoverEffect = { kind: 'stop', attempt, restartInMs: effect.delayMs }
  return [waiting({ ...state, failures }, group, 'delay'), stop]
}

const beginsEpoch = (state: Failover, group: number): Step => [waiting(state, group, 'epoch'), { kind: 'beginEpoch' }]

const waiting = (state: Failover, group: number, down: Down): Failover => ({
  ...state,
  down: new Map(state.down).set(group, down),
})

/** What no repetition mends: a bug, another run on the same store, what the outside or the disk has lost. */
const isMendable = (error: unknown): boolean =>
  !isBug(error) && !(error instanceof SpillwayError && unmendable.has(error.code))

const unmendable: ReadonlySet<string> = new Set([
  'FENCED',
  'TRANSACTION_LOST',
  'OUTPUT_EXISTS',
  'DAMAGED',
  'FORMAT_UNKNOWN',
  'NOT_ENCODABLE',
  'NOT_DETERMINISTIC',
  'STATE_WOULD_BE_DROPPED',
])

const exhausted = (error: unknown, reason: string): SpillwayError =>
  new SpillwayError('RESTARTS_EXHAUSTED', {
    place: error instanceof SpillwayError ? error.place : 'a task',
    problem: `it has failed, and is not started again, because ${reason}. The last failure: ${messageOf(error)}`,
    remedy: 'Mend the cause and start the job again on the same store, or give a more patient restart policy.',
    cause: error,
  })
