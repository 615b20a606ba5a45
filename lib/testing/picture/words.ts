import type { GateOrder } from '../../channel/gate.ts'
import type { AlignedElement } from '../../control/align.ts'
import {
  type Alignment,
  active,
  type Barrier,
  barrier,
  buffer,
  cancel,
  idle,
  type StreamElement,
  watermark,
} from '../../element.ts'
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
    case 'splits':
      return ['splits', ...element.open].join(' ')
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
export const agree = (words: string, said: string): boolean => {
  const wanted = phrasesOf(words)
  const all = phrasesOf(said)
  let found = 0
  for (const phrase of all) if (phrase === wanted[found]) found++
  return found === wanted.length && wanted[0] === all[0]
}

/** `after 2` belongs together, lest a 2 stand for any number. */
const phrasesOf = (words: string): readonly string[] => words.match(/(?:at|after|in|of|timeout) \S+|\S+/g) ?? []

/** The forms of a legend's entries. */
export const forms: readonly Form[] = [
  { form: 'watermark MS', pattern: /^watermark (-?(?:\d+|Infinity))$/, element: ([ms]) => watermark(Number(ms)) },
  { form: 'idle', pattern: /^idle$/, element: () => idle },
  { form: 'active', pattern: /^active$/, element: () => active },
  { form: 'cancel N', pattern: /^cancel (\d+)$/, element: ([checkpoint]) => cancel(Number(checkpoint)) },
  { form: 'records abc', pattern: /^records (\S+)$/, element: ([records = '']) => buffer([...records]) },
  {
    form: 'barrier N [aligned | unaligned | timeout MS] [savepoint] [at MS]',
    pattern: /^barrier (\d+)(?: (aligned|unaligned|timeout \d+))?( savepoint)?(?: at (-?\d+))?$/,
    element: ([checkpoint, kind, savepoint, at], unnamed) =>
      barrier(Number(checkpoint), {
        alignment: kind === undefined ? unnamed.alignment : alignmentNamed(kind),
        savepoint: savepoint !== undefined,
        timestampMs: at === undefined ? unnamed.timestampMs : Number(at),
      }),
  },
  { form: 'begin N [aligned | unaligned] [after MS]', pattern: /^begin \d+( aligned| unaligned)?( after \d+)?$/ },
  { form: 'aborted N [subsumed | cancelled]', pattern: /^aborted \d+( \w+)?$/ },
  { form: 'end', pattern: /^end$/ },
  { form: 'complete', pattern: /^complete$/ },
]

export interface Form {
  readonly form: string
  readonly pattern: RegExp
  /** What stands in the pattern's groups, as an element; without it, it can only be expected. */
  readonly element?: (groups: readonly (string | undefined)[], unnamed: Unnamed) => StreamElement<string>
}

/** What a barrier has where it names nothing else. */
export interface Unnamed {
  readonly alignment: Alignment
  readonly timestampMs: number
}

const alignmentNamed = (words: string): Alignment => {
  if (words === 'aligned' || words === 'unaligned') return words
  return { alignedTimeoutMs: Number(words.split(' ')[1]) }
}

const alignmentOf = ({ alignment, savepoint }: Barrier): string => {
  const words = typeof alignment === 'string' ? alignment : `timeout ${alignment.alignedTimeoutMs}`
  return savepoint ? `${words} savepoint` : words
}
