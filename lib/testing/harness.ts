import { NEVER } from 'rxjs'
import {
  type Alignment,
  type Buffer,
  barrier,
  buffer,
  type CheckpointId,
  end,
  type Key,
  pickRecords,
  type SplitId,
  type StreamElement,
  watermark,
} from '../element.ts'
import type { Source } from '../graph/source.ts'
import { KeyedStream, type NoSides, type Sides, Stream, stream } from '../graph/stream.ts'
import type { Subtask } from '../graph/task.ts'
import { ownState } from '../snapshot/frame.ts'
import { defaultKeyGroups, groupOf, subtaskOf } from '../state/keyGroups.ts'
import { dealt } from './dealt.ts'
import { DrivenTask } from './drivenTask.ts'
import { type HarnessSnapshot, written } from './harnessSnapshot.ts'
import { type KeyedState, keyedState } from './keyedState.ts'

export interface HarnessOptions {
  /** How many inputs the operator has, each a channel; default 1. */
  readonly lanes?: number
  /** Which of several tasks it is: with keys it takes the records of its key groups alone. Default: the only one. */
  readonly subtask?: Subtask
  /** What it begins with: its own snapshot or, at another parallelism, those of all former tasks. */
  readonly restored?: HarnessSnapshot | readonly HarnessSnapshot[]
  /** How many results the output has room for, until `free`; default: any number. */
  readonly room?: number
}

/** One input of the operator. */
export interface HarnessLane<A> {
  /** Sends one record. */
  push(record: A, at?: { readonly timeMs?: number; readonly noteMs?: number; readonly split?: SplitId }): void
  /** Sends elements: whole buffers, watermarks, `idle`, a barrier of this lane alone. */
  send(...elements: readonly StreamElement<A>[]): void
  watermark(timeMs: number): void
  end(): void
}

/**
 * One task with an operator of one's own in it, driven by hand and synchronously, without a job. What is sent passes the
 * gate, the alignment and the operators of the runtime.
 *
 * What an operator throws is thrown by the call that has led to it, and by every later call.
 */
export interface Harness<A, B, S extends Sides = NoSides> extends HarnessLane<A> {
  /** Lanes count from 0, which is what `push`, `send`, `watermark` and `end` of the harness itself send to. */
  lane(number: number): HarnessLane<any>
  /** Takes at most so many records from the source, where one has been given; false if there is nothing more. */
  read(recordsMax?: number): boolean
  /** Lets processing time pass. */
  advance(ms: number): void

  /** From now on the output is full: operators that can be suspended are, and data waits. */
  fill(): void
  /** From now on the output has room, for so many results or for any number. */
  free(results?: number): void
  /** An operator is suspended. */
  readonly suspended: boolean
  readonly ended: boolean

  /** Results so far. */
  readonly output: readonly B[]
  /** Results since the last `take`. */
  take(): readonly B[]
  /** All that has come out of the main output, watermarks and barriers too. */
  readonly elements: readonly StreamElement<B>[]
  /** The names of its side outputs. */
  readonly sides: readonly string[]
  /** Records of a side output so far. */
  side<N extends keyof S & string>(name: N): readonly S[N][]
  /** All that has come out of a side output. */
  sideElements<N extends keyof S & string>(name: N): readonly StreamElement<S[N]>[]

  /** Sends a barrier through all lanes: an aligned one waits behind what is suspended, an unaligned one passes. */
  barrier(checkpoint: CheckpointId, options?: { readonly alignment?: Alignment }): void
  /** What the last barrier has led to, as a store would hold it. @throws NOT_ENCODABLE */
  snapshot(): HarnessSnapshot
  /** Keyed state by its name; with several operators that have state of this name, also by the operator's. */
  state<V = any>(name: string, options?: { readonly operator?: string }): KeyedState<V>
  /** The times of the key's timers, ascending, in ms. */
  timers(key: Key, options?: { readonly operator?: string }): readonly number[]
}

export function harness<A, K extends Key, B, S extends Sides>(
  operator: (source: KeyedStream<A, K>) => Stream<B, S>,
  options: HarnessOptions & { readonly keyBy: (record: A) => K },
): Harness<A, B, S>
export function harness<A, B, S extends Sides>(
  operator: (source: Stream<A>) => Stream<B, S>,
  options?: HarnessOptions,
): Harness<A, B, S>
export function harness<A, B, S extends Sides>(
  operator: (source: Stream<A>) => Stream<B, S>,
  options: HarnessOptions & { readonly source: Source<A> },
): Harness<A, B, S>
export function harness<B, S extends Sides>(
  operator: (...sources: Stream<any>[]) => Stream<B, S>,
  options: HarnessOptions & { readonly lanes: number },
): Harness<any, B, S>
export function harness(
  operator: (...sources: any[]) => Stream<any, any>,
  options: HarnessOptions & { readonly keyBy?: (record: any) => Key; readonly source?: Source<any> } = {},
): Harness<any, any, any> {
  return new OperatorHarness(operator, options)
}

class OperatorHarness implements Harness<any, any, any> {
  readonly #driven: DrivenTask
  readonly #subtask: Subtask
  readonly #keyBy: ((record: any) => Key) | undefined
  readonly #elements: StreamElement<any>[] = []
  readonly #sides = new Map<string, StreamElement<any>[]>()
  #takenUpTo = 0
  #written: { readonly of: unknown; readonly snapshot: HarnessSnapshot } | undefined

