import type { Key } from '../element.ts'
import type { InPlaceTask } from '../graph/inPlace.ts'
import { groupOf } from '../state/keyGroups.ts'
import type { OperatorState } from '../state/operatorState.ts'
import { ABSENT, type Table } from '../state/table.ts'

/** State of each key, as a test reads it and fills it beforehand. */
export interface KeyedState<V> {
  /** undefined: the key has the initial value. */
  get(key: Key): V | undefined
  set(key: Key, value: V): void
  readonly entries: readonly (readonly [key: Key, value: V])[]
}

/** The state of this name in the task, of the operator where one is named. */
export const keyedState = (
  task: InPlaceTask,
  { name, operator }: { readonly name: string; readonly operator: string | undefined },
): KeyedState<any> => {
  const { state, table } = found(task, name, operator)
  return {
    get: key => {
      const value = table.find(key)?.value
      return value === ABSENT ? undefined : value
    },
    set: (key, value) => {
      if (state.callOpen)
        throw new Error(`${state.operator} is suspended in the middle of a call, which may change ${name}`)
      table.set(table.entry(key, groupOf(key, task.keyGroups)), value)
    },
    get entries() {
      return [...table.values()].map(({ key, value }) => [key, value] as const)
    },
  }
}

const found = (
  task: InPlaceTask,
  name: string,
  operator: string | undefined,
): { readonly state: OperatorState; readonly table: Table<unknown> } => {
  const all = task.states.flatMap(state => {
    const table = state.tableNamed(name)
    return table === undefined || (operator ?? state.operator) !== state.operator ? [] : [{ state, table }]
  })
  const [only, ...others] = all
  if (only !== undefined && others.length === 0) return only
  const problem =
    only === undefined
      ? `no operator${operator === undefined ? '' : ` ${operator}`} has keyed state ${name}`
      : `several operators have keyed state ${name}: name one of ${all.map(({ state }) => state.operator).join(', ')}`
  throw new Error(problem)
}
