import { from, type ObservableInput, type SchedulerLike, type Subscriber, Subscription, take, timeout } from 'rxjs'
import { outputOverflow } from '../channel/writer.ts'
import { type Buffer, pickRecords, type StreamElement, withRecords } from '../element.ts'
import { type Begun, type Frame, frameType, nothingBegun, ownState } from '../snapshot/frame.ts'
import type { OperatorState } from '../state/operatorState.ts'
import { shown, userFunctionFailed } from './callEach.ts'
import type { OperatorNode } from './stream.ts'
import type { Awaiting, Task } from './task.ts'

/** Gives one result later: a promise, or an Observable whose first value it is. */
export type AsyncFunction<T, R> = (record: T, context: { readonly scheduler: SchedulerLike }) => ObservableInput<R>

export interface AsyncCallsOptions {
  /** Most calls that are under way at once. */
  readonly inFlightMax: number
  /** Results keep the order of the records; else they come as they do, between two watermarks. */
  readonly ordered: boolean
  /** How long a call may take; default: for ever. */
  readonly timeoutMs?: number
}

interface Call<T, R> {
  readonly kind: 'call'
  readonly of: Buffer<T>
  readonly at: number
  state: 'new' | 'under way' | 'done' | 'out'
  result: R | undefined
  /** Its number among the calls that are done. */
  doneAs: number
}

type Waiting<T, R> = Call<T, R> | Exclude<StreamElement<T>, Buffer<T>>

/**
 * The calls of an asynchronous function in one task, and what waits behind them: all in line, but barriers, which pass. A
 * result waits for the task's turn. Full with `inFlightMax` records in line, above which it holds a buffer at the most, or
 * 64 where an operator upstream emits without being asked to.
 *
 * Snapshots hold the records whose results are not out, and what waits behind them, as a `Frame`; a restore calls the
 * function on them again, before anything new.
 */
export class AsyncCalls<T, R> implements Awaiting {
  readonly position: number
  readonly #task: Task
  readonly #name: string
  readonly #f: AsyncFunction<T, R>
  readonly #options: AsyncCallsOptions
  readonly #downstream: Subscriber<StreamElement<R>>
  readonly #running = new Subscription()
  readonly #wake: () => void
  #waiting: Waiting<T, R>[] = []
  /** Restored, and to be begun in later generations of recovered data. */
  #parked: readonly Begun[] = []
  #records = 0
  #underWay = 0
  #fresh = 0
  #done = 0
  #busy = false
  #completed = false

