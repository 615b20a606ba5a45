import * as t from 'io-ts'
import type { Subscriber } from 'rxjs'
import { outputOverflow } from '../channel/writer.ts'
import type { Buffer, Key, StreamElement } from '../element.ts'
import { SpillwayError } from '../error.ts'
import {
  type Begun,
  type DeliveredShares,
  type Frame,
  frameType,
  nothingBegun,
  onlyItsTimer,
  ownState,
  remaining,
  type Work,
  type WorkOfLine,
} from '../snapshot/frame.ts'
import type { OperatorState } from '../state/operatorState.ts'
import type { Due, Timers } from '../state/timers.ts'
import { type KeyedCall, MutableAt } from './call.ts'
import { shown, userFunctionFailed } from './callEach.ts'
import { Collector } from './collector.ts'
import { GroupTimes, groupTimesType } from './groupTimes.ts'
import { type Handlers, type KeyedHandlers, type Results, Resumable } from './handlers.ts'
import type { OperatorNode, Sides } from './stream.ts'
import type { Rest, Task } from './task.ts'

/** What an operator has opened in a task. */
export interface Opened<T, R, S extends Sides> {
  readonly handlers: Handlers<T, R, S> | KeyedHandlers<T, Key, R, S>
  /** What the call under way is about; a keyed operator has one. */
  readonly call?: KeyedCall
  /** Handles records without keys, those of a broadcast input; without it a keyed operator refuses them. */
  readonly unkeyed?: Unkeyed<T, R, S>
}

export interface Unkeyed<T, R, S extends Sides> extends Pick<Handlers<T, R, S>, 'record'> {
  /** The records that follow are of this line; undefined: of the task's own. */
  begin(line: WorkOfLine | undefined): void
  /** Those that records are still applied to one by one; none: the task has one of its own. */
  readonly lines: readonly WorkOfLine[]
  /** What the call under way has delivered. */
  delivered(): DeliveredShares
  /** Nothing is left of what was restored. */
  workedOff(): void
}

/**
 * Calls the handlers of one operator in one task: the one place where user code of handlers is called.
 *
 * A call that returns an iterable is left between two results while the task must not go on; what is left is then a
 * `Rest` of the task and a `Frame` of its snapshots. Elements that come meanwhile (of operators that cannot be suspended)
 * wait in a bounded list; barriers pass.
 */
export class Handling<T, R, S extends Sides> implements Rest {
  readonly position: number
  readonly #task: Task
  readonly #name: string
  readonly #state: OperatorState
  readonly #handlers: Handlers<T, R, S> | KeyedHandlers<T, Key, R, S>
  readonly #call: KeyedCall | undefined
  readonly #unkeyed: Unkeyed<T, R, S> | undefined
  readonly #at: MutableAt
  readonly #out: Collector<R, S>
  readonly #downstream: Subscriber<StreamElement<R>>
  #watermarkMs: number
  /** Of key groups whose watermark is above the operator's, since a restore at another parallelism and until it reaches them. */
  readonly #groups: GroupTimes
  /** Timers that such a restore found due. */
  #overdue: Due[] | undefined
  #work: Work<T> | undefined
  #results: Iterator<R> | undefined
  /** Of the call that is repeated. */
  #restoredShares: DeliveredShares | undefined
  /** Restored, and to be begun before what is pending. */
  #more: Begun[] = []
  /** Restored, and to be begun in later generations of recovered data. */
  #parked: readonly Begun[] = []
  #pending: StreamElement<T>[] = []
  #suspended = false
  /** `handled` by a run before a restore: its results are out, but after a restore the end comes again. */
  #end: 'handled' | 'sent' | undefined
  #completed = false

