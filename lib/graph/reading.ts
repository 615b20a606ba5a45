import * as t from 'io-ts'
import { type SchedulerLike, Subject, Subscription } from 'rxjs'
import { buffer, end, type SplitId, type StreamElement, side, splits } from '../element.ts'
import { messageOf, SpillwayError } from '../error.ts'
import type { OperatorState } from '../state/operatorState.ts'
import { perCodec } from '../state/perCodec.ts'
import type { Sample } from '../state/sample.ts'
import type { Source, SplitReader } from './source.ts'

/** Where a split stands in a snapshot. */
type Stand = { readonly position: unknown; readonly idle?: true } | 'ended'

interface OpenSplit<T> {
  readonly split: SplitId
  readonly reader: SplitReader<T, unknown>
  waiting: boolean
  /** When it had nothing for the first time since its last record, ms. */
  emptySinceMs: number | undefined
  idle: boolean
}

export interface ReadingOptions {
  /** Of the source's stream. */
  readonly idleAfterMs?: number | undefined
  /** Of the source's stream; default: as each reader says. */
  readonly backlog?: boolean | undefined
  readonly scheduler: SchedulerLike
}

/** What one task has read of its source since it started, also where it has been restored. */
export interface SourceMetrics {
  /** The operator's name. */
  readonly source: string
  /** Given to its operators, side outputs not included. */
  readonly recordsRead: number
  /** Given up by the source for lack of room; 0 for one that does not drop. */
  readonly recordsDropped: number
}

/**
 * Reads the splits of one task in turns and makes elements of them: first of all the splits that are open, then a buffer a
 * turn, in the end `end`. Snapshots hold each split's position, and whether it is idle.
 */
export class Reading<T> {
  /** Emits when `take` may have something again after `undefined`. */
  readonly ready$ = new Subject<void>()
  /** For messages. */
  readonly #source: string
  readonly #stands = new Map<SplitId, Stand>()
  readonly #open: OpenSplit<T>[] = []
  readonly #idleAfterMs: number
  readonly #backlog: boolean | undefined
  readonly #scheduler: SchedulerLike
  /** Looks for splits that have become idle; one for all of them. */
  #look: Subscription | undefined
  #lookDue = false
  #turn = -1
  #begun = false
  #drained = false
  readonly #positions: Sample<unknown>
  #ended = false
  #recordsRead = 0
  /** Of splits that are no longer open. */
  #droppedBefore = 0

