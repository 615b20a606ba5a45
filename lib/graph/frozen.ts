import type { ValueState } from './handlers.ts'

/** Freezes it, so that a change to what may be part of a snapshot throws where it happens. */
export const frozen = <V>(value: V): V =>
  // Typed arrays cannot be frozen.
  ArrayBuffer.isView(value) ? value : Object.freeze(value)

/** The same state, whose values are frozen before a handler has them, and when it has given them. */
export const frozenState = <V>(state: ValueState<V>): ValueState<V> => ({
  get: () => frozen(state.get()),
  set: value => state.set(frozen(value)),
  update: change => state.update(value => frozen(change(frozen(value)))),
  produce: recipe => state.produce(recipe),
  clear: () => state.clear(),
})
