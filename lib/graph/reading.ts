import * as t from 'io-ts'
import { Subject, Subscription } from 'rxjs'
import { buffer, end, type SplitId, type StreamElement, side, splits } from '../element.ts'
import { messageOf, SpillwayError } from '../error.ts'
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
  /** For messages. */
  readonly #source: string
  readonly #stands = new Map<SplitId, Stand>()
  readonly #open: OpenSplit<T>[] = []
  #turn = -1
  #begun = false
  #ended = false

  /**
   * @throws STATE_NOT_MATCHED if a stored position does not decode, STATE_WOULD_BE_DROPPED if it is of no split of this task
   */
  constructor(source: Source<T>, assigned: readonly SplitId[], state: OperatorState) {
    this.#source = source.name
    const stand = t.union([t.literal('ended'), t.type({ position: source.position })]) as t.Type<Stand>
    const stored = state.keepBySplit('position', stand, () => this.#captured())
    for (const split of Object.keys(stored)) if (!assigned.includes(split)) throw splitGone(source.name, split)
    for (const split of assigned) {
      const from = stored[split]
      if (from === 'ended') this.#stands.set(split, 'ended')
      else this.#open.push({ split, reader: source.open(split, from?.position), waiting: false })
    }
  }

  /**
   * The next elements, to be handed over together, because the position lies behind all of them: at most `recordsMax` records
   * of one split with what it has for side outputs. undefined: nothing is there yet, or all has ended.
   */
  take(recordsMax: number): readonly StreamElement<T>[] | undefined {
    if (!this.#begun) {
      this.#begun = true
      return [this.#openSplits()]
    }
    for (let tried = 0; tried < this.#open.length; tried++) {
      this.#turn = (this.#turn + 1) % this.#open.length
      const open = this.#open[this.#turn] as OpenSplit<T>
      if (open.waiting) continue
      const records = this.#next(open, recordsMax)
      if (records !== 'wait') return records === 'end' ? this.#end(open) : taken(open, records)
      open.waiting = true
      this.#wakeLater(open)
    }
    if (this.#open.length > 0 || this.#ended) return undefined
    this.#ended = true
    return [end]
  }

  /** Something may be taken without waiting. */
  get ready(): boolean {
    return !this.#begun || this.#open.some(open => !open.waiting) || (this.#open.length === 0 && !this.#ended)
  }

  close(): void {
    for (const { reader } of this.#open.splice(0)) reader.close()
    this.ready$.complete()
  }

  #next({ split, reader }: OpenSplit<T>, recordsMax: number): readonly T[] | 'wait' | 'end' {
    try {
      return reader.next(recordsMax)
    } catch (error) {
      throw readFailed(this.#source, split, error)
    }
  }

  #openSplits(): StreamElement<T> {
    return splits(this.#open.map(({ split }) => split))
  }

  #end(open: OpenSplit<T>): readonly StreamElement<T>[] {
    this.#open.splice(this.#open.indexOf(open), 1)
    this.#stands.set(open.split, 'ended')
    open.reader.close()
    return [this.#openSplits()]
  }

  #wakeLater(open: OpenSplit<T>): void {
    const woken = new Subscription()
    woken.add(
      open.reader.ready$.subscribe({
        next: () => {
          if (woken.closed) return
          woken.unsubscribe()
          open.waiting = false
          this.ready$.next()
        },
        error: error => this.ready$.error(readFailed(this.#source, open.split, error)),
      }),
    )
  }

  #captured(): Record<SplitId, Stand> {
    const captured: Record<SplitId, Stand> = Object.fromEntries(this.#stands)
    for (const { split, reader } of this.#open) captured[split] = { position: reader.position() }
    return captured
  }
}

const taken = <T>({ split, reader }: OpenSplit<T>, records: readonly T[]): readonly StreamElement<T>[] => {
  const elements: StreamElement<T>[] = records.length === 0 ? [] : [buffer(records, { split })]
  for (const [name, more] of reader.takeSides?.() ?? []) {
    if (more.length > 0) elements.push(side(name, buffer(more, { split })))
  }
  return elements
}

/** Its position would be forgotten here, and what it has given already be read again elsewhere. */
const splitGone = (source: string, split: SplitId) =>
  new SpillwayError('STATE_WOULD_BE_DROPPED', {
    place: source,
    problem: `the store has a position in split ${split}, which the source no longer has in this place.`,
    remedy: 'Give the source the splits that it had, in their order; new ones may follow them.',
  })

const readFailed = (source: string, split: SplitId, error: unknown): SpillwayError =>
  error instanceof SpillwayError
    ? error
    : new SpillwayError('READ_FAILED', {
        place: `${source}, split ${split}`,
        problem: `its reader failed: ${messageOf(error)}.`,
        remedy:
          'Start the job again on the same store once the cause is mended: it goes on from its newest checkpoint.',
        cause: error,
      })
