import type { ABSENT, Entry } from './entry.ts'

/** Which handler call is under way: shared by the tables of an operator. */
export class CallLog {
  /** Of the call under way. */
  number = 0

  /** Comes before every call. What tables remember of the one before is forgotten at their next change. */
  begin(): void {
    this.number++
  }
}

/** An entry as it was before the call under way. */
export interface Before<V> {
  readonly entry: Entry<V>
  readonly value: V | typeof ABSENT
}

/** What the call under way has changed in one table: each entry once, as it was before the call. */
export class CallChanges<V> {
  readonly #calls: CallLog
  #call = 0
  /** The first `#count` are of call `#call`; one more at the most is left over, to be used again. */
  #changes: { -readonly [P in keyof Before<V>]: Before<V>[P] }[] = []
  #count = 0

  constructor(calls: CallLog) {
    this.#calls = calls
  }

  /** Comes before each change of an entry. */
  note(entry: Entry<V>): void {
    const { number } = this.#calls
    const changes = this.#changes
    if (this.#call !== number) {
      this.#call = number
      this.#count = 0
      if (changes.length > 1) changes.length = 1
    } else if (entry.change < this.#count && changes[entry.change]?.entry === entry) return
    const at = this.#count++
    entry.change = at
    // Nearly every call changes one entry of a table, its key's; noting that one makes no garbage.
    const reused = changes[at]
    if (reused === undefined) changes.push({ entry, value: entry.value })
    else {
      reused.entry = entry
      reused.value = entry.value
    }
  }

  /** What to put back to have the table as it was before the call. */
  get before(): readonly Before<V>[] {
    return this.#call === this.#calls.number ? this.#changes.slice(0, this.#count) : []
  }
}
