import type { Key } from '../element.ts'

/**
 * A text that two tuples share exactly if they are the same key. Members say their kind, and where they end: strings by their
 * length, numbers by a comma, tuples by a bracket.
 */
export const textOf = (tuple: readonly Key[]): string => {
  let text = ''
  for (const member of tuple) {
    switch (typeof member) {
      case 'string':
        text += `${member.length}'${member}`
        break
      case 'number':
        text += `${member},`
        break
      case 'bigint':
        text += `${member.toString(16)}n`
        break
      case 'boolean':
        text += member ? 'T' : 'F'
        break
      default:
        text += `(${textOf(member)})`
    }
  }
  return text
}