  constructor(
    task: Task,
    node: OperatorNode,
    state: OperatorState,
    opened: Opened<T, R, S>,
    downstream: Subscriber<StreamElement<R>>,
  ) {
    this.position = node.position
    this.#task = task
    this.#name = node.name
    this.#state = state
    this.#handlers = opened.handlers
    this.#call = opened.call
    this.#unkeyed = opened.unkeyed
    this.#at = opened.call ?? new MutableAt()
    this.#downstream = downstream
    this.#out = new Collector(downstream, {
      name: node.name,
      sides: node.lineage.sides ?? [],
      recordsMax: task.bufferRecordsMax,
    })
    this.#watermarkMs = state.keep(ownState.watermark, t.number, () => this.#watermarkMs) ?? Number.NEGATIVE_INFINITY
    this.#at.operatorWatermarkMs = this.#watermarkMs
    this.#groups = new GroupTimes(
      task.keyGroups,
      state.keep(ownState.groupWatermarks, groupTimesType, () => this.#groups.captured(this.#watermarkMs)),
    )
    // Without a handler there is nothing that must not be done again.
    const handled = () => (this.#end === undefined || this.#handlers.end === undefined ? undefined : 'handled')
    this.#end = state.keep(ownState.end, handledType, handled)
    const frame = state.keep(ownState.frame, frameType, () => this.#frame())
    if (frame !== undefined) this.#restore(frame)
    else this.#unkeyed?.workedOff()
  }

  next(element: StreamElement<T>): void {
    if (this.#suspended && element.kind !== 'barrier') this.#wait(element)
    else this.#guarded(() => this.#begin(element))
  }

  resume(): void {
    this.#suspended = false
    this.#guarded(() => {
      this.#goOn()
      while (!this.#suspended && this.#more.length > 0) this.#beginAgain(this.#more.shift() as Begun)
      while (!this.#suspended && this.#pending.length > 0) this.#begin(this.#pending.shift() as StreamElement<T>)
      if (this.#suspended) return
      if (this.#parked.length === 0) this.#unkeyed?.workedOff()
      if (this.#completed) this.#downstream.complete()
    })
  }

  /** The source has completed; the stream does when nothing is suspended any more. */
  complete(): void {
    this.#completed = true
    if (!this.#suspended) this.#downstream.complete()
  }

  #begin(element: StreamElement<T>): void {
    switch (element.kind) {
      case 'buffer':
        if (element.keys === undefined && this.#unkeyed !== undefined && this.#unkeyed.lines.length > 0) {
          return this.#beginOfLines(element, this.#unkeyed.lines)
        }
        this.#work = { kind: 'records', buffer: element, next: 0 }
        return this.#goOn()
      case 'recovered':
        this.#downstream.next(element)
        return this.#unpark(element.generation + 1)
      case 'watermark':
        // A source that has been restored says again what it had said before.
        if (element.timeMs <= this.#watermarkMs) return this.#downstream.next(element)
        // Stored at once: what a snapshot restores fires the timers that are due first of all.
        this.#watermarkMs = element.timeMs
        this.#groups.reached(element.timeMs)
        this.#at.operatorWatermarkMs = this.#watermarkMs
        this.#work = { kind: 'watermark', timeMs: element.timeMs, firing: undefined }
        return this.#goOn()
      case 'end':
        if (this.#end === 'sent') return
        if (this.#end === 'handled') return this.#sendEnd()
        this.#work = { kind: 'end' }
        return this.#goOn()
      default:
        this.#downstream.next(element)
    }
  }

  /** One line after the other. */
  #beginOfLines(of: Buffer<T>, lines: readonly WorkOfLine[]): void {
    this.#more.push(
      ...lines.map(line => ({ work: { kind: 'records' as const, buffer: of, next: 0, line }, delivered: 0 })),
    )
    this.#suspend()
  }

  /** What was restored of this generation comes before all that has been sent of it. */
  #unpark(generation: number): void {
    const due = this.#parked.filter(begun => begun.generation === generation)
    if (due.length === 0) return
    this.#parked = this.#parked.filter(begun => begun.generation !== generation)
    this.#more.push(...due.map(begun => ({ ...begun, generation: undefined })))
    this.#suspend()
  }

  #beginAgain({ work, delivered, shares }: Begun): void {
    // A snapshot that is still being encoded holds it as it was.
    this.#work = { ...work } as Work<T>
    this.#out.skip = delivered
    this.#restoredShares = shares
    this.#goOn()
  }

  #goOn(): void {
    const work = this.#work
    if (work === undefined) return
    if (!this.#workedOff(work)) return this.#suspend()
    this.#work = undefined
    this.#out.flush()
    if (work.kind === 'watermark' && work.timeMs !== onlyItsTimer) {
      this.#downstream.next({ kind: 'watermark', timeMs: work.timeMs })
    }
    if (work.kind === 'end') this.#sendEnd()
  }

  #sendEnd(): void {
    this.#end = 'sent'
    this.#downstream.next({ kind: 'end' })
  }

  #workedOff(work: Work<T>): boolean {
    switch (work.kind) {
      case 'records':
        return this.#records(work)
      case 'watermark':
        return this.#advance(work)
      case 'end':
        return this.#handleEnd()
    }
  }

  #records(work: Work<T> & { kind: 'records' }): boolean {
    const { records, times, notes, keys, groups } = work.buffer
    const { length } = records
    const unkeyed = keys === undefined ? this.#unkeyed : undefined
    const handlers = (unkeyed ?? this.#handlers) as KeyedHandlers<T, Key, R, S>
    const [out, at, calls] = [this.#out, this.#at, this.#state.calls]
    const call = unkeyed === undefined ? this.#call : undefined
    if (call !== undefined && keys === undefined) throw noKeys(this.#name)
    unkeyed?.begin(work.line)
    out.follow(work.buffer)
    out.flushed = false
    if (this.#results !== undefined) {
      out.followRecord(work.next)
      if (!this.#drained(this.#results)) return false
      work.next++
    }
    const watermarkMs = this.#watermarkMs
    const ofGroups = this.#groups.timesMs
    at.watermarkMs = watermarkMs
    at.operatorWatermarkMs = watermarkMs
    if (times === undefined) at.timeMs = Number.NEGATIVE_INFINITY
    for (let i = work.next; i < length; i++) {
      if (out.flushed) {
        out.flushed = false
        if (!this.#task.mayGoOn(this.position)) {
          work.next = i
          return false
        }
      }
      calls.begin()
      out.beginRecord(i)
      if (times !== undefined) at.timeMs = times[i] as number
      if (notes !== undefined) at.watermarkMs = Math.max(watermarkMs, notes[i] as number)
      if (ofGroups !== undefined && groups !== undefined)
        this.#raise(ofGroups[groups[i] as number] as number, notes?.[i])
      if (call !== undefined) call.begin((keys as readonly Key[])[i] as Key, (groups as Uint16Array)[i] as number)
      work.next = i
      const results = handlers.record(records[i] as T, out, at as MutableAt & { key: Key })
      if (results !== undefined) {
        if (!this.#opened(results)) return false
      } else if (out.skip > 0) throw notDeterministic(this.#name, out.skip)
    }
    work.next = length
    return true
  }

  #advance(work: Work<T> & { kind: 'watermark' }): boolean {
    const { timers } = this.#call ?? {}
    const { timer } = this.#handlers as KeyedHandlers<T, Key, R, S>
    const out = this.#out
    out.followTimers()
    if (this.#results !== undefined && !this.#drained(this.#results)) return false
    if (timers !== undefined && timer !== undefined) {
      for (let fired = 0; ; fired++) {
        const due = work.firing ?? this.#nextDue(timers, work.timeMs)
        if (due === undefined) break
        if (fired > 0 && !this.#task.mayGoOn(this.position)) return false
        this.#state.calls.begin()
        out.beginTimer(due.timeMs, due.group)
        const call = this.#call as KeyedCall
        call.begin(due.key, due.group)
        call.timeMs = due.timeMs
        call.watermarkMs = this.#groups.of(due.group, this.#watermarkMs)
        call.operatorWatermarkMs = call.watermarkMs
        timers.delete(due.key, due.timeMs)
        work.firing = due
        const results = timer.call(this.#handlers, due.timeMs, out, call as KeyedCall & { key: Key })
        if (results !== undefined && !this.#opened(results)) return false
        work.firing = undefined
      }
    }
    if (this.#handlers.watermark !== undefined && work.timeMs !== onlyItsTimer) {
      this.#beginOfTask()
      out.followTime(work.timeMs)
      this.#handlers.watermark(work.timeMs, out)
    }
    return true
  }

  /** The record's key has seen a later watermark than the operator. */
  #raise(groupMs: number, noteMs = Number.NEGATIVE_INFINITY): void {
    this.#at.operatorWatermarkMs = Math.max(this.#watermarkMs, groupMs)
    this.#at.watermarkMs = Math.max(this.#at.operatorWatermarkMs, noteMs)
  }

  /** First those that were due before the restore: they come before any record behind them. */
  #nextDue(timers: Timers, watermarkMs: number): Due | undefined {
    if (watermarkMs === onlyItsTimer) return undefined
    this.#overdue ??= this.#groups.timesMs === undefined ? [] : timers.overdue(this.#groups.timesMs)
    for (let due = this.#overdue.shift(); due !== undefined; due = this.#overdue.shift()) {
      if (timers.has(due.key, due.timeMs)) return due
    }
    return timers.nextDue(watermarkMs)
  }

  #handleEnd(): boolean {
    const out = this.#out
    out.followNothing()
    if (this.#results !== undefined) return this.#drained(this.#results)
    this.#beginOfTask()
    out.beginEnd()
    const results = this.#handlers.end?.(out)
    return results === undefined || this.#opened(results)
  }

  #beginOfTask(): void {
    this.#state.calls.begin()
    this.#call?.beginOfTask()
  }

  #opened(results: Exclude<Results<R>, void>): boolean {
    this.#state.callOpen = true
    if (Array.isArray(results)) return this.#drainedArray(results)
    const iterable = results instanceof Resumable ? results.from(this.#out.skipAll()) : results
    if (typeof iterable?.[Symbol.iterator] !== 'function') throw noIterable(iterable)
    const iterator: Iterator<R> = iterable[Symbol.iterator]()
    this.#results = iterator
    return this.#drained(iterator)
  }

  /** Takes results until there are no more (true) or the task must not go on (false). */
  #drained(results: Iterator<R>): boolean {
    const [out, task] = [this.#out, this.#task]
    for (;;) {
      const result = results.next()
      if (result.done === true) break
      const repeated = out.skip > 0
      out.emit(result.value)
      if (!(repeated ? task.hasTurn() : task.mayGoOn(this.position))) return false
    }
    return this.#closed()
  }

  /** The same without an iterator, which costs more than most results; what was delivered before is not looked at. */
  #drainedArray(results: readonly R[]): boolean {
    const [out, task] = [this.#out, this.#task]
    for (let i = out.skipAll(results.length); i < results.length; ) {
      out.emit(results[i++] as R)
      if (!task.mayGoOn(this.position)) {
        this.#results = elementsFrom(results, i)
        return false
      }
    }
    return this.#closed()
  }

  #closed(): true {
    if (this.#out.skip > 0) throw notDeterministic(this.#name, this.#out.skip)
    this.#results = undefined
    this.#state.callOpen = false
    // It has been asked after each result.
    this.#out.flushed = false
    if (this.#work?.kind === 'watermark') this.#work.firing = undefined
    return true
  }

  #suspend(): void {
    this.#out.flush()
    this.#suspended = true
    this.#task.suspend(this)
  }

  #wait(element: StreamElement<T>): void {
    if (this.#pending.length >= pendingElementsMax) {
      this.#downstream.error(
        outputOverflow(
          this.#name,
          `${pendingElementsMax} buffers wait before it, because an operator upstream emits without being asked to.`,
        ),
      )
    } else this.#pending.push(element)
  }

  #frame(): Frame | undefined {
    const begun = this.#begun()
    const [first, ...more] = [...(begun === undefined ? [] : [begun]), ...this.#more, ...this.#parked]
    if (first === undefined) return undefined
    const pending = [...this.#pending]
    return first.generation === undefined
      ? { ...first, more, pending }
      : { ...nothingBegun, more: [first, ...more], pending }
  }

  #begun(): Begun | undefined {
    if (!this.#suspended || this.#work === undefined) return undefined
    const work = remaining(this.#work)
    // Restored and not yet called again, all is still to be skipped.
    const delivered = this.#out.skip + (this.#state.callOpen ? this.#out.delivered : 0)
    return { work, delivered, shares: this.#shares(work) }
  }

  #shares(work: Work<unknown>): DeliveredShares | undefined {
    if (this.#unkeyed === undefined || work.kind !== 'records' || work.buffer.keys !== undefined) return undefined
    if (this.#out.skip > 0) return this.#restoredShares
    return this.#state.callOpen ? this.#unkeyed.delivered() : undefined
  }

  #restore({ work, delivered, shares, more, pending }: Frame): void {
    this.#work = work as Work<T>
    this.#out.skip = delivered
    this.#restoredShares = shares
    this.#more = more.filter(begun => begun.generation === undefined)
    this.#parked = more.filter(begun => begun.generation !== undefined)
    this.#pending = [...pending] as StreamElement<T>[]
    this.#suspended = true
    this.#task.suspend(this)
  }

  #guarded(act: () => void): void {
    try {
      act()
    } catch (error) {
      this.#downstream.error(error instanceof SpillwayError ? error : this.#userError(error))
    }
  }

  #userError(error: unknown): SpillwayError {
    return userFunctionFailed(this.#name, describeWork(this.#work), error)
  }
}

function* elementsFrom<R>(results: readonly R[], from: number): Generator<R, void> {
  for (let i = from; i < results.length; i++) yield results[i] as R
}

const notDeterministic = (name: string, missing: number) =>
  new SpillwayError('NOT_DETERMINISTIC', {
    place: name,
    problem: `a call that a restore repeats gave ${missing} results less than were delivered before.`,
    remedy: 'Let a handler that returns an iterable give the same results again for the same record and state.',
  })

/** That an end has been handled. */
const handledType = t.literal('handled')

const noKeys = (name: string) =>
  new SpillwayError('NO_KEY', {
    place: name,
    problem: 'its records have no keys.',
    remedy: 'Put keyBy(...) directly before it.',
  })

/** The compiler has been got around, or there is none. */
const noIterable = (results: unknown) =>
  new TypeError(
    `it gave ${String(results)}, not an iterable; use asyncMap(f, { inFlightMax, ordered }) for asynchronous work`,
  )

const describeWork = (work: Work<unknown> | undefined): string => {
  if (work === undefined) return 'an element'
  if (work.kind === 'records') return `record ${shown(work.buffer.records[work.next])}`
  if (work.kind === 'end') return 'the end of its input'
  return work.firing === undefined
    ? `watermark ${work.timeMs}`
    : `timer ${work.firing.timeMs} of key ${shown(work.firing.key)}`
}

/** An operator that cannot be suspended hands on the results of one element at the most before it is asked to stop. */
const pendingElementsMax = 64
