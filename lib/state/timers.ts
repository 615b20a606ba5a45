import type { Key } from '../element.ts'
import { compareKeys } from './keyOrder.ts'
import type { Entry, Table } from './table.ts'

export interface Due {
  readonly key: Key
  readonly group: number
  readonly timeMs: number
}

/**
 * Event-time timers of keys, one for each key and time.
 *
 * What lasts is a table of each key's times, ascending, so that snapshots see timers as they see state; nothing else changes
 * that table. A change of a key's timers takes time for all timers of that key.
 *
 * The heap is an index over the table, made again from it at a restore. It also names timers that are gone: at the most as many
 * as there are timers, and `staleMin`. From half of that on each deletion looks at a few places of the heap and frees those.
 *
 * Of several due timers the earliest is first; of one time, the one of the lower key group, then of the lower key
 * (`compareKeys`): the order does not depend on the order in which they were added.
 */
export class Timers {
  readonly #table: Table<Times>
  /** A binary heap in two arrays: the times, and whose they are. */
  #times: number[] = []
  #entries: Entry<Times>[] = []
  #size = 0
  /** Where the looking for timers that are gone goes on. */
  #sweptTo = 0

  /** The table may have been filled by a restore. */
  constructor(table: Table<Times>) {
    this.#table = table
    this.#index()
  }

  get size(): number {
    return this.#size
  }

  /** Places in the heap: timers, and what is left of timers that are gone. */
  get indexSize(): number {
    return this.#times.length
  }

  /** @throws RangeError if the time is NaN, which has no place in any order. */
  add(key: Key, group: number, timeMs: number): void {
    if (Number.isNaN(timeMs)) throw new RangeError('a timer needs a time in ms, not NaN')
    const entry = this.#table.entry(key, group)
    const times = timesOf(entry)
    const at = positionIn(times, timeMs)
    if (times[at] === timeMs) return
    this.#table.set(entry, times.length === 0 ? [timeMs] : times.toSpliced(at, 0, timeMs))
    this.#size++
    this.#push(timeMs, entry)
  }

  delete(key: Key, timeMs: number): void {
    const entry = this.#table.find(key)
    if (entry === undefined) return
    const times = timesOf(entry)
    const at = positionIn(times, timeMs)
    if (times[at] !== timeMs) return
    if (times.length === 1) this.#table.remove(entry)
    else this.#table.set(entry, times.toSpliced(at, 1))
    this.#size--
    this.#sweep()
  }

  /**
   * The first timer that is not above the watermark. It stays until `delete`, which belongs to the call that it leads to, so
   * that a snapshot from the middle of the call still has it.
   */
  nextDue(watermarkMs: number): Due | undefined {
    while (this.#times.length > 0) {
      const timeMs = this.#times[0] as number
      const entry = this.#entries[0] as Entry<Times>
      // Nothing in the heap is earlier, so the timer is there only if it is its key's first one.
      if (timesOf(entry)[0] === timeMs) {
        return timeMs <= watermarkMs ? { key: entry.key, group: entry.group, timeMs } : undefined
      }
      this.#free(0)
    }
    return undefined
  }

  has(key: Key, timeMs: number): boolean {
    const entry = this.#table.find(key)
    return entry !== undefined && has(entry, timeMs)
  }

  /** All timers that are not above the watermark of their key group, in their order. Takes time for all timers. */
  overdue(watermarksMs: Float64Array): Due[] {
    const due: Due[] = []
    for (const { key, group, value } of this.#table.values()) {
      for (const timeMs of value as Times) {
        if (timeMs > (watermarksMs[group] as number)) break
        due.push({ key, group, timeMs })
      }
    }
    return due.sort((a, b) => a.timeMs - b.timeMs || a.group - b.group || compareKeys(a.key, b.key))
  }

