import { inAll, isUnion, type RestoredOperator } from '../../state/operatorState.ts'
import type { RestoredTask } from '../snapshot.ts'

/** The tasks of a stage, in their order, each with what all of them had as union state: one array for all, however many they are. */
export const withUnions = (tasks: readonly RestoredTask[]): readonly RestoredTask[] => {
  const unions = unionsOf(tasks)
  return unions.size === 0 ? tasks : tasks.map(task => ({ ...task, operators: withAll(task.operators, unions) }))
}

/** By operator, all that its union states hold. */
type Unions = ReadonlyMap<string, Readonly<Record<string, readonly unknown[]>>>

const unionsOf = (tasks: readonly RestoredTask[]): Unions => {
  const unions = new Map<string, Record<string, unknown[]>>()
  for (const { operators } of tasks) {
    for (const [operator, { kept }] of operators) {
      for (const [name, values] of Object.entries(kept)) {
        if (!isUnion(name)) continue
        const all = unions.get(operator) ?? {}
        unions.set(operator, all)
        const union = all[inAll(name)] ?? []
        all[inAll(name)] = union
        for (const value of values as readonly unknown[]) union.push(value)
      }
    }
  }
  return unions
}

/** An operator that had stored nothing in this task has to know of the others all the same. */
const withAll = (
  operators: ReadonlyMap<string, RestoredOperator>,
  unions: Unions,
): ReadonlyMap<string, RestoredOperator> => {
  const all = new Map(operators)
  for (const [operator, of] of unions) {
    const own = all.get(operator)
    all.set(operator, { tables: own?.tables ?? new Map(), kept: { ...own?.kept, ...of } })
  }
  return all
}
