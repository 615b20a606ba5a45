import type { Key } from '../element.ts'
import { invariant } from '../invariant.ts'
import type { ChangedSince } from './changedEntries.ts'
import { type ABSENT, type Entry, isThere } from './entry.ts'
import type { Versions } from './versions.ts'

/**
 * A table as it was when it was captured: references, until it is released, once.
 *
 * It is read in batches of at most so many entries, a key once in all of them. The table may change between two batches, and reading may
 * be left after any.
 *
 * Contract: whoever captures releases; values are immutable; nobody reads what is released (asserted).
 */
export interface CapturedTable<V> {
  readonly size: number
  /** All of it, in the order of groups. */
  batches(max: number): Iterable<CapturedEntries<V>>
  /** Whether it says what it has beyond a base: there was one when it was captured. */
  readonly hasBase: boolean
  /** What it has beyond the base, in no order, a key that is gone with `ABSENT`; one that is both gone and there is there. */
  changes(max: number): Iterable<CapturedEntries<V | typeof ABSENT>>
  /** Frees what is held for it; also in the middle of reading. */
  release(): void
  readonly released: boolean
  /**
   * It is stored, also if it is released: with `asBase`, later captures give what they have beyond it, until another one is stored;
   * otherwise they have no base.
   */
  stored(how: { readonly asBase: boolean }): void
}

/** The reader's own. */
export type CapturedEntries<V> = (readonly [group: number, key: Key, value: V])[]

interface View<V> {
  readonly number: number
  readonly size: number
  readonly lists: readonly (readonly Entry<V>[])[]
  readonly versions: Versions<V>
  readonly since: ChangedSince<V> | undefined
}

/** What a capture says to its table. */
interface Told<V> {
  close(captured: Captured<V>): void
  stored(captured: Captured<V>, how: { readonly asBase: boolean }): void
}

export class Captured<V> implements CapturedTable<V> {
  readonly number: number
  readonly size: number
  readonly hasBase: boolean
  /** Of the lists: what comes behind is newer. */
  readonly lengths: Uint32Array
  /** Undefined once it is released. */
  #view: View<V> | undefined
  readonly #told: Told<V>

  constructor(view: View<V>, told: Told<V>) {
    this.number = view.number
    this.size = view.size
    this.hasBase = view.since !== undefined
    this.lengths = Uint32Array.from(view.lists, list => list.length)
    this.#view = view
    this.#told = told
  }

  *batches(max: number): Generator<CapturedEntries<V>, void> {
    const { lengths } = this
    const batch = new Batch<V>(Math.min(max, this.size))
    for (let group = 0; group < lengths.length; group++) {
      const length = lengths[group] as number
      for (let at = 0; at < length; ) {
        const until = Math.min(length, at + batch.room)
        this.#read(batch, { group, at, until })
        at = until
        if (batch.room === 0) yield batch.take()
      }
    }
    if (!batch.isEmpty) yield batch.take()
  }

  *changes(max: number): Generator<CapturedEntries<V | typeof ABSENT>, void> {
    const { since } = this.#open
    if (since === undefined) return
    const places = since.lists.reduce((sum, { length }) => sum + length, 0)
    const batch = new Batch<V | typeof ABSENT>(Math.min(max, places))
    for (const [nth, list] of since.lists.entries()) {
      for (let at = 0; at < list.length; ) {
        const until = Math.min(list.length, at + batch.room)
        this.#readChanged(batch, { list, at, until, epoch: since.base + 1 + nth, base: since.base })
        at = until
        if (batch.room === 0) yield batch.take()
      }
    }
    if (!batch.isEmpty) yield batch.take()
  }

  get released(): boolean {
    return this.#view === undefined
  }

  release(): void {
    if (this.#view === undefined) return
    this.#view = undefined
    this.#told.close(this)
  }

  stored(how: { readonly asBase: boolean }): void {
    this.#told.stored(this, how)
  }

  #read(batch: Batch<V>, { group, at: from, until }: Places & { readonly group: number }): void {
    const { lists, versions } = this.#open
    const list = lists[group] as readonly Entry<V>[]
    for (let at = from; at < until; at++) {
      const entry = list[at] as Entry<V>
      const value = entry.epoch <= this.number ? entry.value : versions.find(entry.older, this.number)
      if (isThere(value)) batch.add(group, entry.key, value)
    }
  }

  #readChanged(batch: Batch<V | typeof ABSENT>, { list, at: from, until, epoch, base }: ChangedPlaces<V>): void {
    const { versions } = this.#open
    for (let at = from; at < until; at++) {
      const entry = list[at] as Entry<V>
      const isSeen = entry.epoch <= this.number
      // It may stand in several lists.
      if ((isSeen ? entry.epoch : versions.epochOf(entry.older, this.number)) !== epoch) continue
      const value = isSeen ? entry.value : versions.find(entry.older, this.number)
      // What the base has not seen need not be taken from it.
      if (isThere(value) || entry.since <= base) batch.add(entry.group, entry.key, value)
    }
  }

  /** Asked for again at each batch: it may have been released since the one before. */
  get #open(): View<V> {
    const view = this.#view
    invariant(view !== undefined, () => 'a released capture is not read')
    return view
  }
}

interface Places {
  readonly at: number
  readonly until: number
}

interface ChangedPlaces<V> extends Places {
  readonly list: readonly Entry<V>[]
  /** The first capture that sees the changes of the list. */
  readonly epoch: number
  readonly base: number
}

/**
 * Being filled: an array made for what it takes, which is quicker than one that grows.
 *
 * Whoever encodes a batch finds its keys and values in the processor's cache, as their types have been looked at here, where reading
 * many from memory overlaps; otherwise it would wait for each, and a million cold entries would take twice as long.
 */
class Batch<V> {
  readonly #max: number
  #entries: CapturedEntries<V>
  #count = 0
  // biome-ignore lint/correctness/noUnusedPrivateClassMembers: what nobody would hear of is not looked at
  #tuples = 0

  constructor(max: number) {
    this.#max = Math.max(1, max)
    this.#entries = new Array(this.#max)
  }

  get room(): number {
    return this.#max - this.#count
  }

  get isEmpty(): boolean {
    return this.#count === 0
  }

  add(group: number, key: Key, value: V): void {
    this.#entries[this.#count++] = [group, key, value]
    if (typeof key === 'object') this.#tuples++
  }

  /** Begins the next one. */
  take(): CapturedEntries<V> {
    const entries = this.#entries
    entries.length = this.#count
    this.#entries = new Array(this.#max)
    this.#count = 0
    return entries
  }
}
