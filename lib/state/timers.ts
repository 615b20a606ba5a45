import type { Key } from '../element.ts'
import type { Table } from './table.ts'

export interface Due {
  readonly key: Key
  readonly group: number
  readonly timeMs: number
}

/**
 * Event-time timers of keys. What lasts is a table of ascending times a key, so that snapshots see timers as they see state; the
 * heap is an index over it, made again at a restore. It may hold entries of timers that are gone: at most as many as live
 * ones, and 64.
 */
export class Timers {
  readonly #table: Table<readonly number[]>
  #heap: Due[] = []
  #live = 0

  constructor(table: Table<readonly number[]>) {
    this.#table = table
    this.#rebuild()
  }

  add(key: Key, group: number, timeMs: number): void {
    const entry = this.#table.entry(key, group)
    const times = Array.isArray(entry.value) ? (entry.value as readonly number[]) : none
    if (times.includes(timeMs)) return
    const at = times.findIndex(other => other > timeMs)
    this.#table.set(entry, at < 0 ? [...times, timeMs] : [...times.slice(0, at), timeMs, ...times.slice(at)])
    this.#live++
    this.#push({ key, group, timeMs })
  }

  delete(key: Key, timeMs: number): void {
    const entry = this.#table.find(key)
    if (entry === undefined || !Array.isArray(entry.value) || !entry.value.includes(timeMs)) return
    const left = entry.value.filter((other: number) => other !== timeMs)
    if (left.length === 0) this.#table.remove(entry)
    else this.#table.set(entry, left)
    this.#live--
    if (this.#heap.length > 2 * this.#live + 64) this.#rebuild()
  }

  /** The earliest timer that is not above the watermark; of one time, in the order of groups and keys. */
  nextDue(watermarkMs: number): Due | undefined {
    for (let first = this.#heap[0]; first !== undefined; first = this.#heap[0]) {
      const value = this.#table.find(first.key)?.value
      if (Array.isArray(value) && value.includes(first.timeMs)) return first.timeMs <= watermarkMs ? first : undefined
      this.#pop()
    }
    return undefined
  }

  #rebuild(): void {
    this.#heap = []
    for (const { key, group, value } of this.#table.values()) {
      for (const timeMs of value as readonly number[]) this.#heap.push({ key, group, timeMs })
    }
    this.#heap.sort(order)
    this.#live = this.#heap.length
  }

  #push(due: Due): void {
    const heap = this.#heap
    let at = heap.push(due) - 1
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (order(heap[parent] as Due, due) <= 0) break
      heap[at] = heap[parent] as Due
      at = parent
    }
    heap[at] = due
  }

  #pop(): void {
    const heap = this.#heap
    const last = heap.pop()
    if (last === undefined || heap.length === 0) return
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && order(heap[child + 1] as Due, heap[child] as Due) < 0) child++
      if (order(last, heap[child] as Due) <= 0) break
      heap[at] = heap[child] as Due
      at = child
    }
    heap[at] = last
  }
}

const order = (a: Due, b: Due): number => a.timeMs - b.timeMs || a.group - b.group || compare(String(a.key), String(b.key))

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

const none: readonly number[] = []
