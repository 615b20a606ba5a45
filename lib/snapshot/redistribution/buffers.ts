import { type Buffer, buffer, pickRecords } from '../../element.ts'
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

/** The same records in as few buffers as there may be: dealing makes small ones, which no change of parallelism is to add to. */
export const joined = (buffers: readonly Buffer<unknown>[]): readonly Buffer<unknown>[] => {
  const runs: Buffer<unknown>[][] = []
  let records = 0
  for (const of of buffers) {
    const run = runs.at(-1)
    records += of.records.length
    if (run !== undefined && records <= recordsMax && haveSameColumns(run[0] as Buffer<unknown>, of)) run.push(of)
    else {
      runs.push([of])
      records = of.records.length
    }
  }
  return runs.map(run => (run.length === 1 ? (run[0] as Buffer<unknown>) : asOne(run)))
}

const asOne = (run: readonly Buffer<unknown>[]): Buffer<unknown> => {
  const [first] = run as readonly [Buffer<unknown>]
  return buffer(
    run.flatMap(({ records }) => records),
    {
      times: first.times && Float64Array.from(run.flatMap(({ times }) => [...(times as Float64Array)])),
      notes: first.notes && Float64Array.from(run.flatMap(({ notes }) => [...(notes as Float64Array)])),
      keys: first.keys && run.flatMap(({ keys }) => keys as NonNullable<typeof keys>),
      groups: first.groups && Uint16Array.from(run.flatMap(({ groups }) => [...(groups as Uint16Array)])),
      split: first.split,
    },
  )
}

const haveSameColumns = (a: Buffer<unknown>, b: Buffer<unknown>): boolean =>
  a.split === b.split &&
  (['times', 'notes', 'keys', 'groups'] as const).every(
    column => (a[column] === undefined) === (b[column] === undefined),
  )

/** Of a buffer that is made of several. */
const recordsMax = 500
