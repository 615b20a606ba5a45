import type { Row } from './drawing.ts'
import { notationError } from './notationError.ts'
import { agree } from './words.ts'

/** What `align` does beside passing data, in order: its orders to the gate, and what it says of checkpoints. */
export class Effects {
  readonly #nowMs: () => number
  readonly #byFrame = new Map<number, string[]>()

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs
  }

  add(words: string): void {
    const frame = this.#nowMs()
    const effects = this.#byFrame.get(frame)
    if (effects === undefined) this.#byFrame.set(frame, [words])
    else effects.push(words)
  }

  /**
   * One a frame: `6: begin 1 aligned after 4, unblock A`. Where an expected effect leaves out some of the words, so does
   * the row.
   */
  rows(expected: readonly Row[]): readonly string[] {
    const wanted = new Map(readEffects(expected))
    return [...this.#byFrame].map(([frame, effects]) => {
      const shown = effects.map((effect, i) => {
        const words = wanted.get(frame)?.[i]
        return words !== undefined && agree(words, { said: effect }) ? words : effect
      })
      return rowOf(frame, shown)
    })
  }
}

/** The expected rows as `rows()` would give them; `none` stands for no row. */
export const expectedEffects = (rows: readonly Row[]): readonly string[] =>
  readEffects(rows).map(([frame, effects]) => rowOf(frame, effects))

/** The effects of each frame. */
export const readEffects = (rows: readonly Row[]): readonly (readonly [frame: number, effects: readonly string[]])[] =>
  rows[0]?.text === 'none' ? [] : rows.map(readRow)

const readRow = ({ text, place }: Row): readonly [frame: number, effects: readonly string[]] => {
  const [, frame, list] = /^(\d+): +(.+)$/.exec(text) ?? []
  if (list === undefined) throw notationError('a row of `effects` is such as `6: begin 1 aligned, unblock A`.', place)
  return [Number(frame), list.split(',').map(words => words.trim())]
}

const rowOf = (frame: number, effects: readonly string[]): string => `${frame}: ${effects.join(', ')}`
