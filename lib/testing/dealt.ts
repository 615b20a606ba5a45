import { type Buffer, pickRecords } from '../element.ts'
import { SpillwayError } from '../error.ts'
import type { Subtask } from '../graph/task.ts'
import { absurd } from '../invariant.ts'
import { type Begun, type Frame, ownState } from '../snapshot/frame.ts'
import type { ChannelData, RestoredTask } from '../snapshot/snapshot.ts'
import { subtaskOf } from '../state/keyGroups.ts'
import type { RestoredOperator } from '../state/operatorState.ts'
import type { CapturedWatermarks } from '../time/watermarks.ts'
import { type HarnessSnapshot, read } from './harnessSnapshot.ts'

export interface Dealing {
  readonly subtask: Subtask
  readonly keyGroups: number
}

/**
 * What a task is restored from: its own snapshot, or at another parallelism its share of all tasks' snapshots.
 *
 * Keyed state, and records with a key group, go to the group's owner, records without one to subtask i mod parallelism.
 * The watermark is the smallest; watermarks in flight are left out, since those that follow say as much.
 * @throws PARALLELISM_CHANGED for state of a whole task, which belongs to no key group
 */
export const dealt = (snapshots: readonly HarnessSnapshot[], dealing: Dealing): RestoredTask => {
  const own = snapshots.find(({ subtask }) => subtask.index === dealing.subtask.index)
  if (own?.subtask.parallelism === dealing.subtask.parallelism) return read(own)
  checkWhole(snapshots)
  const tasks = snapshots
    .toSorted((a, b) => a.subtask.index - b.subtask.index)
    .map(snapshot => ({ from: snapshot.subtask.index, task: read(snapshot) }))
  const names = new Set(tasks.flatMap(({ task }) => [...task.operators.keys()]))
  const operators = [...names].map(name => {
    const parts = tasks.flatMap(({ from, task }) => {
      const operator = task.operators.get(name)
      return operator === undefined ? [] : [{ from, operator }]
    })
    return [name, share(name, parts, dealing)] as const
  })
  const inFlight = tasks.flatMap(({ task }) => task.inFlight.map(data => shareOfData(data, dealing)))
  return { ended: false, operators: new Map(operators), inFlight }
}

interface Part {
  readonly from: number
  readonly operator: RestoredOperator
}

const checkWhole = (snapshots: readonly HarnessSnapshot[]): void => {
  const parallelism = snapshots[0]?.subtask.parallelism ?? 0
  const found = new Set(snapshots.map(({ subtask }) => subtask.index))
  if (found.size === parallelism && snapshots.every(({ subtask }) => subtask.parallelism === parallelism)) return
  throw new Error(
    `a restore at another parallelism needs the snapshots of all ${parallelism} subtasks, found those of ${[...found].join(', ') || 'none'}`,
  )
}

const share = (name: string, parts: readonly Part[], dealing: Dealing): RestoredOperator => {
  const tableNames = new Set(parts.flatMap(({ operator }) => [...operator.tables.keys()]))
  const tables = [...tableNames].map(table => {
    const batches = parts.flatMap(({ operator }) => [...(operator.tables.get(table) ?? [])])
    return [
      table,
      batches.map(batch => batch.filter(([group]) => owner(group, dealing) === dealing.subtask.index)),
    ] as const
  })
  return { kept: sharedKept(name, parts, dealing), tables: new Map(tables) }
}

/** The gate's and the handlers' own values; those of users belong to the whole task. */
const sharedKept = (name: string, parts: readonly Part[], dealing: Dealing): Record<string, unknown> => {
  const kept: Record<string, unknown> = {}
  const stored = (key: string) =>
    parts.flatMap(({ from, operator: { kept } }) => (key in kept ? [{ from, value: kept[key] }] : []))
  const smallestMs = Math.min(...stored(ownState.watermark).map(({ value }) => value as number))
  for (const key of new Set(parts.flatMap(({ operator }) => Object.keys(operator.kept)))) {
    const values = stored(key)
    if (name === gate && key === 'watermarks')
      kept[key] = smallest(values.map(({ value }) => value as CapturedWatermarks))
    else if (key === ownState.watermark) kept[key] = smallestMs
    else if (key === ownState.end && values.length === parts.length) kept[key] = values[0]?.value
    else if (key === ownState.frame) {
      const frames = values.map(({ from, value }) => ({ from, frame: value as Frame }))
      kept[key] = joined(
        frames.flatMap(({ from, frame }) => shareOfFrame(frame, from, { name, smallestMs, ...dealing })),
      )
    } else throw ofTheWholeTask(name, key)
  }
  return kept
}

