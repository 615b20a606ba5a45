import type { Expected } from './expected.ts'
import { describe, type Legend, markOf, matches } from './meaning.ts'
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
  expected: readonly Expected[],
  received: readonly Received[],
  legend: Legend,
): Difference | undefined => {
  const first = firstIndex(Math.max(expected.length, received.length), i => {
    const [want, got] = [expected[i], received[i]]
    return want === undefined || got === undefined || want.frame !== got.frame || !matches(want.meaning, got)
  })
  if (first === undefined) return undefined

  const [want, got] = [expected[first], received[first]]
  const frame = Math.min(...[want, got].flatMap(of => (of === undefined ? [] : [of.frame])))
  // Up to the first difference the expected marks are what was received, also where another would do.
  const marks = received.map((of, i) => ({
    of,
    frame: of.frame,
    mark: i < first ? (expected[i] as Expected).mark : markOf(of, legend),
  }))
  const width = 1 + Math.max(...[...expected, ...marks].map(mark => mark.frame))
  const rows = drawn(marks, width)
  return {
    summary: summary({
      expected: want?.frame === frame && describe(want.meaning),
      received: got?.frame === frame && wordsOfReceived(got),
    }),
    expected: drawn(expected, width),
    received: rows,
    caret: { row: rows.length - 1, column: frame, label: `frame ${frame}` },
    notes: marks.filter(({ mark }) => mark === '?').map(({ of }) => `? at frame ${of.frame} is ${wordsOfReceived(of)}`),
  }
}

/** The first difference between rows of text such as `6: block A`, whose number is that of a frame or checkpoint. */
export const textDifference = ({
  expected,
  received,
  numbered,
}: {
  expected: readonly string[]
  received: readonly string[]
  numbered: 'frame' | 'checkpoint'
}): Difference | undefined => {
  const row = firstIndex(Math.max(expected.length, received.length), i => expected[i] !== received[i])
  if (row === undefined) return undefined
  const [want = '', got = ''] = [expected[row], received[row]]
  const column = firstIndex(Math.max(want.length, got.length), i => want[i] !== got[i]) ?? 0
  return {
    summary: summary({ expected: want, received: got }),
    expected,
    received: received[row] === undefined ? [...received, ''] : received,
    caret: { row, column, label: `${numbered} ${Number.parseInt(got || want, 10)}` },
    notes: [],
  }
}

const summary = ({ expected, received }: { expected: string | false; received: string | false }): string =>
  `expected ${expected || 'nothing'}, received ${received || 'nothing'}`

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
