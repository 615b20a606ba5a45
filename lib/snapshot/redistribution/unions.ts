import { inAll, isUnion } from '../../state/operatorState.ts'
import type { RestoredTask } from '../snapshot.ts'

/** By operator: what all of its tasks had as union state, by the name under which each is given it: one array, however many they are. */
export type Unions = ReadonlyMap<string, Readonly<Record<string, readonly unknown[]>>>

/** Of these tasks, in their order. */
export const unionsOf = (tasks: readonly RestoredTask[]): Unions => {
  const parts = new Map<string, Map<string, (readonly unknown[])[]>>()
  for (const { operators } of tasks) {
    for (const [operator, { kept }] of operators) {
      for (const name in kept) {
        if (!isUnion(name)) continue
        const states = parts.get(operator) ?? new Map<string, (readonly unknown[])[]>()
        parts.set(operator, states)
        const own = states.get(name)
        if (own === undefined) states.set(name, [kept[name] as readonly unknown[]])
        else own.push(kept[name] as readonly unknown[])
      }
    }
  }
  return new Map(
    Array.from(parts, ([operator, states]) => [
      operator,
      Object.fromEntries(Array.from(states, ([name, lists]) => [inAll(name), inOne(lists)])),
    ]),
  )
}

/** Not by push, which makes room for half as many more. */
const inOne = (lists: readonly (readonly unknown[])[]): readonly unknown[] => {
  const all = new Array<unknown>(lists.reduce((count, { length }) => count + length, 0))
  let count = 0
  for (const list of lists) for (const value of list) all[count++] = value
  return all
}

/** The task with them. An operator that had stored nothing in it has to know of the others all the same. */
export const withUnions = (task: RestoredTask, unions: Unions): RestoredTask => {
  if (unions.size === 0) return task
  const operators = new Map(task.operators)
  for (const [operator, all] of unions) {
    const own = operators.get(operator)
    operators.set(operator, { tables: own?.tables ?? new Map(), kept: { ...own?.kept, ...all } })
  }
  return { ...task, operators }
}