  /** Takes time for all timers. */
  #index(): void {
    const times: number[] = []
    const entries: Entry<Times>[] = []
    for (const entry of this.#table.values()) {
      for (const timeMs of timesOf(entry)) {
        times.push(timeMs)
        entries.push(entry)
      }
    }
    this.#times = times
    this.#entries = entries
    this.#size = times.length
    for (let at = (times.length >> 1) - 1; at >= 0; at--)
      this.#sink(at, times[at] as number, entries[at] as Entry<Times>)
  }

  /** Four places a deletion free more than the one that a deletion makes stale, if a third of all are. */
  #sweep(): void {
    const [times, entries] = [this.#times, this.#entries]
    if (2 * (times.length - this.#size) < this.#size + staleMin) return
    for (let i = 0; i < 4 && times.length > 0; i++) {
      if (this.#sweptTo >= times.length) this.#sweptTo = 0
      const at = this.#sweptTo
      if (has(entries[at] as Entry<Times>, times[at] as number)) this.#sweptTo++
      else this.#free(at)
    }
    // Only where a key's other timers keep its entry: a time deleted and added again is in the heap twice, and not stale.
    if (times.length > 2 * this.#size + staleMin) this.#index()
  }

  #push(timeMs: number, entry: Entry<Times>): void {
    this.#times.push(timeMs)
    this.#entries.push(entry)
    this.#rise(this.#times.length - 1, timeMs, entry)
  }

  /** The last one takes its place. */
  #free(at: number): void {
    const timeMs = this.#times.pop() as number
    const entry = this.#entries.pop() as Entry<Times>
    if (at === this.#times.length) return
    if (this.#rise(at, timeMs, entry) === at) this.#sink(at, timeMs, entry)
  }

  /** Puts it at a place that may be too far from the root; returns where it went. */
  #rise(from: number, timeMs: number, entry: Entry<Times>): number {
    const [times, entries] = [this.#times, this.#entries]
    let at = from
    while (at > 0) {
      const parent = (at - 1) >> 1
      const parentMs = times[parent] as number
      const above = entries[parent] as Entry<Times>
      if (timeMs > parentMs || (timeMs === parentMs && compareEntries(above, entry) <= 0)) break
      times[at] = parentMs
      entries[at] = above
      at = parent
    }
    times[at] = timeMs
    entries[at] = entry
    return at
  }

  /** Puts it at a place that may be too near to the root. */
  #sink(from: number, timeMs: number, entry: Entry<Times>): void {
    const [times, entries] = [this.#times, this.#entries]
    const { length } = times
    let at = from
    for (let child = 2 * at + 1; child < length; child = 2 * at + 1) {
      let childMs = times[child] as number
      let below = entries[child] as Entry<Times>
      if (child + 1 < length) {
        const otherMs = times[child + 1] as number
        const other = entries[child + 1] as Entry<Times>
        if (otherMs < childMs || (otherMs === childMs && compareEntries(other, below) < 0)) {
          child++
          childMs = otherMs
          below = other
        }
      }
      if (timeMs < childMs || (timeMs === childMs && compareEntries(entry, below) <= 0)) break
      times[at] = childMs
      entries[at] = below
      at = child
    }
    times[at] = timeMs
    entries[at] = entry
  }
}

/** Of one key: ascending, each once. Immutable, as all values in tables are. */
type Times = readonly number[]

const timesOf = ({ value }: Entry<Times>): Times => (typeof value === 'symbol' ? none : value)

const has = (entry: Entry<Times>, timeMs: number): boolean => {
  const times = timesOf(entry)
  return times[positionIn(times, timeMs)] === timeMs
}

/** Where the time stands, or would stand. */
const positionIn = (times: Times, timeMs: number): number => {
  let [from, to] = [0, times.length]
  while (from < to) {
    const middle = (from + to) >> 1
    if ((times[middle] as number) < timeMs) from = middle + 1
    else to = middle
  }
  return from
}

const compareEntries = (a: Entry<Times>, b: Entry<Times>): number => a.group - b.group || compareKeys(a.key, b.key)

const none: Times = []
/** Below this, looking for them is not worth it. */
const staleMin = 64
