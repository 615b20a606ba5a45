import type { StreamElement } from '../../element.ts'
import { type Drawing, nameOf } from './drawing.ts'
import { formOf, forms } from './forms.ts'
import type { Legend, Meaning } from './meaning.ts'
import { notationError } from './notationError.ts'

/** The legend of a picture, whose entries are lines of words. */
export const readLegend = (drawing: Drawing): Legend => {
  const used = new Set(
    [...drawing.inputs, ...(drawing.out === undefined ? [] : [drawing.out])].flatMap(({ marks }) =>
      marks.map(({ mark }) => mark),
    ),
  )
  for (const row of drawing.texts.get('captured') ?? [])
    for (const [, marks = ''] of row.text.matchAll(/\(([^)]*)\)/g)) for (const mark of marks) used.add(mark)
  return new Map(
    [...drawing.legend].map(([letter, row]) => {
      if (!used.has(letter)) throw notationError(`\`${letter}\` stands in no lane.`, nameOf(row))
      if (formOf(row.text) === undefined) {
        const known = forms.map(({ form }) => `\n    ${form}`).join('')
        throw notationError(`an entry of the legend is one of${known}`, row.place)
      }
      return [letter, { kind: 'words', words: row.text }]
    }),
  )
}

/** The legend of a lane that is written by itself: values by letter, elements or records. */
export const legendOf = (values: Readonly<Record<string, unknown>>): Legend =>
  new Map(
    Object.entries(values).map(([letter, value]): [string, Meaning] => [
      letter,
      isElement(value) ? { kind: 'element', element: value } : { kind: 'record', record: value },
    ]),
  )

/** A record that happens to look like an element stands in a `buffer([record])` of its own. */
const isElement = (value: unknown): value is StreamElement<unknown> => {
  const kind = (value as { kind?: unknown } | null | undefined)?.kind
  return typeof kind === 'string' && kinds.has(kind)
}

const kinds: ReadonlySet<string> = new Set<StreamElement<unknown>['kind']>([
  'buffer',
  'side',
  'watermark',
  'idle',
  'active',
  'splits',
  'barrier',
  'cancel',
  'recovered',
  'end',
])
