import { canonical } from './canonical.ts'

/** What sinks are to publish, by their pipelines' names: canonical texts, ascending. */
export type ExpectedRecords = ReadonlyMap<string, readonly string[]>

/** How what has been published differs from what should be, as multisets; undefined if it does not. */
export const difference = (
  published: ReadonlyMap<string, readonly (readonly unknown[])[]>,
  expected: ExpectedRecords,
): string | undefined => {
  for (const [name, wanted] of expected) {
    const found = sorted((published.get(name) ?? []).flat())
    const [lost, more] = [without(wanted, found), without(found, wanted)]
    if (lost.length === 0 && more.length === 0) continue
    return [
      `${name} published ${found.length} records instead of ${wanted.length}`,
      ...(lost.length > 0 ? [`  not published: ${listed(lost)}`] : []),
      ...(more.length > 0 ? [`  too many:      ${listed(more)}`] : []),
    ].join('\n')
  }
  return undefined
}

export const sorted = (records: readonly unknown[]): readonly string[] => records.map(canonical).sort()

/** Both ascending. */
const without = (from: readonly string[], what: readonly string[]): readonly string[] => {
  let at = 0
  return from.filter(record => {
    while (at < what.length && (what[at] as string) < record) at++
    if (what[at] !== record) return true
    at++
    return false
  })
}

const listed = (records: readonly string[]): string =>
  records.slice(0, shownMax).join(' ') + (records.length > shownMax ? ` and ${records.length - shownMax} more` : '')

const shownMax = 10
