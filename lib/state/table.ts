import type { Key } from '../element.ts'
import { invariant } from '../invariant.ts'

/** The value of a key that the table does not have. */
export const ABSENT: unique symbol = Symbol('absent')

/** Which handler call is under way, and what it has changed: shared by the tables of an operator. */
export class CallLog {
  /** Of the call under way. */
  number = 0

  begin(): void {
    this.number++
  }
}

/** A key's place in a table. Only the table changes it. */
export class Entry<V> {
  readonly key: Key
  readonly group: number
  value: V | typeof ABSENT = ABSENT
  /** When the value was set: captures older than this want an older one. */
  epoch: number
  /** Values of older epochs, newest first, while a capture wants them. */
  old: Version<V> | undefined = undefined
  /** The call that has changed it last. */
  call = -1
  /** Where it stands in its group's list. */
  at = 0

  constructor(key: Key, group: number, epoch: number) {
    this.key = key
    this.group = group
    this.epoch = epoch
  }
}

interface Version<V> {
  readonly value: V | typeof ABSENT
  readonly epoch: number
  readonly next: Version<V> | undefined
}

/** A table as it was when it was captured. */
export interface CapturedTable<V> {
  /** In the order of groups. May be left at any entry and gone on with while the table changes. */
  entries(): Iterable<readonly [group: number, key: Key, value: V]>
  /** Frees what is held for it; also in the middle of reading. */
  release(): void
}

/**
 * Keyed state: one Map, and a list of entries for each key group.
 *
 * Copy-on-write by versions: a capture takes a number, whatever the table's size; an entry changed while captures are open
 * keeps the value that they see. Removed entries stay as tombstones while a capture is open.
 * Source: versioned entries won by measurement over overlays, cloned groups and HAMTs.
 */
export class Table<V> {
  readonly #groups: Entry<V>[][]
  readonly #calls: CallLog | undefined
  readonly #entries = new Map<Key, Entry<V>>()
  /** Tuples, by a text that is the same for equal ones. */
  readonly #tuples = new Map<string, Entry<V>>()
  #epoch = 0
  /** Epochs of the open captures, ascending. */
  #open: number[] = []
  /** Entries that hold old versions, or are tombstones, because captures are open. */
  #held: Entry<V>[] = []
  #undo: { readonly entry: Entry<V>; readonly value: V | typeof ABSENT }[] = []
  #undoOf = -1

  constructor(groups: number, calls?: CallLog) {
    this.#groups = Array.from({ length: groups }, () => none)
    this.#calls = calls
  }

  find(key: Key): Entry<V> | undefined {
    return typeof key === 'object' ? this.#tuples.get(textOf(key)) : this.#entries.get(key)
  }

  /** The key's entry; a new one has the value `ABSENT`. */
  entry(key: Key, group: number): Entry<V> {
    const found = this.find(key)
    if (found !== undefined) return found
    const entry = new Entry<V>(key, group, this.#epoch)
    let list = this.#groups[group] as Entry<V>[]
    if (list === none) {
      list = []
      this.#groups[group] = list
    }
    entry.at = list.length
    list.push(entry)
    if (typeof key === 'object') this.#tuples.set(textOf(key), entry)
    else this.#entries.set(key, entry)
    return entry
  }

  set(entry: Entry<V>, value: V): void {
    this.#changed(entry)
    entry.value = value
  }

  remove(entry: Entry<V>): void {
    if (entry.value === ABSENT) return
    this.#changed(entry)
    entry.value = ABSENT
    if (this.#open.length === 0) this.#forget(entry)
    else this.#held.push(entry)
  }

  /** Keys that have a value, and tombstones. */
  get size(): number {
    return this.#entries.size + this.#tuples.size
  }

  restore(group: number, key: Key, value: V): void {
    this.entry(key, group).value = value
  }

  *values(): Iterable<Entry<V>> {
    for (const list of this.#groups) for (const entry of list) if (entry.value !== ABSENT) yield entry
  }

  /** `beforeCall`: as it was before the handler call under way changed it. */
  capture({ beforeCall }: { beforeCall: boolean } = { beforeCall: false }): CapturedTable<V> {
    const epoch = this.#epoch
    this.#epoch = epoch + 1
    this.#open.push(epoch)
    const undo = beforeCall && this.#undoOf === this.#calls?.number ? this.#undo : []
    const before = new Map<Entry<V>, V | typeof ABSENT>(undo.map(({ entry, value }) => [entry, value]))
    let released = false
    return {
      entries: () => this.#read(epoch, before),
      release: () => {
        if (released) return
        released = true
        this.#close(epoch)
      },
    }
  }

  *#read(
    epoch: number,
    before: ReadonlyMap<Entry<V>, V | typeof ABSENT>,
  ): Generator<readonly [group: number, key: Key, value: V]> {
    // Entries taken out in the call under way are in no list any more.
    for (const [entry, value] of before) if (value !== ABSENT) yield [entry.group, entry.key, value]
    for (let group = 0; group < this.#groups.length; group++) {
      const list = this.#groups[group] as Entry<V>[]
      const { length } = list
      for (let at = 0; at < length; at++) {
        const entry = list[at] as Entry<V>
        if (before.has(entry)) continue
        const value = valueAt(entry, epoch)
        if (value !== ABSENT) yield [group, entry.key, value]
      }
    }
  }

  #changed(entry: Entry<V>): void {
    const calls = this.#calls
    if (calls !== undefined && entry.call !== calls.number) {
      if (this.#undoOf !== calls.number) {
        this.#undoOf = calls.number
        this.#undo = []
      }
      entry.call = calls.number
      this.#undo.push({ entry, value: entry.value })
    }
    if (entry.epoch === this.#epoch) return
    if (this.#open.length > 0) {
      if (entry.old === undefined) this.#held.push(entry)
      entry.old = { value: entry.value, epoch: entry.epoch, next: entry.old }
    }
    entry.epoch = this.#epoch
  }

  #close(epoch: number): void {
    this.#open = this.#open.filter(open => open !== epoch)
    if (this.#open.length > 0) return
    const held = this.#held
    this.#held = []
    for (const entry of held) {
      entry.old = undefined
      if (entry.value === ABSENT && this.find(entry.key) === entry) this.#forget(entry)
    }
  }

  #forget(entry: Entry<V>): void {
    const { key, group, at } = entry
    if (typeof key === 'object') this.#tuples.delete(textOf(key))
    else this.#entries.delete(key)
    const list = this.#groups[group] as Entry<V>[]
    const moved = list.pop()
    invariant((moved !== undefined && list[at] !== undefined) || moved === entry, () => `entry ${at} is in its group's list`)
    if (moved === entry || moved === undefined) return
    list[at] = moved
    moved.at = at
  }
}

const valueAt = <V>(entry: Entry<V>, epoch: number): V | typeof ABSENT => {
  if (entry.epoch <= epoch) return entry.value
  for (let version = entry.old; version !== undefined; version = version.next) {
    if (version.epoch <= epoch) return version.value
  }
  return ABSENT
}

const textOf = (tuple: readonly Key[]): string =>
  tuple.map(member => (typeof member === 'object' ? `[${textOf(member)}]` : `${typeof member}:${JSON.stringify(String(member))}`)).join()

/** The list of a group that has no entry yet. */
const none: Entry<any>[] = []