  constructor(
    task: Task,
    node: OperatorNode,
    state: OperatorState,
    f: AsyncFunction<T, R>,
    options: AsyncCallsOptions,
    downstream: Subscriber<StreamElement<R>>,
  ) {
    this.position = node.position
    this.#task = task
    this.#name = node.name
    this.#f = f
    this.#options = options
    this.#downstream = downstream
    downstream.add(this.#running)
    const frame = state.keep(ownState.frame, frameType, () => this.#frame())
    if (frame !== undefined) {
      this.#parked = frame.more.filter(({ generation }) => generation !== undefined)
      for (const element of elementsIn<T>(frame)) this.#add(element)
    }
    this.#wake = task.awaits(this)
    if (this.ready) this.#wake()
  }

  next(element: StreamElement<T>): void {
    const passes = element.kind === 'barrier' || (this.#waiting.length === 0 && element.kind !== 'buffer')
    if (passes) this.#downstream.next(element)
    else this.#add(element)
    if (element.kind === 'recovered') this.#unpark(element.generation + 1)
    else if (passes) return
    const recordsMax = this.#options.inFlightMax + buffersMax * this.#task.bufferRecordsMax
    if (element.kind === 'buffer' && this.#records > recordsMax)
      return this.#downstream.error(
        outputOverflow(
          this.#name,
          `${this.#records} records wait in it, because it is given more without being asked.`,
        ),
      )
    this.#busily(() => this.#start())
    if (this.ready) this.#wake()
  }

  /** The source has completed; the stream does once all results are out. */
  complete(): void {
    this.#completed = true
    if (this.#waiting.length === 0) this.#downstream.complete()
  }

  get idle(): boolean {
    return this.#waiting.length === 0
  }

  get full(): boolean {
    return this.#records >= this.#options.inFlightMax
  }

  get ready(): boolean {
    const [first] = this.#waiting
    if (first === undefined) return false
    if (this.#fresh > 0 && this.#underWay < this.#options.inFlightMax) return true
    if (first.kind !== 'call' || first.state === 'done') return true
    return !this.#options.ordered && this.#done > 0 && this.#deliverable().length > 0
  }

  goOn(): void {
    this.#busily(() => {
      do this.#start()
      while (this.#give() && this.#task.mayGoOn(this.position))
      this.#start()
    })
    if (this.#completed && this.#waiting.length === 0) this.#downstream.complete()
  }

  /** What was restored of this generation stands behind the marker before it. */
  #unpark(generation: number): void {
    const due = this.#parked.filter(begun => begun.generation === generation)
    this.#parked = this.#parked.filter(begun => begun.generation !== generation)
    for (const buffer of buffersIn<T>(due)) this.#add(buffer)
  }

  #add(element: StreamElement<T>): void {
    if (element.kind !== 'buffer') {
      this.#waiting.push(element)
      return
    }
    for (let at = 0; at < element.records.length; at++)
      this.#waiting.push({ kind: 'call', of: element, at, state: 'new', result: undefined, doneAs: 0 })
    this.#records += element.records.length
    this.#fresh += element.records.length
  }

  /** A result that comes at once needs no wake. */
  #busily(act: () => void): void {
    this.#busy = true
    try {
      act()
    } finally {
      this.#busy = false
    }
  }

  #start(): void {
    if (this.#fresh === 0) return
    for (const call of this.#waiting) {
      if (this.#fresh === 0 || this.#underWay >= this.#options.inFlightMax || this.#downstream.closed) return
      if (call.kind === 'call' && call.state === 'new') this.#call(call)
    }
  }

  #call(call: Call<T, R>): void {
    const { timeoutMs } = this.#options
    const { scheduler } = this.#task
    const record = call.of.records[call.at] as T
    call.state = 'under way'
    this.#underWay++
    this.#fresh--
    const failed = (error: unknown) =>
      this.#downstream.error(userFunctionFailed(this.#name, `record ${shown(record)}`, error))
    try {
      const given = from(this.#f(record, { scheduler })).pipe(take(1))
      const running = (
        timeoutMs === undefined ? given : given.pipe(timeout({ first: timeoutMs, scheduler }))
      ).subscribe({
        next: result => {
          call.state = 'done'
          call.result = result
          call.doneAs = ++this.#done
          this.#underWay--
        },
        error: failed,
        complete: () => {
          if (call.state === 'under way') failed(new Error('it completed without a result'))
          else if (!this.#busy && this.ready) this.#wake()
        },
      })
      this.#running.add(running)
    } catch (error) {
      failed(error)
    }
  }

  /** Hands on what is first in line: a buffer of results, or an element; false if that is not done. */
  #give(): boolean {
    const [first] = this.#waiting
    if (first === undefined || this.#downstream.closed) return false
    if (first.kind !== 'call') {
      this.#waiting.shift()
      this.#downstream.next(first as StreamElement<R>)
      return true
    }
    const calls = this.#deliverable()
    if (calls.length === 0) return false
    for (const call of calls) call.state = 'out'
    this.#waiting = this.#waiting.filter(waiting => waiting.kind !== 'call' || waiting.state !== 'out')
    this.#records -= calls.length
    this.#downstream.next(
      withRecords(
        bufferOf(calls),
        calls.map(({ result }) => result as R),
      ),
    )
    return true
  }

  /** The next results, of one buffer: no more than an output takes at once. */
  #deliverable(): readonly Call<T, R>[] {
    const done: Call<T, R>[] = []
    for (const waiting of this.#waiting) {
      if (waiting.kind !== 'call') break
      if (waiting.state === 'done') done.push(waiting)
      else if (this.#options.ordered) break
    }
    if (!this.#options.ordered) done.sort((a, b) => a.doneAs - b.doneAs)
    return ofOneBuffer(done, this.#task.bufferRecordsMax)
  }

  #frame(): Frame | undefined {
    const elements = this.#elements()
    const [first] = elements
    const more = this.#parked
    if (first?.kind !== 'buffer') {
      return first === undefined && more.length === 0 ? undefined : { ...nothingBegun, more, pending: elements }
    }
    return { work: { kind: 'records', buffer: first, next: 0 }, delivered: 0, more, pending: elements.slice(1) }
  }

  /** What is in line; after a restore the end comes again by itself. */
  #elements(): StreamElement<T>[] {
    const elements: StreamElement<T>[] = []
    let waiting = this.#waiting.filter(({ kind }) => kind !== 'end')
    while (waiting.length > 0) {
      const [first] = waiting as [Waiting<T, R>]
      const behind = waiting.findIndex(({ kind }) => kind !== 'call')
      const calls = ofOneBuffer(waiting.slice(0, behind < 0 ? waiting.length : behind) as Call<T, R>[])
      elements.push(first.kind === 'call' ? bufferOf(calls) : first)
      waiting = waiting.slice(Math.max(1, calls.length))
    }
    return elements
  }
}

/** The first of them that are of the same buffer. */
const ofOneBuffer = <C extends Call<any, any>>(
  calls: readonly C[],
  recordsMax = Number.POSITIVE_INFINITY,
): readonly C[] => {
  const others = calls.findIndex(({ of }, i) => i >= recordsMax || of !== calls[0]?.of)
  return others < 0 ? calls : calls.slice(0, others)
}

const bufferOf = <T>(calls: readonly Call<T, any>[]): Buffer<T> =>
  pickRecords(
    (calls[0] as Call<T, any>).of,
    calls.map(({ at }) => at),
  )

/** In order; what other tasks had begun comes before what waits. */
const elementsIn = <T>({ more, pending, ...begun }: Frame): readonly StreamElement<T>[] => [
  ...buffersIn<T>([begun, ...more.filter(({ generation }) => generation === undefined)]),
  ...(pending as readonly StreamElement<T>[]),
]

const buffersIn = <T>(all: readonly Begun[]): readonly Buffer<T>[] =>
  all.flatMap(({ work }) => (work.kind === 'records' ? [work.buffer as Buffer<T>] : []))

/** As for an operator that is suspended: what another one hands on of one element before it is asked to stop. */
const buffersMax = 64
