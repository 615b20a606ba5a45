import type { Key, SplitId } from '../../element.ts'
import { isBySplit, isList, type RestoredOperator } from '../../state/operatorState.ts'
import { type Frame, gateState, ofLines, ownState } from '../frame.ts'
import type { RestoredTask } from '../snapshot.ts'
import { redistributedFrames } from './frames.ts'
import { generationOfTask } from './generations.ts'
import { DealtLines } from './lines.ts'
import { ofTheWholeTask } from './ofTheWholeTask.ts'
import { heirOf, ownerOfGroup, type Spread } from './spread.ts'
import { type GroupWatermarks, redistributedGroupWatermarks, smallestWatermark } from './watermarks.ts'

/**
 * By new tasks: the state of a stage's operators.
 *
 * | what                             | goes to                                                  |
 * | -------------------------------- | -------------------------------------------------------- |
 * | keyed tables, timers              | the owner of the key group                               |
 * | positions, largest times of splits | the task of the split                                    |
 * | unpublished transactions of sinks  | the heir of their task, oldest first                     |
 * | suspended operators               | `frames.ts`                                              |
 * | watermarks                        | `watermarks.ts`; those of a gate's channels to nobody     |
 * | lists                             | element i of all, one behind the other, to task i mod parallelism; who is to know of all does (`unions.ts`) |
 * | an end that has been handled      | all, if all old tasks have handled it; else it is refused |
 * | broadcast state that nothing else depends on | that of the first old task, to all            |
 * | … that keys and results depend on | `lines.ts`                                              |
 * | other state of a whole task        | refused                                                  |
 *
 * @throws PARALLELISM_CHANGED
 */
export const redistributedOperators = (
  tasks: readonly RestoredTask[],
  spread: Spread,
): readonly ReadonlyMap<string, RestoredOperator>[] => {
  const names = new Set(tasks.flatMap(({ operators }) => [...operators.keys()]))
  names.delete(gateState.operator)
  const generations = tasks.map(task => generationOfTask(task, spread.generations.before))
  const shares = [...names].map(name => {
    const parts = tasks.map(({ operators }) => operators.get(name))
    const lines = isReplayed(name, spread) ? new DealtLines(tasks, name, spread) : undefined
    return { name, tables: tablesOf(parts, spread), kept: keptOf(name, parts, { spread, lines, generations }) }
  })
  return Array.from(
    { length: spread.after },
    (_, task) =>
      new Map(
        shares.map(({ name, tables, kept }) => [
          name,
          { kept: kept[task] ?? {}, tables: new Map([...tables].map(([table, of]) => [table, of[task] ?? []])) },
        ]),
      ),
  )
}

type Parts = readonly (RestoredOperator | undefined)[]
type Batch = readonly (readonly [group: number, key: Key, value: unknown])[]

/** By name and new task. Each stored table is read once. */
const tablesOf = (parts: Parts, spread: Spread): ReadonlyMap<string, readonly Batch[][]> => {
  const tables = new Map<string, Batch[][]>()
  for (const part of parts) {
    for (const [name, batches] of part?.tables ?? []) {
      const shares = tables.get(name) ?? Array.from({ length: spread.after }, (): Batch[] => [])
      tables.set(name, shares)
      for (const batch of batches) {
        const split = shares.map((): Batch[number][] => [])
        for (const entry of batch) split[ownerOfGroup(entry[0], spread)]?.push(entry)
        for (const [task, own] of split.entries()) if (own.length > 0) shares[task]?.push(own)
      }
    }
  }
  return tables
}

const isReplayed = (operator: string, { broadcast }: Spread): boolean =>
  broadcast?.operator === operator && broadcast.effect === 'keysAndResults'

