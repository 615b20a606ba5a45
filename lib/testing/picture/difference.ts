import type { Mark } from './drawing.ts'
import { describe, type Legend, markOf, matches, meaningOf } from './legend.ts'
import { type Received, wordsOfReceived } from './received.ts'

/** Where what was received differs from what was expected, for the text of a failure. */
export interface Difference {
  /** What was expected and received there. */
  readonly summary: string
  readonly expected: readonly string[]
  readonly received: readonly string[]
  /** Stands below `row` of the received, in its column. */
  readonly caret: { readonly row: number; readonly column: number; readonly label: string }
  /** What the question marks are. */
  readonly notes: readonly string[]
}

/** The first difference of a lane, or undefined. */
export const laneDifference = (
  expected: readonly Mark[],
  received: readonly Received[],
  legend: Legend,
): Difference | undefined => {
  const wanted = expected.map(mark => ({ ...mark, meaning: meaningOf(mark, legend) }))
  const first = firstIndex(Math.max(wanted.length, received.length), i => {
    const [want, got] = [wanted[i], received[i]]
    return want === undefined || got === undefined || want.frame !== got.frame || !matches(want.meaning, got)
  })
  if (first === undefined) return undefined

  const frame = Math.min(
    wanted[first]?.frame ?? Number.POSITIVE_INFINITY,
    received[first]?.frame ?? Number.POSITIVE_INFINITY,
  )
  const want = wanted[first]?.frame === frame ? describe((wanted[first] as (typeof wanted)[number]).meaning) : 'nothing'
  const got = received[first]?.frame === frame ? wordsOfReceived(received[first] as Received) : 'nothing'
  // Up to the first difference the expected marks are what was received, also where another would do.
  const marks = received.map((of, i) => ({
    of,
    frame: of.frame,
    mark: i < first ? (wanted[i] as Mark).mark : markOf(of, legend),
  }))
  const width = 1 + Math.max(...[...wanted, ...marks].map(mark => mark.frame))
  const rows = drawn(marks, width)
  return {
    summary: `expected ${want}, received ${got}`,
    expected: drawn(wanted, width),
    received: rows,
    caret: { row: rows.length - 1, column: frame, label: `frame ${frame}` },
    notes: marks.filter(({ mark }) => mark === '?').map(({ of }) => `? at frame ${of.frame} is ${wordsOfReceived(of)}`),
  }
}

/** The first difference between rows of text, or undefined. */
export const textDifference = (expected: readonly string[], received: readonly string[]): Difference | undefined => {
  const row = firstIndex(Math.max(expected.length, received.length), i => expected[i] !== received[i])
  if (row === undefined) return undefined
  const [want = '', got = ''] = [expected[row], received[row]]
  const column = firstIndex(Math.max(want.length, got.length), i => want[i] !== got[i]) ?? 0
  return {
    summary: `expected ${want || 'nothing'}, received ${got || 'nothing'}`,
    expected,
    received: received[row] === undefined ? [...received, ''] : received,
    caret: { row, column, label: '' },
    notes: [],
  }
}

const firstIndex = (count: number, holds: (i: number) => boolean): number | undefined => {
  for (let i = 0; i < count; i++) if (holds(i)) return i
  return undefined
}

/** A lane of these marks, in as many rows as stand in its highest column. */
const drawn = (
  marks: readonly { readonly frame: number; readonly mark: string }[],
  width: number,
): readonly string[] => {
  const empty = () => new Array<string>(width).fill('-')
  const rows = [empty()]
  const heights = new Map<number, number>()
  for (const { frame, mark } of marks) {
    const height = heights.get(frame) ?? 0
    heights.set(frame, height + 1)
    const row = rows[height] ?? empty()
    rows[height] = row
    row[frame] = mark
  }
  return rows.map(row => row.join(''))
}
