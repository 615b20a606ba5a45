import type { Key } from '../element.ts'
import { SpillwayError } from '../error.ts'
import type { CapturedEntries } from './capturedTable.ts'
import { holdsMutable } from './holdsMutable.ts'
import { isUsers } from './isUsers.ts'
import type { CapturedOperator } from './operatorState.ts'

/**
 * What the values of an operator looked like when they were captured, to find those that have been changed in place since: a
 * snapshot holds them by reference, and one that holds only what has changed misses what no handler has set.
 *
 * Takes time and memory for all values: for `checks` alone.
 */
export class CapturedValues {
  readonly #hashOf: (value: unknown) => number
  /** By state. */
  readonly #hashes = new Map<string, WeakMap<object, number>>()

  /** The hash tells values apart that would be written otherwise. */
  constructor(hashOf: (value: unknown) => number) {
    this.#hashOf = hashOf
  }

  /**
   * Of a capture, as it is made. Values that cannot be frozen may have changed where a handler has set them since, or all are written.
   * @throws MUTATED_AFTER_CAPTURE
   */
  captured({ operator, kept, tables }: CapturedOperator): void {
    for (const { name, mutable, captured, encode } of tables) {
      const all = entriesIn(captured.batches(batchSize))
      const written = captured.hasBase ? captured.changes(batchSize) : [all]
      const mayDiffer = new Set<unknown>(entriesIn(mutable ? written : none).map(([, , value]) => value))
      for (const [, key, value] of all) {
        this.#compare(value, { operator, state: name, key, encode, mayDiffer: mayDiffer.has(value) })
      }
    }
    this.#compareKept(operator, kept)
  }

  /** Of the same, once it is written. What cannot be frozen was encoded as it was captured. @throws MUTATED_AFTER_CAPTURE */
  written({ operator, kept, tables }: CapturedOperator): void {
    for (const { name, mutable, captured, encode } of tables) {
      if (mutable) continue
      for (const [, key, value] of entriesIn(captured.batches(batchSize)))
        this.#compare(value, { operator, state: name, key, encode })
    }
    this.#compareKept(operator, kept)
  }

  #compareKept(operator: string, kept: CapturedOperator['kept']): void {
    for (const [state, value] of Object.entries(kept)) {
      if (isUsers(operator, state) && !holdsMutable(value)) this.#compare(value, { operator, state, encode: it => it })
    }
  }

  #compare(value: unknown, of: Compared): void {
    if (typeof value !== 'object' || value === null) return
    const hashes = this.#hashes.get(of.state) ?? new WeakMap<object, number>()
    this.#hashes.set(of.state, hashes)
    const before = hashes.get(value)
    const now = this.#hashOf(of.encode(value))
    if (before !== undefined && before !== now && of.mayDiffer !== true) throw mutated(of)
    hashes.set(value, now)
  }
}

interface Place {
  readonly operator: string
  readonly state: string
  readonly key?: Key
}

interface Compared extends Place {
  /** As it is stored. */
  readonly encode: (value: unknown) => unknown
  readonly mayDiffer?: boolean
}

const mutated = ({ operator, state, key }: Place) =>
  new SpillwayError('MUTATED_AFTER_CAPTURE', {
    place: `${operator}, state ${state}${key === undefined ? '' : `, key ${shown(key)}`}`,
    problem: 'the value has been changed in place since a checkpoint captured it.',
    remedy: 'Set another value instead, such as { ...value, count }, or change a draft of it by produce.',
  })

const shown = (key: Key): string =>
  typeof key === 'object' ? `[${key.map(shown).join(', ')}]` : typeof key === 'string' ? JSON.stringify(key) : `${key}`

const entriesIn = <V>(batches: Iterable<CapturedEntries<V>>): CapturedEntries<V> => [...batches].flat()

const none: readonly never[] = []
const batchSize = 1_000
