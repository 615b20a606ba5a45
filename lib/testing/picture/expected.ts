import type { DrawnLane, Mark } from './drawing.ts'
import { type Legend, type Meaning, meaningOf } from './meaning.ts'
import { notationError } from './notationError.ts'

/** A mark of an expectation, and what it stands for: one record, or one element. */
export interface Expected extends Mark {
  readonly meaning: Meaning
}

/** @throws an error of notation, if a mark cannot be expected */
export const expectedOf = ({ marks }: DrawnLane, legend: Legend): readonly Expected[] =>
  marks.map(mark => {
    const meaning = meaningOf(mark, legend)
    if (recordsIn(meaning) !== 1) {
      throw notationError('in an expectation a mark stands for one record; others stand in rows `&` below.', mark.place)
    }
    return { ...mark, meaning }
  })

const recordsIn = (meaning: Meaning): number => {
  if (meaning.kind === 'element' && meaning.element.kind === 'buffer') return meaning.element.records.length
  const records = meaning.kind === 'words' ? /^records (\S+)$/.exec(meaning.words)?.[1] : undefined
  return records === undefined ? 1 : [...records].length
}
