import { type Buffer, pickRecords } from '../../element.ts'
import { heirOf, ownerOfGroup, type Spread } from './spread.ts'

/** By new tasks: the records of a buffer that an old task had. Those with a key group go to its owner, the others to the heir. */
export const sharesOfBuffer = (
  of: Buffer<unknown>,
  old: number,
  spread: Spread,
): readonly (Buffer<unknown> | undefined)[] => {
  const { records, groups } = of
  const shares: (Buffer<unknown> | undefined)[] = new Array(spread.after).fill(undefined)
  if (groups === undefined) return shares.with(heirOf(old, spread), records.length === 0 ? undefined : of)
  const indexes = shares.map((): number[] => [])
  for (let i = 0; i < records.length; i++) indexes[ownerOfGroup(groups[i] as number, spread)]?.push(i)
  return indexes.map(own => (own.length === 0 ? undefined : pickRecords(of, own)))
}

/** The new task that a buffer's first record goes to. */
export const ownerOfFirst = ({ groups }: Buffer<unknown>, old: number, spread: Spread): number => {
  const group = groups?.[0]
  return group === undefined ? heirOf(old, spread) : ownerOfGroup(group, spread)
}
