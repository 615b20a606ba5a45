import type { Entry } from './entry.ts'

/**
 * Which entries of a table have changed since the base: the capture that is stored, and that later ones may build on. Without
 * one, since the newest capture, as that may become it.
 *
 * A list for each capture: an entry stands in the list of a capture if the first one to see its change was this. So it may
 * stand in several, and the capture's version says which of them counts.
 *
 * Bound: 8 bytes a place, and as many places as the table has keys (`placesMin` at least). With more there is nothing to be gained by
 * them: then nothing is noted up to the next capture, which has no base.
 */
export class ChangedEntries<V> {
  /** Of this capture's view and before it nothing is noted; undefined: nothing is noted at all. */
  #since: number | undefined
  /** `#since` is the base. */
  #hasBase = false
  /** By capture, from `#since + 1` on; the last one is the next capture's. */
  #lists: Entry<V>[][] = []
  #places = 0

  /** Changes are to be given to `add`. */
  get noting(): boolean {
    return this.#since !== undefined
  }

  /** The next capture is the first that sees its change. */
  add(entry: Entry<V>, tableSize: number): void {
    this.#lists[this.#lists.length - 1]?.push(entry)
    this.#places++
    if (this.#places > placesMin && this.#places > tableSize) this.forget()
  }

  /** What the capture of this number has beyond the base; undefined: there is none. From here on the next one's changes are noted. */
  captured(number: number): ChangedSince<V> | undefined {
    const { base, lists } = { base: this.#since, lists: this.#lists }
    if (!this.#hasBase || base === undefined) {
      this.#since = number
      this.#lists = [[]]
      this.#places = 0
      return undefined
    }
    this.#lists = [...lists, []]
    return { base, lists }
  }

  /** The capture of this number is stored; it is the base from now on, unless too much has changed since. */
  stored(number: number): void {
    if (this.#since === undefined || number < this.#since) return
    const gone = this.#lists.splice(0, number - this.#since)
    for (const list of gone) this.#places -= list.length
    this.#since = number
    this.#hasBase = true
  }

  /** The next capture has no base. */
  forget(): void {
    this.#since = undefined
    this.#hasBase = false
    this.#lists = []
    this.#places = 0
  }
}

export interface ChangedSince<V> {
  /** Number of the capture that is the base. */
  readonly base: number
  /** Of the captures `base + 1`, `base + 2`, ... */
  readonly lists: readonly (readonly Entry<V>[])[]
}

/** Below this, counting is not worth it. */
const placesMin = 1_024
