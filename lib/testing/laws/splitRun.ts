import { firstValueFrom, mergeMap, race, throwError, timer } from 'rxjs'
import type { SplitId } from '../../element.ts'
import type { Source, SplitReader } from '../../graph/source.ts'

/** Where a reader stood, and what it had given by then. */
export interface Stand {
  readonly position: unknown
  readonly records: number
  readonly sides: number
}

/** What a split has given, and where its reader stood in between, the beginning included. */
export interface Read {
  readonly records: readonly unknown[]
  /** Records for side outputs, in order, with the output's name. */
  readonly sides: readonly (readonly [name: string, record: unknown])[]
  readonly stands: readonly Stand[]
}

export interface SplitRunOptions {
  readonly from?: unknown
  readonly recordsMax?: number
  /** How long `ready$` may take. */
  readonly waitMs: number
}

/** One reader of a split, read as a task reads it. */
export class SplitRun {
  readonly reader: SplitReader<unknown, unknown>
  readonly records: unknown[] = []
  readonly sides: (readonly [name: string, record: unknown])[] = []
  readonly stands: Stand[] = []
  /** The lengths of what `next` has given, and how many records for side outputs came beside. */
  readonly batches: { readonly records: number; readonly sides: number }[] = []
  readonly #split: SplitId
  readonly #recordsMax: number
  readonly #waitMs: number

  constructor(source: Source<any>, split: SplitId, { from, recordsMax = 2, waitMs }: SplitRunOptions) {
    this.reader = source.open(split, from)
    this.#split = split
    this.#recordsMax = recordsMax
    this.#waitMs = waitMs
    this.#stand()
  }

  /** Reads one batch, waiting for it if need be; false at the end. */
  async next(): Promise<boolean> {
    for (let waits = 0; ; waits++) {
      const next = this.reader.next(this.#recordsMax)
      if (next === 'end') return false
      if (next !== 'wait') {
        this.#took(next)
        return true
      }
      if (waits >= waitsMax)
        throw new Error(`split ${this.#split}: expected records or the end, received 'wait' ${waits} times`)
      await this.#ready()
    }
  }

  async toEnd(): Promise<Read> {
    try {
      while (await this.next());
    } finally {
      this.reader.close()
    }
    return this
  }

  #took(records: readonly unknown[]): void {
    const sides = [...(this.reader.takeSides?.() ?? [])].flatMap(([name, more]) =>
      more.map(record => [name, record] as const),
    )
    this.records.push(...records)
    this.sides.push(...sides)
    this.batches.push({ records: records.length, sides: sides.length })
    this.#stand()
  }

  #stand(): void {
    this.stands.push({ position: this.reader.position(), records: this.records.length, sides: this.sides.length })
  }

  #ready(): Promise<unknown> {
    const failed = (what: string) => new Error(`split ${this.#split}: expected ready$ to emit after 'wait', ${what}`)
    const late = timer(this.#waitMs).pipe(
      mergeMap(() => throwError(() => failed(`received nothing in ${this.#waitMs} ms`))),
    )
    return firstValueFrom(race(this.reader.ready$, late)).catch(error => {
      throw error?.name === 'EmptyError' ? failed('received its completion') : error
    })
  }
}

/** After so many in a row nothing will come. */
const waitsMax = 10_000
