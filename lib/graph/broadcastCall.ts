import type * as t from 'io-ts'
import type { Key } from '../element.ts'
import { SpillwayError } from '../error.ts'
import { type DeliveredShares, ofNoKey, ownState, type WorkOfLine } from '../snapshot/frame.ts'
import { type BroadcastEffect, type BroadcastLine, broadcastLinesType } from '../state/broadcastLines.ts'
import { compareKeys } from '../state/keyOrder.ts'
import type { OperatorState } from '../state/operatorState.ts'
import { BroadcastCell } from './broadcastCell.ts'
import { KeyedCall } from './call.ts'
import { type KeyedState, type Out, type Results, Resumable, type ValueState } from './handlers.ts'

/** What a handler of an operator with broadcast state sees: in a call for a broadcast record, keys only one after the other. */
export class BroadcastCall extends KeyedCall {
  readonly #state: OperatorState
  readonly #effect: BroadcastEffect
  readonly #cells: BroadcastCell<any>[] = []
  /** Those of old tasks that are still gone on with, in the order of their groups; none: the task has its own. */
  #lines: readonly BroadcastLine[]
  /** The one whose broadcast state is seen. */
  #line = 0
  /** What belongs to no key comes out here. */
  #emits = true
  #isBroadcast = false
  /** Deliveries of the call under way for a broadcast record, by key group. */
  #delivered = new Map<number, number>()

  constructor(state: OperatorState, effect: BroadcastEffect) {
    super(state)
    this.#state = state
    this.#effect = effect
    const now = () => (this.#lines.length === 0 ? undefined : this.#lines)
    this.#lines = state.keep(ownState.lines, broadcastLinesType, now) ?? []
  }

  override begin(key: Key, group: number): void {
    this.#isBroadcast = false
    if (this.#lines.length > 0) this.#line = this.#lines.findIndex(({ end }) => group < end)
    super.begin(key, group)
  }

  override beginOfTask(): void {
    this.#isBroadcast = false
    this.#line = 0
    super.beginOfTask()
  }

  /** The broadcast records that follow are of this line; undefined: of the task's own. */
  beginLine(line: WorkOfLine | undefined): void {
    this.#line = line?.number ?? 0
    this.#emits = line?.emits ?? true
  }

  /** The call that follows is for a broadcast record. */
  beginOfBroadcast(): void {
    super.beginOfTask()
    this.#isBroadcast = true
    this.#delivered = new Map()
  }

  /** All that the lines had still to do is done: they are equal. Not during a call. */
  mergeLines(): void {
    if (this.#lines.length === 0) return
    for (const cell of this.#cells) cell.merge()
    this.#lines = []
    this.#line = 0
  }

  /** The lines of old tasks that are still gone on with; for all of them the first one's results that belong to no key come out. */
  get lines(): readonly WorkOfLine[] {
    return this.#lines.map((_, number) => ({ number, emits: number === 0 }))
  }

  /** What the call under way for a broadcast record has delivered. */
  get delivered(): DeliveredShares {
    return [...this.#delivered]
  }

  keyedState<V>(name: string, codec: t.Type<V, any>, initial: V): KeyedState<V, Key> {
    const value = this.value(name, codec, initial)
    return {
      get: () => value.get(),
      set: next => value.set(next),
      update: change => value.update(change),
      produce: recipe => value.produce(recipe),
      clear: () => value.clear(),
      keys: () => this.#keysOf(name),
    }
  }

  /** Only a call for a broadcast record may change it: all tasks see the same ones, and in nothing else are they equal. */
  broadcastState<V>(name: string, codec: t.Type<V, any>, initial: V): ValueState<V> {
    const value = new BroadcastCell(
      this.#state,
      { name, codec, initial },
      { lines: () => this.#lines.length, line: () => this.#line },
    )
    this.#cells.push(value)
    const writable = () => {
      if (!this.#isBroadcast) throw this.#misuse(`broadcast state ${name} is changed by another handler`, onlyThere)
      return value
    }
    return {
      get: () => value.get(),
      set: next => writable().set(next),
      update: change => writable().update(change),
      produce: recipe => writable().produce(recipe),
      clear: () => writable().clear(),
    }
  }

  /** The results of a call for a broadcast record that come out here; it must have none if it may only change broadcast state. */
  checked<R>(results: Results<R>): Results<R> {
    if (results === undefined) return results
    if (this.#effect === 'broadcastState') throw this.#undeclared('results')
    const iterable = results instanceof Resumable ? results.from(0) : results
    return typeof iterable?.[Symbol.iterator] === 'function' ? this.#emitted(iterable) : iterable
  }

  /** What such a call emits into. */
  outOf<R, S extends Record<string, unknown>>(out: Out<R, S>): Out<R, S> {
    if (this.#effect === 'broadcastState') {
      const refuse = () => {
        throw this.#undeclared('results')
      }
      return { emit: refuse, emitAt: refuse, side: refuse }
    }
    return {
      emit: record => this.#comesOut() && out.emit(record),
      emitAt: (timeMs, record) => this.#comesOut() && out.emitAt(timeMs, record),
      side: (name, record) => this.#comesOut() && out.side(name, record),
    }
  }

  *#emitted<R>(results: Iterable<R>): Generator<R, void> {
    for (const result of results) if (this.#comesOut()) yield result
  }

  /** A result of a key comes out where the key is, any other where its line emits; it is counted. */
  #comesOut(): boolean {
    const ofKey = this.key !== undefined
    if (!ofKey && !this.#emits) return false
    const group = ofKey ? this.group : ofNoKey
    this.#delivered.set(group, (this.#delivered.get(group) ?? 0) + 1)
    return true
  }

  /** In an order that is the same after a restore, so that a call that is repeated meets them as before. */
  *#keysOf(name: string): Generator<Key, void> {
    if (!this.#isBroadcast) throw this.#misuse(`keys of state ${name} are asked for in another handler`, onlyThere)
    if (this.#effect === 'broadcastState') throw this.#undeclared('the state of keys')
    const table = this.#state.tableNamed(name)
    const { begin, end } = this.#lines[this.#line] ?? allGroups
    const keys = [...(table?.values() ?? [])]
      .filter(({ group }) => group >= begin && group < end)
      .map(({ key, group }) => ({ key, group }))
    keys.sort((a, b) => a.group - b.group || compareKeys(a.key, b.key))
    try {
      for (const { key, group } of keys) {
        super.begin(key, group)
        yield key
      }
    } finally {
      super.beginOfTask()
    }
  }

  #undeclared(what: string): SpillwayError {
    return this.#misuse(
      `its broadcast handler gives or reads ${what}, and is declared to change broadcast state alone`,
      {
        remedy: "Declare it as effect: 'keysAndResults'; a restore at another parallelism treats the two differently.",
      },
    )
  }

  #misuse(problem: string, { remedy }: { readonly remedy: string }): SpillwayError {
    return new SpillwayError('BROADCAST_STATE', { place: this.#state.operator, problem: `${problem}.`, remedy })
  }
}

const allGroups = { begin: 0, end: Number.POSITIVE_INFINITY }
const onlyThere = { remedy: 'Do it in broadcast: every task is called there with the same records.' }
