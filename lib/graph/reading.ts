import * as t from 'io-ts'
import { type Observable, Subject } from 'rxjs'
import { buffer, end, type SplitId, type StreamElement, side, splits } from '../element.ts'
import type { OperatorState } from '../state/operatorState.ts'
import type { Source, SplitReader } from './source.ts'

/** Where a split stands in a snapshot. */
type Stand = { readonly position: unknown } | 'ended'

interface OpenSplit<T> {
  readonly split: SplitId
  readonly reader: SplitReader<T, unknown>
  waiting: boolean
}

/**
 * Reads the splits of one task in turns and makes elements of them: first of all the splits that are open, then a buffer a
 * turn, in the end `end`. Snapshots hold each split's position.
 */
export class Reading<T> {
  /** Emits when `take` may have something again after `undefined`. */
  readonly ready$ = new Subject<void>()
  readonly #stands = new Map<SplitId, Stand>()
  readonly #open: OpenSplit<T>[] = []
  readonly #next: StreamElement<T>[] = []
  #turn = 0
  #ended = false

  /**
   * @throws STATE_NOT_MATCHED if a stored position does not decode
   */
  constructor(source: Source<T>, assigned: readonly SplitId[], state: OperatorState) {
    const stand = t.union([t.literal('ended'), t.type({ position: source.position })]) as t.Type<Stand>
    const stored = state.keep('splits', t.record(t.string, stand), () => this.#captured()) ?? {}
    for (const split of assigned) {
      const from = stored[split]
      if (from === 'ended') this.#stands.set(split, 'ended')
      else this.#open.push({ split, reader: source.open(split, from?.position), waiting: false })
    }
    this.#next.push(this.#openSplits())
  }

  /** At most `recordsMax` records of one split, or another element; undefined: nothing is there yet, or all has ended. */
  take(recordsMax: number): StreamElement<T> | undefined {
    const next = this.#next.shift()
    if (next !== undefined) return next
    for (let tried = 0; tried < this.#open.length; tried++) {
      this.#turn = (this.#turn + 1) % this.#open.length
      const open = this.#open[this.#turn] as OpenSplit<T>
      if (open.waiting) continue
      const records = open.reader.next(recordsMax)
      if (records === 'wait') {
        open.waiting = true
        this.#wakeLater(open)
        continue
      }
      this.#queueSides(open)
      if (records !== 'end') {
        this.#next.unshift(buffer(records, { split: open.split }))
      } else {
        this.#end(open)
      }
      return this.#next.shift()
    }
    if (this.#open.length > 0 || this.#ended) return undefined
    this.#ended = true
    return end
  }

  /** Something may be taken without waiting. */
  get ready(): boolean {
    return this.#next.length > 0 || this.#open.some(open => !open.waiting) || (this.#open.length === 0 && !this.#ended)
  }

  close(): void {
    for (const { reader } of this.#open.splice(0)) reader.close()
    this.ready$.complete()
  }

  #openSplits(): StreamElement<T> {
    return splits(this.#open.map(({ split }) => split))
  }

  #end(open: OpenSplit<T>): void {
    this.#open.splice(this.#open.indexOf(open), 1)
    this.#stands.set(open.split, 'ended')
    open.reader.close()
    this.#next.push(this.#openSplits())
  }

  #queueSides(open: OpenSplit<T>): void {
    for (const [name, records] of open.reader.takeSides?.() ?? []) {
      if (records.length > 0) this.#next.push(side(name, buffer(records, { split: open.split })))
    }
  }

  #wakeLater(open: OpenSplit<T>): void {
    const ready: Observable<unknown> = open.reader.ready$
    let woken = false
    const subscription = ready.subscribe({
      next: () => {
        if (woken) return
        woken = true
        subscription?.unsubscribe()
        open.waiting = false
        this.ready$.next()
      },
      error: error => this.ready$.error(error),
    })
    if (woken) subscription.unsubscribe()
  }

  #captured(): Record<SplitId, Stand> {
    const captured: Record<SplitId, Stand> = Object.fromEntries(this.#stands)
    for (const { split, reader } of this.#open) captured[split] = { position: reader.position() }
    return captured
  }
}
