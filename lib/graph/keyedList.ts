import type { ListState } from './handlers.ts'
import type { KeyedMap } from './keyedMap.ts'

/** One list a key: a map from places to values, so that adding one costs, and is stored, as one. */
export class KeyedList<V> implements ListState<V> {
  readonly #values: KeyedMap<number, V>

  constructor(values: KeyedMap<number, V>) {
    this.#values = values
  }

  get(): readonly V[] {
    return [...this.#values.values()]
  }

  add(value: V): void {
    this.#values.set(this.#values.nextOrder, value)
  }

  set(values: readonly V[]): void {
    this.#values.clear()
    for (const value of values) this.add(value)
  }

  clear(): void {
    this.#values.clear()
  }
}
