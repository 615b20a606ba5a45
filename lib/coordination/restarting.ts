import type { StoredSnapshot, TaskId } from '../snapshot/snapshot.ts'
import {
  andThen,
  type CheckpointsState,
  groupNumber,
  namesOf,
  numberOf,
  partKind,
  regionOf,
  type Step,
  unneeded,
} from './checkpointsState.ts'
import type { CheckpointEvent } from './events.ts'
import { type FailoverEvent, failover } from './failover.ts'
import { memberOf, withMember } from './vector.ts'

export const restartDue = (state: CheckpointsState, task: TaskId, nowMs: number): Step => {
  const committing = partKind(state, task) === 'ready'
  return wentOn(state, { kind: 'due', group: groupNumber(state, task), committing }, nowMs)
}

/** Of groups that have waited for a commit. */
export const restartsDecided = (state: CheckpointsState, nowMs: number): Step => {
  let step: Step = [state, []]
  for (const [group, waitsFor] of state.failover.down) {
    const [first] = state.layout.groups[group] as readonly number[]
    const task = state.layout.tasks[first as number] as TaskId
    if (waitsFor !== 'commit' || partKind(state, task) === 'ready') continue
    step = andThen(step, of => wentOn(of, { kind: 'decided', group }, nowMs))
  }
  return step
}

const wentOn = (state: CheckpointsState, event: FailoverEvent, nowMs: number): Step => {
  const [next, effect] = failover(state.failover, event, nowMs)
  const tasks = namesOf(state, state.layout.groups[event.group] as readonly number[])
  return [{ ...state, failover: next }, effect?.kind === 'beginEpoch' ? [{ kind: 'beginEpoch', tasks }] : []]
}

/** Whatever commit was in doubt is so no more: the part that the group restarts from is its newest. */
export const epochBegun = (
  state: CheckpointsState,
  { tasks, epoch }: Extract<CheckpointEvent, { kind: 'epochBegun' }>,
  nowMs: number,
): Step => {
  const [first] = tasks as readonly [TaskId]
  const [next, effect] = failover(state.failover, { kind: 'epochBegun', group: groupNumber(state, first) }, nowMs)
  if (effect?.kind !== 'restart') return [state, []]
  const { attempt } = effect
  const { part } = memberOf(state.standings, regionOf(state, numberOf(state, first)))
  const from = part && { checkpoint: part.checkpoint, entry: part.entry }
  return andThen(unended({ ...state, failover: next }, tasks), of => [
    of,
    [{ kind: 'restart', tasks, epoch, attempt, from }],
  ])
}

/** The last snapshots of these tasks stand for them no more; what no part names of them is deleted. */
const unended = (state: CheckpointsState, tasks: readonly TaskId[]): Step => {
  let { ended, endedCount, pending } = state
  const snapshots: StoredSnapshot[] = []
  for (const task of tasks) {
    const number = numberOf(state, task)
    const last = memberOf(ended, number)
    if (last === undefined) continue
    ended = withMember(ended, number, undefined)
    endedCount--
    // Its next one may be of the same checkpoint, and is not the same again.
    if (pending !== undefined) {
      pending = { ...pending, acknowledged: withMember(pending.acknowledged, number, undefined) }
    }
    snapshots.push(last.snapshot)
  }
  return unneeded({ ...state, ended, endedCount, pending }, snapshots)
}