  constructor(
    operator: (...sources: any[]) => Stream<any, any>,
    options: HarnessOptions & { readonly keyBy?: (record: any) => Key; readonly source?: Source<any> },
  ) {
    const {
      lanes = 1,
      subtask = { index: 0, parallelism: 1 },
      room = Number.POSITIVE_INFINITY,
      source,
      keyBy,
    } = options
    this.#subtask = subtask
    this.#keyBy = keyBy
    const snapshots = options.restored === undefined ? [] : [options.restored].flat()
    const inputs =
      source === undefined ? Array.from({ length: lanes }, () => input({ keyed: keyBy !== undefined })) : []
    this.#driven = new DrivenTask({
      inputs,
      subtask,
      keyGroups,
      room,
      restored: snapshots.length === 0 ? undefined : dealt(snapshots, { subtask, keyGroups }),
    })
    const results = operator(...(source === undefined ? inputs : [stream(source)]))
    this.#driven.connect(results, element => this.#elements.push(element))
    for (const name of results.sideName === undefined ? (results.node.lineage.sides ?? []) : []) {
      const elements: StreamElement<any>[] = []
      this.#sides.set(name, elements)
      this.#driven.connect(results.side(name), element => elements.push(element))
    }
    this.#driven.start()
  }

  push(record: any, at: { timeMs?: number; noteMs?: number; split?: SplitId } = {}): void {
    this.lane(0).push(record, at)
  }

  send(...elements: readonly StreamElement<any>[]): void {
    this.lane(0).send(...elements)
  }

  watermark(timeMs: number): void {
    this.lane(0).watermark(timeMs)
  }

  end(): void {
    this.lane(0).end()
  }

  lane(number: number): HarnessLane<any> {
    const send = (...elements: readonly StreamElement<any>[]) => {
      for (const element of elements) {
        const sent = element.kind === 'buffer' ? this.#keyed(element) : element
        if (sent.kind !== 'buffer' || sent.records.length > 0) this.#driven.send(number, sent)
      }
    }
    return {
      send,
      push: (record, { timeMs, noteMs, split } = {}) =>
        send(
          buffer([record], {
            times: timeMs === undefined ? undefined : Float64Array.of(timeMs),
            notes: noteMs === undefined ? undefined : Float64Array.of(noteMs),
            split,
          }),
        ),
      watermark: timeMs => send(watermark(timeMs)),
      end: () => send(end),
    }
  }

  read(recordsMax = 256): boolean {
    return this.#driven.read(recordsMax)
  }

  advance(ms: number): void {
    this.#driven.advance(ms)
  }

  fill(): void {
    this.#driven.giveRoom(0)
  }

  free(results = Number.POSITIVE_INFINITY): void {
    this.#driven.giveRoom(results)
  }

  get suspended(): boolean {
    return this.#driven.suspended
  }

  get ended(): boolean {
    return this.#driven.ended
  }

  get output(): readonly any[] {
    return recordsOf(this.#elements)
  }

  take(): readonly any[] {
    const taken = recordsOf(this.#elements.slice(this.#takenUpTo))
    this.#takenUpTo = this.#elements.length
    return taken
  }

  get elements(): readonly StreamElement<any>[] {
    return this.#elements
  }

  get sides(): readonly string[] {
    return [...this.#sides.keys()]
  }

  side(name: string): readonly any[] {
    return recordsOf(this.sideElements(name))
  }

  sideElements(name: string): readonly StreamElement<any>[] {
    const elements = this.#sides.get(name)
    if (elements !== undefined) return elements
    throw new Error(`there is no side output ${name}, only ${this.sides.join(', ') || 'the main one'}`)
  }

  barrier(checkpoint: CheckpointId, options: { alignment?: Alignment } = {}): void {
    this.#driven.trigger(barrier(checkpoint, { ...options, timestampMs: this.#driven.scheduler.now() }))
  }

  snapshot(): HarnessSnapshot {
    const of = this.#driven.takeSnapshot()
    if (this.#written?.of !== of) this.#written = { of, snapshot: written(of, this.#subtask) }
    return this.#written.snapshot
  }

  state(name: string, { operator }: { operator?: string } = {}): KeyedState<any> {
    return keyedState(this.#driven.task, { name, operator })
  }

  timers(key: Key, options: { operator?: string } = {}): readonly number[] {
    return this.state(ownState.timers, options).get(key) ?? []
  }

  /** As `keyBy` in the task before, whose writer deals records to the owners of their key groups. */
  #keyed(of: Buffer<any>): Buffer<any> {
    if (this.#keyBy === undefined) return of
    const keys = of.records.map(this.#keyBy)
    const groups = Uint16Array.from(keys, key => groupOf(key, keyGroups))
    const { index, parallelism } = this.#subtask
    const own = [...groups.keys()].filter(
      i => subtaskOf(groups[i] as number, { groups: keyGroups, parallelism }) === index,
    )
    return pickRecords({ ...of, keys, groups }, own)
  }
}

/** What stands before the gate: the exchange that would be there in a job. */
const input = (options: { readonly keyed: boolean }): Stream<any> => {
  const nothing = () => NEVER
  return options.keyed
    ? new KeyedStream<any, Key>({ name: 'input', inputs: [], exchange: 'keyed' }, nothing)
    : new Stream<any>({ name: 'input', inputs: [] }, nothing)
}

const recordsOf = (elements: readonly StreamElement<any>[]): readonly any[] =>
  elements.flatMap(element => (element.kind === 'buffer' ? element.records : []))

const keyGroups = defaultKeyGroups
