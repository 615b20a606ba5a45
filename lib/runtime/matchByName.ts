import type { Plan, Stage } from '../graph/plan.ts'
import { invariant } from '../invariant.ts'
import { gateState } from '../snapshot/frame.ts'
import type { DealtGenerations } from '../snapshot/redistribution/generations.ts'
import { redistributed } from '../snapshot/redistribution/redistributed.ts'
import type { RestoredTask, TaskId } from '../snapshot/snapshot.ts'
import type { RestoredOperator } from '../state/operatorState.ts'
import type { RestoredJob } from './restoredJob.ts'
import { spreadOf, type Target } from './spreadOf.ts'

/** A savepoint whose operators are not all in the stages that they were in, or whose stages are not all there. */
export const isMoved = (restored: RestoredJob, { stages }: Plan): boolean => {
  if (!restored.isSavepoint) return false
  const ids = new Set(Object.keys(restored.stages))
  if (stages.length !== ids.size || stages.some(({ id }) => !ids.has(id))) return true
  return stages.some(stage => {
    const names = namesIn(stage)
    const others = stages.filter(other => other !== stage).flatMap(other => [...namesIn(other)])
    const stored = storedIn(restored, stage.id)
    return others.some(name => stored.has(name) && !names.has(name))
  })
}

/**
 * The tasks' shares of a savepoint in other pipelines than it was taken of: each operator's state goes to the stage that has the
 * operator now, dealt anew if that has another parallelism than the old one. Nothing is in flight between operators in a
 * savepoint, and no task is restored as ended. State of operators that are nowhere is in none of the shares.
 * @throws PARALLELISM_CHANGED
 */
export const matchedByName = (
  restored: RestoredJob,
  { plan, keyGroups, splits }: Target,
): ReadonlyMap<TaskId, RestoredTask> => {
  for (const [task, { inFlight }] of restored.tasks) {
    invariant(inFlight.length === 0, () => `nothing is on its way to ${task} in a savepoint`)
  }
  const shares = new Map<TaskId, RestoredTask>()
  for (const stage of plan.stages) {
    const { parallelism, tasks: ids } = stage
    const names = namesIn(stage)
    const operators = ids.map((): Map<string, RestoredOperator> => new Map())
    for (const [id, before] of Object.entries(restored.stages)) {
      const old = oldTasks(restored, { id, before }).map(task => only(task, names))
      if (old.every(task => task.operators.size === 0)) continue
      const spread = { before, keyGroups, splits: splits.get(stage) ?? [], generations: none }
      const dealt = before === parallelism ? old : redistributed(old, spreadOf(stage, spread))
      for (const [i, task] of dealt.entries()) {
        for (const [name, of] of task.operators) operators[i]?.set(name, of)
      }
    }
    for (const [i, id] of ids.entries()) {
      const own = operators[i] as Map<string, RestoredOperator>
      if (own.size > 0) shares.set(id, { ended: false, operators: own, inFlight: [] })
    }
  }
  return shares
}

/** Operators of a restored job that these pipelines do not have, with their state. */
export const operatorsGone = (
  restored: RestoredJob,
  { stages }: Plan,
): ReadonlyMap<string, readonly RestoredOperator[]> => {
  const names = new Set(stages.flatMap(stage => [...namesIn(stage)]))
  const gone = new Map<string, RestoredOperator[]>()
  for (const { operators } of restored.tasks.values()) {
    for (const [name, of] of operators) {
      if (name === gateState.operator || names.has(name)) continue
      gone.set(name, [...(gone.get(name) ?? []), of])
    }
  }
  return gone
}

const namesIn = ({ nodes, pipelines }: Stage): ReadonlySet<string> =>
  new Set([...nodes, ...pipelines].map(({ name }) => name))

const storedIn = (restored: RestoredJob, id: string): ReadonlySet<string> =>
  new Set(
    oldTasks(restored, { id, before: restored.stages[id] ?? 0 }).flatMap(({ operators }) => [...operators.keys()]),
  )

const oldTasks = ({ tasks }: RestoredJob, { id, before }: { readonly id: string; readonly before: number }) =>
  Array.from({ length: before }, (_, i) => tasks.get(`${id}/${i}`) ?? nothing)

const only = (task: RestoredTask, names: ReadonlySet<string>): RestoredTask => ({
  ended: false,
  operators: new Map([...task.operators].filter(([name]) => names.has(name))),
  inFlight: [],
})

const nothing: RestoredTask = { ended: false, operators: new Map(), inFlight: [] }

/** Nothing is in channels, so what is left to do in operators is begun at once. */
const none: DealtGenerations = { before: 0, count: 0, of: () => 0, ofFrames: () => 0 }