const keptOf = (
  operator: string,
  parts: Parts,
  {
    spread,
    lines,
    generations,
  }: {
    readonly spread: Spread
    readonly lines: DealtLines | undefined
    /** By old task. */
    readonly generations: readonly number[]
  },
): readonly Record<string, unknown>[] => {
  const shares = Array.from({ length: spread.after }, (): Record<string, unknown> => ({}))
  const stored = (name: string) =>
    parts.flatMap((part, old) => (part !== undefined && name in part.kept ? [{ old, value: part.kept[name] }] : []))
  const give = (name: string, values: readonly unknown[]) =>
    values.forEach((value, task) => {
      if (value !== undefined) (shares[task] as Record<string, unknown>)[name] = value
    })
  const toAll = (value: unknown) => shares.map(() => value)
  const watermarks = stored(ownState.watermark).map(({ old, value }) => ({
    old,
    watermarkMs: value as number,
    groups: (parts[old]?.kept[ownState.groupWatermarks] ?? []) as GroupWatermarks,
  }))
  const watermarkMs = smallestWatermark(watermarks)
  const ofAnyLine = spread.broadcast?.operator === operator && spread.broadcast.effect === 'broadcastState'
  const names = new Set(parts.flatMap(part => Object.keys(part?.kept ?? {})))
  if (lines !== undefined) {
    names.add(ownState.frame)
    for (const [task, kept] of lines.kept(names).entries()) Object.assign(shares[task] as object, kept)
  }
  for (const name of names) {
    const values = stored(name)
    if (name === ownState.watermark) {
      give(name, toAll(watermarkMs))
      give(
        ownState.groupWatermarks,
        redistributedGroupWatermarks(watermarks, spread).map(groups => (groups.length === 0 ? undefined : groups)),
      )
    } else if (name === ownState.groupWatermarks) {
      // Given with the watermark.
    } else if (name === ownState.end) {
      if (values.length < parts.length) throw ofTheWholeTask(operator, 'that its end handler has been called')
      give(name, toAll(values[0]?.value))
    } else if (name === ownState.transactions) {
      give(name, transactionsOf(values as readonly OldTransactions[], spread))
    } else if (name === ownState.frame) {
      const frames = values.map(({ old, value }) => ({
        old,
        frame: value as Frame,
        generation: generations[old] as number,
      }))
      if (ofAnyLine) checkKeyed(operator, frames)
      give(name, redistributedFrames(frames, { operator, watermarkMs, spread, lines }))
    } else if (isBySplit(name)) {
      give(name, bySplitOf(values as readonly { value: BySplit }[], spread))
    } else if (isList(name)) {
      give(name, listsOf(values as readonly { value: readonly unknown[] }[], spread))
    } else if (lines !== undefined && isOfBroadcast(name)) {
      // Given with the lines.
    } else if (ofAnyLine && isOfBroadcast(name)) {
      // That of the first old task, with its in-flight data of the broadcast.
      give(name, toAll(parts[0]?.kept[name]))
    } else throw ofTheWholeTask(operator, `state ${name}`)
  }
  return shares
}

/** Broadcast state, or what says whose it is. */
const isOfBroadcast = (name: string): boolean =>
  !name.startsWith('(') || name === ownState.lines || ofLines(name) !== undefined

/** Broadcast records have no key: those that wait in a suspended operator belong to its line. */
const checkKeyed = (operator: string, frames: readonly { readonly frame: Frame }[]): void => {
  const waiting = frames.flatMap(({ frame }) => [
    ...[frame, ...frame.more].flatMap(({ work }) => (work.kind === 'records' ? [work.buffer] : [])),
    ...frame.pending.filter(element => element.kind === 'buffer'),
  ])
  if (waiting.some(({ keys }) => keys === undefined))
    throw ofTheWholeTask(operator, 'a broadcast record that waits in it')
}

interface OldTransactions {
  readonly old: number
  readonly value: readonly { readonly checkpoint: number }[]
}

const transactionsOf = (all: readonly OldTransactions[], spread: Spread): readonly unknown[] => {
  const shares = Array.from({ length: spread.after }, (): { readonly checkpoint: number }[] => [])
  for (const { old, value } of all) shares[heirOf(old, spread)]?.push(...value)
  return shares.map(share => share.sort((a, b) => a.checkpoint - b.checkpoint))
}

/** By new task its elements; undefined where there are none. */
const listsOf = (all: readonly { readonly value: readonly unknown[] }[], { after }: Spread): readonly unknown[] => {
  const count = all.reduce((sum, { value }) => sum + value.length, 0)
  // Of their size from the beginning: pushing makes room for half as many more, and an array of all would be another copy.
  const shares = Array.from(
    { length: after },
    (_, task) => new Array<unknown>(Math.ceil(Math.max(0, count - task) / after)),
  )
  let i = 0
  for (const { value } of all) {
    for (const element of value) {
      const share = shares[i % after] as unknown[]
      share[Math.floor(i / after)] = element
      i++
    }
  }
  return shares.map(share => (share.length === 0 ? undefined : share))
}

type BySplit = readonly (readonly [split: SplitId, value: unknown])[]

/** A split that is gone goes to the first task, which will say so. */
const bySplitOf = (all: readonly { readonly value: BySplit }[], spread: Spread): readonly BySplit[] => {
  const shares = Array.from({ length: spread.after }, (): (readonly [SplitId, unknown])[] => [])
  for (const { value } of all) {
    for (const pair of value) shares[spread.taskOfSplit(pair[0]) ?? 0]?.push(pair)
  }
  return shares
}