  /**
   * @throws STATE_NOT_MATCHED if a stored position does not decode, STATE_WOULD_BE_DROPPED if it is of no split of this task
   */
  constructor(
    source: Source<T>,
    assigned: readonly SplitId[],
    state: OperatorState,
    { idleAfterMs = Number.POSITIVE_INFINITY, backlog, scheduler }: ReadingOptions,
  ) {
    this.#source = source.name
    this.#idleAfterMs = idleAfterMs
    this.#backlog = backlog
    this.#scheduler = scheduler
    this.#positions = state.sample('position', source.position)
    const stored = state.keepBySplit('position', standType(source.position), () => this.#captured())
    for (const split of stored.keys()) if (!assigned.includes(split)) throw splitGone(source.name, split)
    for (const split of assigned) {
      const from = stored.get(split)
      if (from === 'ended') this.#stands.set(split, 'ended')
      else {
        const reader = source.open(split, from?.position)
        const idle = from?.idle === true && idleAfterMs < Number.POSITIVE_INFINITY
        this.#open.push({ split, reader, waiting: false, emptySinceMs: undefined, idle })
      }
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
    if (this.#becameIdle()) return [this.#openSplits()]
    if (this.#drained) {
      this.#drained = false
      return [this.#openSplits()]
    }
    for (let tried = 0; tried < this.#open.length; tried++) {
      this.#turn = (this.#turn + 1) % this.#open.length
      const open = this.#open[this.#turn] as OpenSplit<T>
      if (open.waiting) continue
      const records = this.#next(open, recordsMax)
      if (records === 'end') return this.#end(open)
      if (records !== 'wait') {
        if (this.#recordsRead === 0) this.#positions.pass(open.reader.position())
        this.#recordsRead += records.length
        return [...this.#becameActive(open), ...taken(open, records)]
      }
      open.waiting = true
      open.emptySinceMs ??= this.#scheduler.now()
      this.#wakeLater(open)
      this.#lookLater()
    }
    if (this.#open.length > 0 || this.#ended) return undefined
    this.#ended = true
    return [end]
  }

  /** Something may be taken without waiting. */
  get ready(): boolean {
    if (!this.#begun || this.#lookDue) return true
    return this.#open.some(open => !open.waiting) || (this.#open.length === 0 && !this.#ended)
  }

  get metrics(): Omit<SourceMetrics, 'source'> {
    const recordsDropped = this.#open.reduce((sum, { reader }) => sum + droppedOf(reader), this.#droppedBefore)
    return { recordsRead: this.#recordsRead, recordsDropped }
  }

  /** A split that is open works off what had come before. */
  get inBacklog(): boolean {
    if (this.#backlog === undefined) return this.#open.some(({ reader }) => reader.inBacklog?.() === true)
    return this.#backlog && this.#open.length > 0
  }

  /** All splits end where they are. */
  drain(): void {
    for (const { split, reader } of this.#open.splice(0)) {
      this.#stands.set(split, 'ended')
      this.#closeReader(reader)
      this.#drained = true
    }
    this.ready$.next()
  }

  close(): void {
    this.#look?.unsubscribe()
    for (const { reader } of this.#open.splice(0)) this.#closeReader(reader)
    this.ready$.complete()
  }

  #closeReader(reader: SplitReader<T, unknown>): void {
    reader.close()
    this.#droppedBefore += droppedOf(reader)
  }

  #next({ split, reader }: OpenSplit<T>, recordsMax: number): readonly T[] | 'wait' | 'end' {
    try {
      return reader.next(recordsMax)
    } catch (error) {
      throw readFailed(this.#source, split, error)
    }
  }

  #openSplits(): StreamElement<T> {
    return splits(splitsOf(this.#open), splitsOf(this.#open.filter(({ idle }) => idle)))
  }

  #becameActive(open: OpenSplit<T>): readonly StreamElement<T>[] {
    open.emptySinceMs = undefined
    if (!open.idle) return []
    open.idle = false
    return [this.#openSplits()]
  }

  /** Not one that has something by now: the task may have had no room for it. */
  #becameIdle(): boolean {
    if (!this.#lookDue) return false
    this.#lookDue = false
    const nowMs = this.#scheduler.now()
    const became = this.#open.filter(open => open.waiting && !open.idle && this.#idleAtMs(open) <= nowMs)
    for (const open of became) open.idle = true
    this.#lookLater()
    return became.length > 0
  }

  #idleAtMs({ emptySinceMs }: OpenSplit<T>): number {
    return (emptySinceMs ?? Number.POSITIVE_INFINITY) + this.#idleAfterMs
  }

  /** When the first of the splits that wait will be idle. */
  #lookLater(): void {
    if (this.#look !== undefined || this.#idleAfterMs === Number.POSITIVE_INFINITY) return
    const dueMs = Math.min(...this.#open.filter(({ waiting, idle }) => waiting && !idle).map(of => this.#idleAtMs(of)))
    if (dueMs === Number.POSITIVE_INFINITY) return
    const look = () => {
      this.#look = undefined
      this.#lookDue = true
      this.ready$.next()
    }
    this.#look = this.#scheduler.schedule(look, Math.max(0, dueMs - this.#scheduler.now()))
  }

  #end(open: OpenSplit<T>): readonly StreamElement<T>[] {
    this.#open.splice(this.#open.indexOf(open), 1)
    this.#stands.set(open.split, 'ended')
    this.#closeReader(open.reader)
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

  #captured(): readonly [SplitId, Stand][] {
    const open = this.#open.map(({ split, reader, idle }): [SplitId, Stand] => {
      const position = reader.position()
      return [split, idle ? { position, idle } : { position }]
    })
    return this.#stands.size === 0 ? open : [...this.#stands, ...open]
  }
}

/** Encodes by itself, at every snapshot: a union would look through its members each time. */
const standType = perCodec((position: t.Type<unknown>): t.Type<Stand> => {
  const open = t.intersection([t.type({ position }), t.partial({ idle: t.literal(true) })])
  const { name, is, validate } = t.union([t.literal('ended'), open]) as t.Type<Stand>
  const encode = (stand: Stand) =>
    stand === 'ended' ? stand : ({ ...stand, position: position.encode(stand.position) } as Stand)
  return new t.Type(name, is, validate, position.encode === t.identity ? t.identity : encode)
})

const droppedOf = (reader: SplitReader<unknown, unknown>): number => reader.dropped?.() ?? 0

const splitsOf = (open: readonly OpenSplit<unknown>[]): readonly SplitId[] => open.map(({ split }) => split)

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
