import { invariant } from '../invariant.ts'
import { ABSENT, noVersion } from './entry.ts'

interface Version<V> {
  readonly value: V | typeof ABSENT
  /** Captures whose number is below it see an older one. */
  readonly epoch: number
  /** The number of the version before. */
  readonly older: number
}

/**
 * Values that open captures see although their entries have changed since.
 *
 * They are kept beside the entries, in chunks in the order of the changes, so that the end of the last capture frees all of
 * them at once, whatever their number. An entry names its newest version by number; each names the one before it.
 */
export class Versions<V> {
  #chunks: Chunk<V>[] = []
  /** Number of the first version of the first chunk. */
  #begin = 0
  #end = 0

  /** Returns its number. Captures from `untilEpoch` on see a newer one. */
  keep({ value, epoch, older }: Version<V>, untilEpoch: number): number {
    const number = this.#end++
    const at = number % chunkSize
    if (at === 0) {
      invariant(number < versionsMax, () => `captures close in time: ${number} versions since none was open`)
      this.#chunks.push(new Chunk())
    }
    const chunk = this.#chunks[this.#chunks.length - 1] as Chunk<V>
    chunk.values[at] = value
    chunk.epochs[at] = epoch
    chunk.untils[at] = untilEpoch
    chunk.older[at] = older
    return number
  }

  /** What a capture sees, `newest` being the version that its entry names. */
  find(newest: number, capture: number): V | typeof ABSENT {
    for (let number = newest; number !== noVersion; ) {
      const chunk = this.#chunks[Math.floor((number - this.#begin) / chunkSize)] as Chunk<V>
      const at = number % chunkSize
      if ((chunk.epochs[at] as number) <= capture) return chunk.values[at] as V | typeof ABSENT
      number = chunk.older[at] as number
    }
    return ABSENT
  }

  /** The first capture that sees what this one sees; `noVersion`: it sees nothing. */
  epochOf(newest: number, capture: number): number {
    for (let number = newest; number !== noVersion; ) {
      const chunk = this.#chunks[Math.floor((number - this.#begin) / chunkSize)] as Chunk<V>
      const at = number % chunkSize
      if ((chunk.epochs[at] as number) <= capture) return chunk.epochs[at] as number
      number = chunk.older[at] as number
    }
    return noVersion
  }

  /** Frees what none of the captures `open` (ascending) wants any more. Takes long only if there are some. */
  release(open: readonly number[]): void {
    const [oldest] = open
    if (oldest === undefined) {
      this.#chunks = []
      this.#begin = 0
      this.#end = 0
      return
    }
    let gone = 0
    // The last chunk stays, since it may not be full.
    while (gone < this.#chunks.length - 1 && this.#lastUntil(gone) <= oldest) gone++
    this.#chunks.splice(0, gone)
    this.#begin += gone * chunkSize
    this.#each((chunk, at) => {
      if (!isWanted(chunk, at, open)) chunk.values[at] = undefined
    })
  }

  /** Places taken, also by versions that are freed already: without a release in the order of the captures they stay. */
  get places(): number {
    return this.#end - this.#begin
  }

  /** How many are kept for the captures `open`. */
  count(open: readonly number[]): number {
    let count = 0
    this.#each((chunk, at) => {
      if (isWanted(chunk, at, open)) count++
    })
    return count
  }

  #lastUntil(chunk: number): number {
    return (this.#chunks[chunk] as Chunk<V>).untils[chunkSize - 1] as number
  }

  #each(visit: (chunk: Chunk<V>, at: number) => void): void {
    for (let number = this.#begin; number < this.#end; number++) {
      visit(this.#chunks[Math.floor((number - this.#begin) / chunkSize)] as Chunk<V>, number % chunkSize)
    }
  }
}

class Chunk<V> {
  /** `undefined` too where a value has been freed. */
  readonly values = new Array<V | typeof ABSENT | undefined>(chunkSize)
  readonly epochs = new Array<number>(chunkSize)
  readonly untils = new Array<number>(chunkSize)
  readonly older = new Array<number>(chunkSize)
}

const isWanted = (chunk: Chunk<unknown>, at: number, open: readonly number[]): boolean => {
  const epoch = chunk.epochs[at] as number
  const until = chunk.untils[at] as number
  return open.some(capture => epoch <= capture && capture < until)
}

const chunkSize = 256
/** So that numbers of versions stay V8's small integers. */
const versionsMax = 2 ** 30
