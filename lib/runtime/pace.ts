/** How many records a task hands over at once, so that a turn takes about 2 ms, and whether a turn is used up. */
export class Pace {
  recordsMax: number
  readonly #clock: () => number
  readonly #recordsLimit: number
  #begunMs = 0
  #msPerRecord = 0
  #asked = 0
  #askAgain = 1
  #usedUp = false

  constructor(clock: () => number, recordsLimit: number) {
    this.#clock = clock
    this.#recordsLimit = recordsLimit
    this.recordsMax = Math.min(firstRecords, recordsLimit)
  }

  begin(): void {
    this.#begunMs = this.#clock()
    this.#usedUp = false
    this.#asked = 0
    this.#askAgain = 1
  }

  /** Asked between any two results, so it reads the clock now and then: about ten times in a turn. */
  hasTime(): boolean {
    this.#asked++
    if (this.#asked < this.#askAgain || this.#usedUp) return !this.#usedUp
    const elapsedMs = this.#clock() - this.#begunMs
    this.#usedUp = elapsedMs >= turnMs
    const msPerAsking = elapsedMs / this.#asked
    const until = msPerAsking > 0 ? Math.ceil(turnMs / 10 / msPerAsking) : this.#asked
    this.#askAgain = this.#asked + Math.max(1, Math.min(until, this.#asked))
    return !this.#usedUp
  }

  /** So many records have been handled since `begin`. */
  handled(records: number): void {
    const msPerRecord = (this.#clock() - this.#begunMs) / records
    this.#msPerRecord =
      this.#msPerRecord === 0 ? msPerRecord : this.#msPerRecord + weight * (msPerRecord - this.#msPerRecord)
    const fit = this.#msPerRecord > 0 ? Math.floor(turnMs / this.#msPerRecord) : this.#recordsLimit
    // Growing by steps: a few cheap records say little about the next.
    this.recordsMax = Math.max(1, Math.min(fit, this.#recordsLimit, 2 * this.recordsMax))
  }
}

const turnMs = 2
const weight = 0.2
const firstRecords = 16
