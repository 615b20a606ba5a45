import type { Difference } from './difference.ts'
import type { Received } from './received.ts'

/** A line of a picture: a lane, or `&`, or an entry of the legend. */
export interface Line {
  readonly name: string
  readonly text: string
}

/** The error of a picture that is not what happens: all its lanes, expected and received, and the first difference. */
export const failure = (
  what: string,
  {
    lines,
    difference,
    received: all,
  }: { lines: readonly Line[]; difference: Difference; received: readonly Received[] },
): Error => {
  const { summary, expected, received, caret, notes } = difference
  const width = Math.max('received'.length, ...lines.map(({ name }) => name.length)) + 2
  const row = (name: string, text: string) => `  ${name.padEnd(width)}${text}`.trimEnd()
  const block = (name: string, rows: readonly string[]) => rows.map((text, i) => row(i === 0 ? name : '&', text))
  const receivedRows = block('received', received)
  receivedRows.splice(caret.row + 1, 0, row('', `${' '.repeat(caret.column)}^ ${caret.label}`))
  const text = [
    `${what} differs from the picture at ${caret.label}: ${summary}.`,
    '',
    ...lines.map(({ name, text }) => row(name, text)),
    '',
    ...block('expected', expected.length === 0 ? ['nothing'] : expected),
    ...receivedRows,
    ...notes.map(note => `  ${note}`),
  ].join('\n')
  const failed = all.find(({ kind }) => kind === 'error')
  return new Error(text, failed?.kind === 'error' ? { cause: failed.error } : undefined)
}
