import type * as t from 'io-ts'
import { SpillwayError } from '../error.ts'
import type { OperatorState } from '../state/operatorState.ts'
import type { ListState, UnionState } from './handlers.ts'

interface Declared<V> {
  readonly name: string
  readonly codec: t.Type<V, any>
  /** Of each value added. */
  readonly checked: (value: V) => V
}

/** The list of the task's part of the operator, restored. */
export const taskList = <V>(state: OperatorState, { name, codec, checked }: Declared<V>): ListState<V> => {
  const list = new TaskList<V>(state, sampled(state, { name, codec, checked }))
  list.begin(state.keepList(name, codec, () => list.captured()))
  return list
}

/** As `taskList`, with the elements that all tasks of the operator had. @throws UNION_NOT_DECLARED */
export const taskUnion = <V>(
  state: OperatorState,
  { name, codec, checked, declared }: Declared<V> & { readonly declared: readonly string[] },
): UnionState<V> => {
  if (!declared.includes(name)) throw notDeclared(state.operator, name)
  const list = new TaskList<V>(state, sampled(state, { name, codec, checked }))
  const { own, all } = state.keepUnion(name, codec, () => list.captured())
  list.begin(own)
  return new TaskUnion(list, all)
}

/** Some of the values are looked at as they come, so that what cannot be written is known before a snapshot needs it. */
const sampled = <V>(state: OperatorState, { name, codec, checked }: Declared<V>): ((value: V) => V) => {
  const sample = state.sample(name, codec)
  return value => {
    sample.pass(value)
    return checked(value)
  }
}

/**
 * Values in their order. Adding costs no copy until somebody has the values: whoever asks for them, and each snapshot, has an array that
 * is not changed any more.
 */
class TaskList<V> implements ListState<V> {
  readonly #state: OperatorState
  readonly #checked: (value: V) => V
  #values: V[] = []
  /** Somebody else has the array. */
  #shared = false
  /** As it was before the call that has changed it last. */
  #before: { readonly values: V[]; readonly length: number } = { values: [], length: 0 }
  #changedIn = -1

  constructor(state: OperatorState, checked: (value: V) => V) {
    this.#state = state
    this.#checked = checked
  }

  get(): readonly V[] {
    this.#shared = true
    return this.#values
  }

  add(value: V): void {
    this.#changes()
    if (this.#shared) {
      this.#values = [...this.#values]
      this.#shared = false
    }
    this.#values.push(this.#checked(value))
  }

  set(values: readonly V[]): void {
    this.#changes()
    this.#values = values.map(this.#checked)
    this.#shared = false
  }

  clear(): void {
    this.set([])
  }

  begin(values: readonly V[]): void {
    this.#values = values as V[]
    this.#shared = true
  }

  /** Undefined: there is nothing to store. */
  captured(): readonly V[] | undefined {
    if (this.#state.callOpen && this.#changedIn === this.#state.calls.number) {
      const { values, length } = this.#before
      return length === 0 ? undefined : values.slice(0, length)
    }
    return this.#values.length === 0 ? undefined : this.get()
  }

  #changes(): void {
    if (this.#changedIn === this.#state.calls.number) return
    this.#changedIn = this.#state.calls.number
    this.#before = { values: this.#values, length: this.#values.length }
  }
}

/** Apart from the list, which the task keeps: what all tasks had is held by the handlers alone, if they keep it. */
class TaskUnion<V> implements UnionState<V> {
  readonly #list: ListState<V>
  readonly restored: readonly V[]

  constructor(list: ListState<V>, restored: readonly V[]) {
    this.#list = list
    this.restored = restored
  }

  get(): readonly V[] {
    return this.#list.get()
  }

  add(value: V): void {
    this.#list.add(value)
  }

  set(values: readonly V[]): void {
    this.#list.set(values)
  }

  clear(): void {
    this.#list.clear()
  }
}

const notDeclared = (operator: string, name: string) =>
  new SpillwayError('UNION_NOT_DECLARED', {
    place: operator,
    problem: `it has union state ${name}, which a restore gives to all its tasks, and does not declare it.`,
    remedy: `Declare it where the operator is made: { unionStates: ['${name}'] }.`,
  })
