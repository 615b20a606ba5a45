import { type Alignment, active, barrier, buffer, cancel, idle, type StreamElement, watermark } from '../../element.ts'

/** A form that an entry of a picture's legend may have. */
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

/** The form that the words have, and what stands in its groups. */
export const formOf = (words: string): { form: Form; groups: readonly (string | undefined)[] } | undefined => {
  const form = forms.find(({ pattern }) => pattern.test(words))
  return form && { form, groups: form.pattern.exec(words)?.slice(1) ?? [] }
}

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

const alignmentNamed = (words: string): Alignment => {
  if (words === 'aligned' || words === 'unaligned') return words
  return { alignedTimeoutMs: Number(words.split(' ')[1]) }
}
