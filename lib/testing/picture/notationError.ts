/** A character of a picture: its line with the number of the character in it. */
export interface Place {
  readonly line: string
  readonly column: number
}

/** What is wrong with a picture or a lane as it is written; the message shows the line with a caret under the place. */
export const notationError = (problem: string, { line, column }: Place): Error => {
  const indented = line.length - line.trimStart().length
  const caret = `${' '.repeat(Math.max(0, column - indented))}^`
  return new Error(`The picture cannot be read: ${problem}\n\n  ${line.trim()}\n  ${caret}`)
}
