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
import { KeyedStream, Stream, stream } from '../graph/stream.ts'
import type { Subtask } from '../graph/task.ts'
import { ownState } from '../snapshot/frame.ts'
import { defaultKeyGroups, groupOf, subtaskOf } from '../state/keyGroups.ts'
import { dealt } from './dealt.ts'
import { DrivenTask, splitsAtOnce } from './drivenTask.ts'
import type { Harness, HarnessLane, HarnessOptions } from './harness.ts'
import { type HarnessSnapshot, written } from './harnessSnapshot.ts'
import { type KeyedState, keyedState } from './keyedState.ts'

/** What `harness` gives. */
export class OperatorHarness implements Harness<any, any, any> {
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
    const exchange = keyBy === undefined ? ('forward' as const) : ('keyed' as const)
    const splits = source === undefined ? [] : splitsAtOnce(source)
    const dealing = { subtask, keyGroups, inputs: inputs.map(() => exchange), splits }
    this.#driven = new DrivenTask({
      inputs,
      subtask,
      keyGroups,
      room,
      restored: snapshots.length === 0 ? undefined : dealt(snapshots, dealing),
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
