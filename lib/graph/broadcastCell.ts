import type { Draft } from 'immer'
import type * as t from 'io-ts'
import { lined } from '../snapshot/frame.ts'
import { listType } from '../state/listType.ts'
import type { OperatorState } from '../state/operatorState.ts'
import type { Sample } from '../state/sample.ts'
import { produced } from './call.ts'
import type { ValueState } from './handlers.ts'

/**
 * A value of broadcast state: one, or while lines of old tasks are gone on with, one of each line. Captured as it was before a
 * call that is suspended.
 */
export class BroadcastCell<V> implements ValueState<V> {
  readonly #state: OperatorState
  readonly #initial: V
  readonly #line: () => number
  readonly #sample: Sample<V>
  #values: readonly V[]
  #before: readonly V[]
  #changedIn = -1

  /** `lines`: how many are gone on with; 0: none. `line`: the one that is seen. */
  constructor(
    state: OperatorState,
    { name, codec, initial }: { readonly name: string; readonly codec: t.Type<V, any>; readonly initial: V },
    { lines, line }: { readonly lines: () => number; readonly line: () => number },
  ) {
    this.#state = state
    this.#initial = initial
    this.#line = line
    this.#sample = state.sample(name, codec)
    const one = state.keep(name, codec, () => (lines() === 0 ? this.#captured[0] : undefined))
    const many = state.keep(lined(name), listType(codec), () => (lines() === 0 ? undefined : this.#captured))
    this.#values = lines() === 0 ? [one ?? initial] : (many ?? new Array<V>(lines()).fill(initial))
    this.#before = this.#values
  }

  get(): V {
    return this.#values[this.#line()] as V
  }

  set(value: V): void {
    this.#sample.pass(value)
    const { number } = this.#state.calls
    if (this.#changedIn !== number) {
      this.#changedIn = number
      this.#before = this.#values
    }
    this.#values = this.#values.with(this.#line(), value)
  }

  update(change: (value: V) => V): V {
    this.set(change(this.get()))
    return this.get()
  }

  produce(recipe: (draft: Draft<V>) => void): V {
    return this.update(before => produced(before, recipe))
  }

  clear(): void {
    this.set(this.#initial)
  }

  /** The lines are equal: the first is that of all. Not during a call. */
  merge(): void {
    this.#values = this.#values.slice(0, 1)
  }

  get #captured(): readonly V[] {
    return this.#state.callOpen && this.#changedIn === this.#state.calls.number ? this.#before : this.#values
  }
}
