import type { GateOrder } from '../../channel/gate.ts'
import type { AlignedElement } from '../../control/align.ts'
import type { Barrier, StreamElement } from '../../element.ts'
import { shown } from '../../graph/callEach.ts'
import { absurd } from '../../invariant.ts'

/** What an output may emit: a stream's elements, or those of `align`. */
export type OutputElement = StreamElement<unknown> | AlignedElement<unknown>

/** An element in words, such as `watermark 10` or `begin 1 aligned after 2`; a legend may leave some of them out. */
export const wordsOf = (element: OutputElement): string => {
  switch (element.kind) {
    case 'buffer':
      return `records ${element.records.map(shown).join(' ')}`
    case 'side':
      return `side ${element.name}`
    case 'watermark':
      return `watermark ${element.timeMs}`
    case 'recovered':
      return `recovered ${element.generation}`
    case 'splits':
      return ['splits', ...element.open, ...(element.idle.length > 0 ? ['idle', ...element.idle] : [])].join(' ')
    case 'barrier':
      return `barrier ${element.checkpoint} ${alignmentOf(element)} at ${element.timestampMs}`
    case 'cancel':
      return `cancel ${element.checkpoint}`
    case 'begin':
      return `begin ${element.barrier.checkpoint} ${element.alignment} after ${element.startDelayMs}`
    case 'aligned':
      return `aligned ${element.checkpoint} in ${element.alignmentMs}`
    case 'aborted':
      return `aborted ${element.checkpoint} ${element.reason}`
    case 'captured':
      return `captured ${element.checkpoint}`
    case 'idle':
    case 'active':
    case 'end':
      return element.kind
    default:
      return absurd(element)
  }
}

/** What `align` asks of the gate, in words: `block A`, `capture 1 of A`, `drop 1`. */
export const orderInWords = (order: GateOrder, lanes: readonly string[]): string => {
  const words: (string | number)[] = [order.kind]
  if ('checkpoint' in order) words.push(order.checkpoint)
  if ('checkpoint' in order && 'channel' in order) words.push('of')
  if ('channel' in order) words.push(lanes[order.channel] as string)
  return words.join(' ')
}

/** The words say the same, or leave out some of what is said. */
export const agree = (words: string, { said }: { said: string }): boolean => {
  const wanted = phrasesOf(words)
  const all = phrasesOf(said)
  let found = 0
  for (const phrase of all) if (phrase === wanted[found]) found++
  return found === wanted.length && wanted[0] === all[0]
}

/** `after 2` belongs together, lest a 2 stand for any number. */
const phrasesOf = (words: string): readonly string[] => words.match(/(?:at|after|in|of|timeout) \S+|\S+/g) ?? []

const alignmentOf = ({ alignment, savepoint }: Barrier): string => {
  const words = typeof alignment === 'string' ? alignment : `timeout ${alignment.alignedTimeoutMs}`
  return savepoint ? `${words} savepoint` : words
}
