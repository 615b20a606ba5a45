/** A queue of at most `capacity` records, which drops none by itself: `put` is for one that is not full. */
export class Ring<T> {
  readonly #slots: (T | undefined)[]
  readonly #capacity: number
  #begin = 0
  #size = 0

  constructor(capacity: number) {
    this.#capacity = capacity
    this.#slots = []
  }

  get size(): number {
    return this.#size
  }

  get full(): boolean {
    return this.#size === this.#capacity
  }

  put(record: T): void {
    this.#slots[(this.#begin + this.#size) % this.#capacity] = record
    this.#size++
  }

  /** The oldest, at most so many. */
  take(recordsMax: number): readonly T[] {
    const taken: T[] = []
    for (let left = Math.min(recordsMax, this.#size); left > 0; left--) {
      taken.push(this.#slots[this.#begin] as T)
      this.#slots[this.#begin] = undefined
      this.#begin = (this.#begin + 1) % this.#capacity
      this.#size--
    }
    return taken
  }
}
