import type { Key } from '../element.ts'
import type { Entry, Table } from './table.ts'
import { textOf } from './tupleText.ts'

/** A value, and its place in the order in which its map's keys were first put. */
export type Ordered<V> = readonly [order: number, value: V]

/** One key's map: an index over its entries in the table. */
export interface OneMap<V> {
  readonly key: Key
  readonly group: number
  readonly entries: Map<Key, Entry<Ordered<V>>>
  next: number
}

/**
 * State of each key that is a map itself. Each entry is one of the table, under [key, key in the map], so that changing one
 * costs, and is stored, as one. In the order of a `Map`, also after a restore.
 */
export class MapTable<V> {
  readonly #table: Table<Ordered<V>>
  /** Those that are not empty. */
  readonly #maps = new Map<Key, OneMap<V>>()

  /** The table has been filled by a restore; nobody else changes it. */
  constructor(table: Table<Ordered<V>>) {
    this.#table = table
    const inOrder = [...table.values()].sort((a, b) => orderOf(a) - orderOf(b))
    for (const entry of inOrder) {
      const [key, mapKey] = entry.key as readonly [Key, Key]
      const one = this.of(key, entry.group)
      this.#put(one, mapKey, entry)
      one.next = orderOf(entry) + 1
    }
  }

  /** The key's map; an empty one takes no room before it is set. */
  of(key: Key, group: number): OneMap<V> {
    return this.#maps.get(identity(key)) ?? { key, group, entries: new Map(), next: 0 }
  }

  get(one: OneMap<V>, mapKey: Key): V | undefined {
    return (one.entries.get(identity(mapKey))?.value as Ordered<V> | undefined)?.[1]
  }

  has(one: OneMap<V>, mapKey: Key): boolean {
    return one.entries.has(identity(mapKey))
  }

  set(one: OneMap<V>, mapKey: Key, value: V): void {
    const found = one.entries.get(identity(mapKey))
    if (found !== undefined) return this.#table.set(found, [orderOf(found), value])
    const entry = this.#table.entry([one.key, mapKey], one.group)
    this.#table.set(entry, [one.next++, value])
    this.#put(one, mapKey, entry)
  }

  delete(one: OneMap<V>, mapKey: Key): boolean {
    const entry = one.entries.get(identity(mapKey))
    if (entry === undefined) return false
    this.#table.remove(entry)
    one.entries.delete(identity(mapKey))
    if (one.entries.size === 0) this.#maps.delete(identity(one.key))
    return true
  }

  clear(one: OneMap<V>): void {
    for (const entry of one.entries.values()) this.#table.remove(entry)
    one.entries.clear()
    this.#maps.delete(identity(one.key))
  }

  #put(one: OneMap<V>, mapKey: Key, entry: Entry<Ordered<V>>): void {
    if (one.entries.size === 0) this.#maps.set(identity(one.key), one)
    one.entries.set(identity(mapKey), entry)
  }
}

/** Live, as a `Map`'s: what is put meanwhile comes too. */
export function* entriesOf<V>({ entries }: OneMap<V>): Generator<readonly [Key, V], void> {
  for (const { key, value } of entries.values()) yield [(key as readonly [Key, Key])[1], (value as Ordered<V>)[1]]
}

const orderOf = <V>({ value }: Entry<Ordered<V>>): number => (value as Ordered<V>)[0]

/** Equal for equal keys alone, as a `Map` compares: tuples by their text, from which strings are told by a mark. */
const identity = (key: Key): Key => {
  if (typeof key === 'object') return `(${textOf(key)}`
  return typeof key === 'string' ? `'${key}` : key
}
