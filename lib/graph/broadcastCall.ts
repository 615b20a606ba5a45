import type * as t from 'io-ts'
import type { Key } from '../element.ts'
import { SpillwayError } from '../error.ts'
import type { BroadcastEffect } from '../state/broadcastLines.ts'
import { compareKeys } from '../state/keyOrder.ts'
import type { OperatorState } from '../state/operatorState.ts'
import { KeyedCall, taskValue } from './call.ts'
import type { KeyedState, Out, Results, ValueState } from './handlers.ts'

/** What a handler of an operator with broadcast state sees: in a call for a broadcast record, keys only one after the other. */
export class BroadcastCall extends KeyedCall {
  readonly #state: OperatorState
  readonly #effect: BroadcastEffect
  #isBroadcast = false

  constructor(state: OperatorState, effect: BroadcastEffect) {
    super(state)
    this.#state = state
    this.#effect = effect
  }

  override begin(key: Key, group: number): void {
    this.#isBroadcast = false
    super.begin(key, group)
  }

  override beginOfTask(): void {
    this.#isBroadcast = false
    super.beginOfTask()
  }

  /** The call that follows is for a broadcast record. */
  beginOfBroadcast(): void {
    super.beginOfTask()
    this.#isBroadcast = true
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
    const value = taskValue(this.#state, name, codec, initial)
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

  /** The results of a call for a broadcast record, which must be none if it may only change broadcast state. */
  checked<R>(results: Results<R>): Results<R> {
    if (results !== undefined && this.#effect === 'broadcastState') throw this.#undeclared('results')
    return results
  }

  /** What such a call emits into. */
  outOf<R, S extends Record<string, unknown>>(out: Out<R, S>): Out<R, S> {
    if (this.#effect === 'keysAndResults') return out
    const refuse = () => {
      throw this.#undeclared('results')
    }
    return { emit: refuse, emitAt: refuse, side: refuse }
  }

  /** In an order that is the same after a restore, so that a call that is repeated meets them as before. */
  *#keysOf(name: string): Generator<Key, void> {
    if (!this.#isBroadcast) throw this.#misuse(`keys of state ${name} are asked for in another handler`, onlyThere)
    if (this.#effect === 'broadcastState') throw this.#undeclared('the state of keys')
    const table = this.#state.tableNamed(name)
    const keys = [...(table?.values() ?? [])].map(({ key, group }) => ({ key, group }))
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

const onlyThere = { remedy: 'Do it in broadcast: every task is called there with the same records.' }
