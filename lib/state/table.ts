import type { Key } from '../element.ts'
import { invariant } from '../invariant.ts'
import { CallChanges, type CallLog } from './callLog.ts'
import { Captured, type CapturedTable } from './capturedTable.ts'
import { ChangedEntries } from './changedEntries.ts'
import { ABSENT, Entry, nowhere } from './entry.ts'
import { textOf } from './tupleText.ts'
import { Versions } from './versions.ts'

export { CallLog } from './callLog.ts'
export type { CapturedTable } from './capturedTable.ts'
export { ABSENT, type Entry } from './entry.ts'

export interface TableOptions {
  /** What the handler call under way has changed. */
  readonly calls?: CallLog
  /** Captures may have a base; default false. */
  readonly incremental?: boolean
}

/**
 * Keyed state: one Map, and a list of entries for each key group.
 *
 * Copy-on-write by versions: a capture takes a number and the lists' lengths, whatever the table's size; an entry that
 * changes while captures are open keeps the value that they see. While one is open the part of the lists that it reads stays
 * in place: new entries are appended, removed ones leave the Map at once but stay in their list as tombstones. The last
 * release frees all versions and the first `takenOutAtOnce` tombstones; later changes take out the others, two each.
 *
 * Bounds: versions, one for each entry and open capture; tombstones, as many as were removed since none was open.
 * Given a `CallLog`, it also remembers what the call under way has changed, for captures from the middle of a call. `incremental`
 * ones remember which entries have changed since the base (`changedEntries.ts`).
 * Source: versioned entries won by measurement over overlays, cloned groups and HAMTs.
 */
export class Table<V> {
  readonly #lists: Entry<V>[][]
  readonly #changes: CallChanges<V> | undefined
  readonly #entries = new Map<Key, Entry<V>>()
  /** Tuples, by a text that is the same for equal ones. */
  #tuples: Map<string, Entry<V>> | undefined
  #size = 0
  readonly #versions = new Versions<V>()
  /** Number of the next capture. */
  #epoch = 0
  /** Ascending. */
  readonly #open: Captured<V>[] = []
  /** Number of the last of `#open`: what changes keeps its value if a capture up to this one sees it. */
  #newest = noCapture
  #tombstones: Entry<V>[] = []
  readonly #changed: ChangedEntries<V> | undefined
  /** The first change of an entry after the capture of this number has to be noted, or keeps a value. */
  #watched = noCapture

  constructor(groups: number, { calls, incremental = false }: TableOptions = {}) {
    this.#lists = new Array(groups).fill(none)
    this.#changes = calls === undefined ? undefined : new CallChanges(calls)
    this.#changed = incremental ? new ChangedEntries() : undefined
  }

  find(key: Key): Entry<V> | undefined {
    return typeof key === 'object' ? this.#tuples?.get(textOf(key)) : this.#entries.get(key)
  }

  /** The key's entry; a new one has the value `ABSENT`, and counts in nothing before it is set. */
  entry(key: Key, group: number): Entry<V> {
    if (typeof key === 'object') return this.#entryOfTuple(key, group)
    const found = this.#entries.get(key)
    if (found !== undefined) return found
    const entry = this.#added(key, group)
    this.#entries.set(key, entry)
    return entry
  }

