/**
 * Of values that pass, those that are looked at: the first, then ever fewer, until it is one in 16,384. A check takes some tens of
 * microseconds, so what passes pays about a nanosecond for it.
 */
export class Sample<V> {
  readonly #check: (value: V) => void
  /** Of the values to come the number of the next that is looked at, from 1. */
  #next = 1
  #step = 1

  constructor(check: (value: V) => void) {
    this.#check = check
  }

  pass(value: V): void {
    if (--this.#next === 0) this.#look(value)
  }

  /** Looks at one of them at the most. */
  passAll(values: readonly V[]): void {
    const { length } = values
    if (length < this.#next) this.#next -= length
    else this.#look(values[this.#next - 1] as V)
  }

  #look(value: V): void {
    this.#step = Math.min(2 * this.#step, stepMax)
    this.#next = this.#step
    this.#check(value)
  }
}

const stepMax = 16_384
