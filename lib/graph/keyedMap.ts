import type { Key } from '../element.ts'
import { entriesOf, type MapTable, type OneMap } from '../state/mapTable.ts'
import type { KeyedCall } from './call.ts'
import type { MapState } from './handlers.ts'

/** One map a key; it is looked up once for each key being handled. */
export class KeyedMap<K extends Key, V> implements MapState<K, V> {
  readonly #call: KeyedCall
  readonly #table: MapTable<V>
  readonly #name: string
  readonly #own: (value: V) => V
  #one: OneMap<V> | undefined
  #number = -1

  /** `own` is given each value before it is kept. */
  constructor(call: KeyedCall, table: MapTable<V>, { name, own }: { name: string; own: (value: V) => V }) {
    this.#call = call
    this.#table = table
    this.#name = name
    this.#own = own
  }

  get size(): number {
    return this.#found().entries.size
  }

  /** Larger than the place of any entry. */
  get nextOrder(): number {
    return this.#found().next
  }

  get(key: K): V | undefined {
    return this.#table.get(this.#found(), key)
  }

  has(key: K): boolean {
    return this.#table.has(this.#found(), key)
  }

  set(key: K, value: V): void {
    this.#table.set(this.#found(), key, this.#own(value))
  }

  update(key: K, change: (value: V | undefined) => V): V {
    const value = change(this.get(key))
    this.set(key, value)
    return value
  }

  delete(key: K): boolean {
    return this.#table.delete(this.#found(), key)
  }

  *keys(): Generator<K, void> {
    for (const [key] of this.entries()) yield key
  }

  *values(): Generator<V, void> {
    for (const [, value] of this.entries()) yield value
  }

  entries(): Iterable<readonly [K, V]> {
    return entriesOf(this.#found()) as Iterable<readonly [K, V]>
  }

  clear(): void {
    this.#table.clear(this.#found())
  }

  #found(): OneMap<V> {
    const { number } = this.#call
    if (this.#number !== number || this.#one === undefined) {
      this.#one = this.#table.of(this.#call.keyOf(this.#name), this.#call.group)
      this.#number = number
    }
    return this.#one
  }
}
