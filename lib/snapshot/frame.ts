import * as t from 'io-ts'
import { type Buffer, countRecords, type Key, type StreamElement, sliceBuffer } from '../element.ts'

/** Part of an element, not yet done. */
export type Work<T> =
  | { readonly kind: 'records'; readonly buffer: Buffer<T>; next: number }
  | { readonly kind: 'watermark'; readonly timeMs: number; firing: Firing | undefined }
  | { readonly kind: 'end' }

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
}

/** A suspended operator in a snapshot. */
export interface Frame extends Begun {
  /** What other tasks had begun, after a restore at another parallelism; it comes before what is pending. */
  readonly more: readonly Begun[]
  readonly pending: readonly StreamElement<unknown>[]
}

/** What a frame stores of the work: records already done are left out. */
export const remaining = (work: Work<unknown>): Work<unknown> => {
  switch (work.kind) {
    case 'records':
      return { kind: 'records', buffer: sliceBuffer(work.buffer, work.next), next: 0 }
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
} as const

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