const smallest = (all: readonly CapturedWatermarks[]): CapturedWatermarks => ({
  combinedMs: Math.min(...all.map(({ combinedMs }) => combinedMs)),
  channels: (all[0]?.channels ?? []).map((_, channel) => {
    const times = all.flatMap(({ channels }) => channels[channel] ?? [])
    return { watermarkMs: Math.min(...times.map(time => time.watermarkMs)), idle: times.every(({ idle }) => idle) }
  }),
})

/** Several tasks' frames are one that does one after the other; `undefined` if nothing is left to do. */
const joined = ([first, ...more]: readonly Begun[]): Frame | undefined => first && { ...first, more, pending: [] }

const shareOfFrame = (
  frame: Frame,
  from: number,
  dealing: Dealing & { readonly name: string; readonly smallestMs: number },
): readonly Begun[] => [
  ...[frame, ...frame.more].flatMap(begun => shareOfBegun(begun, from, dealing)),
  ...frame.pending
    .flatMap(element => (element.kind === 'buffer' ? shareOfBuffer(element, from, dealing) : []))
    .map(buffer => ({ work: { kind: 'records' as const, buffer, next: 0 }, delivered: 0 })),
]

/** Whoever gets the first record, or the timer that is firing, skips what its call has delivered. */
const shareOfBegun = (
  { work, delivered }: Begun,
  from: number,
  dealing: Dealing & { readonly name: string; readonly smallestMs: number },
): readonly Begun[] => {
  switch (work.kind) {
    case 'records': {
      const first = ownerOf(work.buffer, 0, from, dealing) === dealing.subtask.index
      return shareOfBuffer(work.buffer, from, dealing).map(buffer => ({
        work: { kind: 'records', buffer, next: 0 },
        delivered: first ? delivered : 0,
      }))
    }
    case 'watermark': {
      const firing =
        work.firing && owner(work.firing.group, dealing) === dealing.subtask.index ? work.firing : undefined
      return [
        {
          work: { kind: 'watermark', timeMs: dealing.smallestMs, firing },
          delivered: firing === undefined ? 0 : delivered,
        },
      ]
    }
    case 'end':
      throw ofTheWholeTask(dealing.name, 'what its end handler has still to give')
    default:
      return absurd(work)
  }
}

const shareOfData = ({ input, from, elements }: ChannelData, dealing: Dealing): ChannelData => ({
  input,
  from,
  elements: elements.flatMap(element => (element.kind === 'buffer' ? shareOfBuffer(element, from, dealing) : [])),
})

const shareOfBuffer = (of: Buffer<unknown>, from: number, dealing: Dealing): readonly Buffer<unknown>[] => {
  const indexes = [...of.records.keys()].filter(i => ownerOf(of, i, from, dealing) === dealing.subtask.index)
  return indexes.length === 0 ? [] : [pickRecords(of, indexes)]
}

const ownerOf = ({ groups }: Buffer<unknown>, record: number, from: number, dealing: Dealing): number => {
  const group = groups?.[record]
  return group === undefined ? from % dealing.subtask.parallelism : owner(group, dealing)
}

const owner = (group: number, { keyGroups, subtask: { parallelism } }: Dealing): number =>
  subtaskOf(group, { groups: keyGroups, parallelism })

const ofTheWholeTask = (operator: string, state: string) =>
  new SpillwayError('PARALLELISM_CHANGED', {
    place: `state ${state} of operator ${operator}`,
    problem: 'it belongs to a whole task, not to a key, so there is no telling which task it goes to.',
    remedy: 'Restore it at the parallelism that it was taken at, or keep it by key.',
  })

const gate = '(gate)'