  set(entry: Entry<V>, value: V): void {
    if (this.#changes !== undefined) this.#changes.note(entry)
    if (entry.epoch <= this.#watched) this.#firstChange(entry)
    if (entry.value === ABSENT) this.#count(entry)
    entry.value = value
  }

  /** Ends the entry's life: if the key comes back, `entry` gives another one. */
  remove(entry: Entry<V>): void {
    if (entry.at < 0) return
    if (this.#changes !== undefined) this.#changes.note(entry)
    if (entry.epoch <= this.#watched) this.#firstChange(entry)
    if (entry.value !== ABSENT) this.#size--
    entry.value = ABSENT
    const { key } = entry
    if (typeof key === 'object') this.#tuples?.delete(textOf(key))
    else this.#entries.delete(key)
    const newest = this.#open[this.#open.length - 1]
    if (newest === undefined || entry.at >= (newest.lengths[entry.group] as number)) this.#takeOut(entry)
    else {
      entry.at = ~entry.at
      this.#tombstones.push(entry)
    }
    this.#takeOutTombstones(2)
  }

  /** Keys that have a value. */
  get size(): number {
    return this.#size
  }

  /** What is held for open captures, and tombstones not yet taken out: 0 and soon 0 when none is open. */
  get held(): { readonly versions: number; readonly tombstones: number } {
    const numbers = this.#open.map(({ number }) => number)
    return { versions: this.#versions.count(numbers), tombstones: this.#tombstones.length }
  }

  /** Puts back what a snapshot held, before anything else is done with the table. */
  restore(group: number, key: Key, value: V): void {
    invariant(this.#epoch === 0, () => `a table is restored before its first capture, not after ${this.#epoch}`)
    const entry = this.entry(key, group)
    if (entry.value === ABSENT) this.#size++
    entry.value = value
  }

  /** The entries that have a value, in the order of groups. Not to be left and gone on with after a change. */
  *values(): Generator<Entry<V>, void> {
    for (const list of this.#lists) for (const entry of list) if (entry.value !== ABSENT) yield entry
  }

  /** Some of its values: what stands in so many places of its lists. */
  *some(placesMax: number): Generator<V, void> {
    let places = 0
    for (const list of this.#lists) {
      for (const { value } of list) {
        if (places++ >= placesMax) return
        if (value !== ABSENT) yield value
      }
    }
  }

  /** Takes time for the groups, not for the entries. `beforeCall`: as it was before the call under way changed it. */
  capture({ beforeCall }: { readonly beforeCall: boolean } = { beforeCall: false }): CapturedTable<V> {
    const before = beforeCall ? (this.#changes?.before ?? []) : []
    let size = this.#size
    for (const { entry, value } of before) {
      // Older captures, even from this very call, go on seeing what they see.
      if (entry.epoch <= this.#watched) this.#firstChange(entry)
      if (value !== ABSENT && entry.at === nowhere) this.#bringBack(entry)
      size += Number(value !== ABSENT) - Number(entry.value !== ABSENT)
    }
    const number = this.#epoch++
    const captured = new Captured(
      { number, size, lists: this.#lists, versions: this.#versions, since: this.#changed?.captured(number) },
      { close: released => this.#close(released), stored: (of, how) => this.#stored(of, how) },
    )
    this.#open.push(captured)
    this.#newest = number
    this.#watch()
    // For this capture the call has not been; from the next on it has.
    for (const { entry, value } of before) {
      entry.older = this.#versions.keep({ value, epoch: number, older: entry.older }, number + 1)
      entry.epoch = number + 1
      this.#note(entry)
    }
    return captured
  }

  #entryOfTuple(key: readonly Key[], group: number): Entry<V> {
    this.#tuples ??= new Map()
    const text = textOf(key)
    const found = this.#tuples.get(text)
    if (found !== undefined) return found
    const entry = this.#added(key, group)
    this.#tuples.set(text, entry)
    return entry
  }

  #added(key: Key, group: number): Entry<V> {
    const entry = new Entry<V>(key, group, this.#epoch)
    this.#append(entry)
    this.#note(entry)
    this.#takeOutTombstones(2)
    return entry
  }

  /** Since the newest capture. */
  #firstChange(entry: Entry<V>): void {
    if (entry.epoch <= this.#newest) entry.older = this.#versions.keep(entry, this.#epoch)
    entry.epoch = this.#epoch
    this.#note(entry)
  }

  /** The next capture is the first to see it as it is. */
  #note(entry: Entry<V>): void {
    if (this.#changed?.noting !== true) return
    this.#changed.add(entry, this.#size)
    if (!this.#changed.noting) this.#watch()
  }

  #watch(): void {
    this.#watched = this.#changed?.noting === true ? this.#epoch - 1 : this.#newest
  }

  #stored({ number }: Captured<V>, { asBase }: { readonly asBase: boolean }): void {
    if (asBase) this.#changed?.stored(number)
    else this.#changed?.forget()
    this.#watch()
  }

  #count(entry: Entry<V>): void {
    invariant(entry.at >= 0, () => `nobody sets an entry after its removal (key ${String(entry.key)})`)
    this.#size++
  }

  #close(captured: Captured<V>): void {
    this.#open.splice(this.#open.indexOf(captured), 1)
    this.#newest = this.#open[this.#open.length - 1]?.number ?? noCapture
    this.#watch()
    this.#versions.release(this.#open.map(({ number }) => number))
    this.#takeOutTombstones(takenOutAtOnce)
  }

  #takeOutTombstones(max: number): void {
    if (this.#tombstones.length === 0 || this.#newest !== noCapture) return
    for (let i = 0; i < max && this.#tombstones.length > 0; i++) this.#takeOut(this.#tombstones.pop() as Entry<V>)
  }

  #append(entry: Entry<V>): void {
    let list = this.#lists[entry.group] as Entry<V>[]
    if (list === none) {
      list = []
      this.#lists[entry.group] = list
    }
    entry.at = list.push(entry) - 1
  }

  /** As a tombstone, for a capture from before its removal. */
  #bringBack(entry: Entry<V>): void {
    this.#append(entry)
    entry.at = ~entry.at
    this.#tombstones.push(entry)
  }

  /** The last of its list takes its place. */
  #takeOut(entry: Entry<V>): void {
    const list = this.#lists[entry.group] as Entry<V>[]
    const at = positionOf(entry)
    if (list[at] !== entry) invariant(false, () => `the list of group ${entry.group} has its entry at ${at}`)
    const last = list.pop() as Entry<V>
    entry.at = nowhere
    if (last === entry) return
    list[at] = last
    last.at = last.at < 0 ? ~at : at
  }
}

const positionOf = ({ at }: Entry<unknown>): number => (at < 0 ? ~at : at)

/** The list of a group that has no entry yet: most groups of most tables are other tasks'. */
const none: Entry<any>[] = []
const noCapture = -1
/** About a millisecond, at 100 to 500 ns each. */
const takenOutAtOnce = 2_000
