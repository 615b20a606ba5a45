import { groupsOf, subtaskOf } from '../../state/keyGroups.ts'
import type { Spread } from './spread.ts'

/** What an operator of an old task knew of event time. */
export interface OldWatermark {
  readonly old: number
  readonly watermarkMs: number
  readonly groups: GroupWatermarks
}

/** Key groups whose watermark is above the operator's, after a restore at another parallelism. */
export type GroupWatermarks = readonly (readonly [group: number, watermarkMs: number])[]

/** What holds for all: an operator's watermark after it was spread anew. */
export const smallestWatermark = (all: readonly OldWatermark[]): number =>
  all.reduce((smallestMs, { watermarkMs }) => Math.min(smallestMs, watermarkMs), Number.POSITIVE_INFINITY)

/** By new tasks: the watermark of each key group, which was that of its old owner; those that the smallest one says anyway are left out. */
export const redistributedGroupWatermarks = (
  all: readonly OldWatermark[],
  { before, after, keyGroups }: Spread,
): readonly GroupWatermarks[] => {
  const smallestMs = smallestWatermark(all)
  const byTask = new Map(all.map(one => [one.old, { ...one, byGroup: new Map(one.groups) }]))
  const watermarkOf = (group: number): number => {
    const owner = byTask.get(subtaskOf(group, { groups: keyGroups, parallelism: before }))
    return Math.max(owner?.watermarkMs ?? smallestMs, owner?.byGroup.get(group) ?? smallestMs)
  }
  return Array.from({ length: after }, (_, task) => {
    const { begin, end } = groupsOf(task, { groups: keyGroups, parallelism: after })
    return Array.from(
      { length: Math.max(0, end - begin) },
      (__, i) => [begin + i, watermarkOf(begin + i)] as const,
    ).filter(([, watermarkMs]) => watermarkMs > smallestMs)
  })
}
