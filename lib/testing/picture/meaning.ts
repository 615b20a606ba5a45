import { type Buffer, type StreamElement, sliceBuffer } from '../../element.ts'
import { shown } from '../../graph/callEach.ts'
import { absurd } from '../../invariant.ts'
import type { Mark } from './drawing.ts'
import { equal } from './equal.ts'
import { notationError } from './notationError.ts'
import type { Received } from './received.ts'
import { agree, wordsOf } from './words.ts'

/** What letters stand for; one that is not in it is a record of that letter. */
export type Legend = ReadonlyMap<string, Meaning>

export type Meaning =
  | { readonly kind: 'record'; readonly record: unknown }
  | { readonly kind: 'element'; readonly element: StreamElement<unknown> }
  | { readonly kind: 'words'; readonly words: string }
  /** A digit: a barrier, and of a task's output where its snapshot begins. */
  | { readonly kind: 'checkpoint'; readonly checkpoint: number }
  | { readonly kind: 'end' }
  | { readonly kind: 'error' }

/** @throws an error of notation, if the mark stands for nothing */
export const meaningOf = ({ mark, place }: Pick<Mark, 'mark' | 'place'>, legend: Legend): Meaning => {
  const meaning = legend.get(mark)
  if (meaning !== undefined) return meaning
  if (/\d/.test(mark)) return { kind: 'checkpoint', checkpoint: Number(mark) }
  if (mark === '|') return { kind: 'end' }
  if (mark === '#') return { kind: 'error' }
  if ([...legend.values()].some(({ kind }) => kind === 'record')) {
    throw notationError(`the legend does not say what \`${mark}\` stands for.`, place)
  }
  if (isLetter(mark)) return { kind: 'record', record: mark }
  const groups = '()'.includes(mark) ? ' What comes at the same time stands in a row `&` below.' : ''
  throw notationError(`\`${mark}\` stands for nothing.${groups}`, place)
}

/** What has been received is what the mark stands for. */
export const matches = (meaning: Meaning, received: Received): boolean => {
  switch (meaning.kind) {
    case 'record':
      return received.kind === 'record' && equal(meaning.record, received.record)
    case 'element':
      if (meaning.element.kind === 'buffer') return isRecordOf(meaning.element, received)
      return received.kind === 'said' && wordsOf(meaning.element) === received.words
    case 'words': {
      const letter = /^records (.)$/u.exec(meaning.words)?.[1]
      if (letter !== undefined) return received.kind === 'record' && received.record === letter
      return received.kind === 'said' && agree(meaning.words, { said: received.words })
    }
    case 'checkpoint':
      return received.kind === 'said' && checkpointOf(received.words) === String(meaning.checkpoint)
    case 'end':
    case 'error':
      return received.kind === meaning.kind
    default:
      return absurd(meaning)
  }
}

/** The mark by which a picture of this legend would show it; `?` if it has none. */
export const markOf = (received: Received, legend: Legend): string => {
  for (const [letter, meaning] of legend) if (matches(meaning, received)) return letter
  switch (received.kind) {
    case 'record': {
      const { record } = received
      return typeof record === 'string' && isLetter(record) && !legend.has(record) ? record : '?'
    }
    case 'said': {
      const checkpoint = checkpointOf(received.words)
      return checkpoint?.length === 1 ? checkpoint : '?'
    }
    case 'end':
      return '|'
    case 'error':
      return '#'
    default:
      return absurd(received)
  }
}

/** In words, for messages. */
export const describe = (meaning: Meaning): string => {
  switch (meaning.kind) {
    case 'record':
      return shown(meaning.record)
    case 'element':
      return wordsOf(meaning.element)
    case 'words':
      return meaning.words
    case 'checkpoint':
      return `barrier ${meaning.checkpoint}, or the beginning of its snapshot`
    case 'end':
    case 'error':
      return meaning.kind
    default:
      return absurd(meaning)
  }
}

const checkpointOf = (words: string): string | undefined => /^(?:barrier|begin) (\d+)\b/.exec(words)?.[1]

const isLetter = (mark: string): boolean => /^\p{L}$/u.test(mark)

/** The record with just these columns beside it; a record that stands in the legend by itself says nothing of columns. */
const isRecordOf = (expected: Buffer<unknown>, received: Received): boolean => {
  if (received.kind !== 'record') return false
  const { buffer, index } = received
  return equal(sliceBuffer(expected, 0, 1), sliceBuffer(buffer, index, index + 1))
}
