import type { Key } from '../element.ts'
import { textOf } from '../state/tupleText.ts'
import { type Coding, valueIn } from './chunk.ts'

/** What an object of a chain has of a table, in chunks: all of it; or what is gone since the object before; or is new or another. */
export interface Layer {
  readonly kind: 'table' | 'removed' | 'changed'
  readonly chunks: readonly Uint8Array[]
  /** For errors. */
  readonly place: string
}

export type Batch = readonly (readonly [group: number, key: Key, value: unknown])[]

/**
 * The table that layers make, oldest first: of each key what the newest layer says that has it. In batches, each decoded as it is
 * asked for. Takes memory for the keys of all layers but the oldest.
 */
export function* laidOver(layers: readonly Layer[], coding: Coding): Generator<Batch> {
  const newer = new Keys()
  for (const { kind, chunks, place } of [...layers].reverse()) {
    for (const chunk of chunks) {
      const batch = valueIn(chunk, { coding, place })
      if (kind === 'removed') {
        newer.add(batch as Removed)
        continue
      }
      const left = newer.isEmpty ? (batch as Batch) : (batch as Batch).filter(([, key]) => !newer.has(key))
      if (left.length > 0) yield left
      // A layer has each key once, so that its own may be known at once.
      if (kind === 'changed') newer.add(left)
    }
    if (kind === 'table') return
  }
}

type Removed = readonly (readonly [group: number, key: Key])[]

/** Keys by what they are, tuples too. */
class Keys {
  readonly #plain = new Set<Key>()
  readonly #tuples = new Set<string>()

  get isEmpty(): boolean {
    return this.#plain.size === 0 && this.#tuples.size === 0
  }

  has(key: Key): boolean {
    return typeof key === 'object' ? this.#tuples.has(textOf(key)) : this.#plain.has(key)
  }

  add(batch: Removed | Batch): void {
    for (const [, key] of batch) {
      if (typeof key === 'object') this.#tuples.add(textOf(key))
      else this.#plain.add(key)
    }
  }
}
