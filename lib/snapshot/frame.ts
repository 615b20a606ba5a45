import * as t from 'io-ts'
import { type Buffer, buffer, countRecords, type Key, type StreamElement, sliceBuffer } from '../element.ts'

/** Part of an element, not yet done. */
export type Work<T> =
  | {
      readonly kind: 'records'
      readonly buffer: Buffer<T>
      next: number
      /** Of broadcast records: the line that alone they are applied to; undefined: the task's. */
      readonly line?: WorkOfLine | undefined
    }
  | { readonly kind: 'watermark'; readonly timeMs: number; firing: Firing | undefined }
  | { readonly kind: 'end' }

/** One of the lines that are gone on with (`lib/state/broadcastLines.ts`), and whether what belongs to no key comes out here. */
export interface WorkOfLine {
  readonly number: number
  readonly emits: boolean
}

/** The time of a watermark's work that is the call under way and nothing else: after a restore at another parallelism. */
export const onlyItsTimer = Number.NEGATIVE_INFINITY

/** The timer whose call is under way: taken from the timers when the call began. */
export interface Firing {
  readonly key: Key
  readonly group: number
  readonly timeMs: number
}

/** What is left to do, and how much of its first call has been delivered. */
export interface Begun {
  readonly work: Work<unknown>
  readonly delivered: number
  /** Restored, and to be begun in this generation of recovered data; undefined: at once. */
  readonly generation?: number | undefined
  /** Of a broadcast record's call: what it has delivered of each key group, and of no key. */
  readonly shares?: DeliveredShares | undefined
}

/** Deliveries of a broadcast record's call by key group; those that belong to no key under `ofNoKey`. */
export type DeliveredShares = readonly (readonly [group: number, deliveries: number])[]

export const ofNoKey = -1

/** A suspended operator in a snapshot. */
export interface Frame extends Begun {
  /** What other tasks had begun, after a restore at another parallelism; it comes before what is pending. */
  readonly more: readonly Begun[]
  readonly pending: readonly StreamElement<unknown>[]
}

/** Nothing was begun, but something is to be begun later. */
export const nothingBegun: Begun = {
  work: { kind: 'records', buffer: buffer([], { keys: [], groups: new Uint16Array(0) }), next: 0 },
  delivered: 0,
}

/** What a frame stores of the work: records already done are left out. */
export const remaining = (work: Work<unknown>): Work<unknown> => {
  switch (work.kind) {
    case 'records':
      return { ...work, buffer: sliceBuffer(work.buffer, work.next), next: 0 }
    case 'watermark':
      return { ...work }
    case 'end':
      return { ...work }
  }
}

/** What an operator keeps beside its user's state, by names that no user would give. */
export const ownState = {
  watermark: '(watermark)',
  groupWatermarks: '(group watermarks)',
  frame: '(frame)',
  end: '(end)',
  timers: '(timers)',
  transactions: '(transactions)',
  lines: '(lines)',
} as const

/** The values of broadcast state by lines, while there are several (`ownState.lines`). */
export const lined = (state: string): string => `${linedPrefix}${state}`

/** The name of the broadcast state; undefined: it is not one of lines. */
export const ofLines = (kept: string): string | undefined =>
  kept.startsWith(linedPrefix) ? kept.slice(linedPrefix.length) : undefined

const linedPrefix = '(by lines) '

/** The operator under which a task keeps what its gate knows, and how far it is in the generations of recovered data. */
export const gateState = { operator: '(gate)', watermarks: 'watermarks', generations: 'generations' } as const

const begunType = t.type({ work: t.UnknownRecord, delivered: t.number })

export const frameType = t.intersection([
  begunType,
  t.type({ more: t.array(begunType), pending: t.array(t.unknown) }),
]) as unknown as t.Type<Frame>

/** Records that wait in the frame among an operator's stored values; undefined if it was not suspended. */
export const recordsInFrame = (kept: Readonly<Record<string, unknown>>): number | undefined => {
  const frame = kept[ownState.frame] as Frame | undefined
  if (frame === undefined) return undefined
  return [frame, ...frame.more].reduce(
    (count, { work }) => count + (work.kind === 'records' ? work.buffer.records.length : 0),
    countRecords(frame.pending),
  )
}
