import { drawn } from '../../random.ts'

/** A seeded source of chance: the same seed gives the same run. */
export interface Random {
  /** At least 0 and below 1. */
  next(): number
  /** A whole number of at least 0 and below `count`. */
  below(count: number): number
  chance(probability: number): boolean
  pick<A>(from: readonly A[]): A
  /** Another source, for one consumer alone: what others draw does not change what it gives. */
  fork(): Random
}

export const seeded = (seed: number): Random => {
  let state = seed | 0
  const next = () => {
    const [value, after] = drawn(state)
    state = after
    return value
  }
  const below = (count: number) => Math.floor(next() * count)
  return {
    next,
    below,
    chance: probability => next() < probability,
    pick: from => from[below(from.length)] as (typeof from)[number],
    fork: () => seeded(below(2 ** 31)),
  }
}
