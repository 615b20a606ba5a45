/**
 * What travels through a channel or an operator. Records travel in buffers; everything else stands between two buffers.
 */
export type StreamElement<T> =
  | Buffer<T>
  | Side
  | Watermark
  | Idle
  | Active
  | Splits
  | Barrier
  | Cancel
  | Recovered
  | End

/** A key of keyed state; tuples are compared by their members, and -0 is 0. */
export type Key = string | number | bigint | boolean | readonly Key[]

/** Identifies a split of a source: the part of its input that is read in order, such as one file. */
export type SplitId = string

/**
 * Several records that travel together, and columns beside them, each as long as `records`.
 *
 * Made by {@link buffer} alone, so that all have one shape. Immutable once it is emitted: snapshots hold it by reference.
 */
export interface Buffer<out T> {
  readonly kind: 'buffer'
  readonly records: readonly T[]
  /** Event times in ms since the epoch, from `eventTime` on. */
  readonly times: Float64Array | undefined
  /**
   * Lateness notes: the watermark of the record's split, where the record was behind it, else -Infinity. Absent if the
   * buffer has none.
   */
  readonly notes: Float64Array | undefined
  /** Between `keyBy` and the operator behind it. */
  readonly keys: readonly Key[] | undefined
  /** Key groups, from `keyBy` to the end of the stage behind it. */
  readonly groups: Uint16Array | undefined
  /** The split that all the records come from, from a source to the first exchange. */
  readonly split: SplitId | undefined
}

export interface Columns {
  readonly times?: Float64Array | undefined
  readonly notes?: Float64Array | undefined
  readonly keys?: readonly Key[] | undefined
  readonly groups?: Uint16Array | undefined
  readonly split?: SplitId | undefined
}

/** Records for a side output, on their way from their operator to the stream that `side(name)` gives. */
export interface Side {
  readonly kind: 'side'
  readonly name: string
  readonly buffer: Buffer<unknown>
}

/** No record with a time below `timeMs` follows, but for late ones. */
export interface Watermark {
  readonly kind: 'watermark'
  readonly timeMs: number
}

/** The channel has nothing to say about event time until `active` or its next buffer. */
export interface Idle {
  readonly kind: 'idle'
}

export interface Active {
  readonly kind: 'active'
}

/** Comes first of all from a task's source, and again whenever one of its splits ends, or becomes idle or active. */
export interface Splits {
  readonly kind: 'splits'
  /** That have not ended. */
  readonly open: readonly SplitId[]
  /** Of these, that have had nothing for `idleAfterMs`. */
  readonly idle: readonly SplitId[]
}

/** How a checkpoint treats the data before its barriers: waits for it, captures it, or waits for a while first. */
export type Alignment = 'aligned' | 'unaligned' | { readonly alignedTimeoutMs: number }

export type CheckpointId = number

/** Separates what belongs to a checkpoint from what comes after it. */
export interface Barrier {
  readonly kind: 'barrier'
  readonly checkpoint: CheckpointId
  /** When the checkpoint was triggered, ms since the epoch. */
  readonly timestampMs: number
  readonly alignment: Alignment
  /** It is aligned because the edge that it crosses is declared so; beyond the task behind it, it is this again. */
  readonly otherwise?: Alignment
  /** A savepoint's barrier is always aligned. */
  readonly savepoint: boolean
}

/** The checkpoint has been given up upstream. */
export interface Cancel {
  readonly kind: 'cancel'
  readonly checkpoint: CheckpointId
}

/** What was sent before it comes from an earlier generation of recovered data than what follows (`lib/channel/generations.ts`). */
export interface Recovered {
  readonly kind: 'recovered'
  /** What was sent before it is of this generation at the most. */
  readonly generation: number
}

/** Nothing follows. */
export interface End {
  readonly kind: 'end'
}

export const buffer = <T>(records: readonly T[], columns: Columns = none): Buffer<T> => ({
  kind: 'buffer',
  records,
  times: columns.times,
  notes: columns.notes,
  keys: columns.keys,
  groups: columns.groups,
  split: columns.split,
})

/** The same columns beside other records, one for one. */
export const withRecords = <T>(of: Buffer<unknown>, records: readonly T[]): Buffer<T> => ({
  kind: 'buffer',
  records,
  times: of.times,
  notes: of.notes,
  keys: of.keys,
  groups: of.groups,
  split: of.split,
})

/** The records from `begin` up to `end`, with their columns; the arrays are copies, so that neither part keeps the other alive. */
export const sliceBuffer = <T>(of: Buffer<T>, begin: number, end = of.records.length): Buffer<T> => ({
  kind: 'buffer',
  records: of.records.slice(begin, end),
  times: of.times?.slice(begin, end),
  notes: of.notes?.slice(begin, end),
  keys: of.keys?.slice(begin, end),
  groups: of.groups?.slice(begin, end),
  split: of.split,
})

/** The records at these indexes, with their columns. */
export const pickRecords = <T>(
  { records, times, notes, keys, groups, split }: Buffer<T>,
  indexes: readonly number[],
): Buffer<T> => ({
  kind: 'buffer',
  records: indexes.map(i => records[i] as T),
  times: times && Float64Array.from(indexes, i => times[i] as number),
  notes: notes && Float64Array.from(indexes, i => notes[i] as number),
  keys: keys && indexes.map(i => keys[i] as Key),
  groups: groups && Uint16Array.from(indexes, i => groups[i] as number),
  split,
})

/** How many records are among the elements. */
export const countRecords = (elements: readonly StreamElement<unknown>[]): number =>
  elements.reduce((count, element) => count + (element.kind === 'buffer' ? element.records.length : 0), 0)

export const countBuffers = (elements: readonly StreamElement<unknown>[]): number =>
  elements.reduce((count, { kind }) => count + (kind === 'buffer' ? 1 : 0), 0)

export const side = (name: string, records: Buffer<unknown>): Side => ({ kind: 'side', name, buffer: records })
export const watermark = (timeMs: number): Watermark => ({ kind: 'watermark', timeMs })
export const idle: Idle = { kind: 'idle' }
export const active: Active = { kind: 'active' }
export const end: End = { kind: 'end' }
export const recovered = (generation: number): Recovered => ({ kind: 'recovered', generation })
export const splits = (open: readonly SplitId[], idle: readonly SplitId[] = []): Splits => ({
  kind: 'splits',
  open,
  idle,
})
export const cancel = (checkpoint: CheckpointId): Cancel => ({ kind: 'cancel', checkpoint })

export const barrier = (
  checkpoint: CheckpointId,
  options: { timestampMs?: number; alignment?: Alignment; savepoint?: boolean } = none,
): Barrier => ({
  kind: 'barrier',
  checkpoint,
  timestampMs: options.timestampMs ?? 0,
  alignment: options.alignment ?? 'aligned',
  savepoint: options.savepoint ?? false,
})

/** It overtakes what stands before it. */
export const isUnaligned = ({ alignment, savepoint }: Barrier): boolean => alignment === 'unaligned' && !savepoint

/** How long after its timestamp an aligned barrier becomes an unaligned one; undefined for one that never does. */
export const timeoutMsOf = ({ alignment, savepoint }: Barrier): number | undefined =>
  typeof alignment === 'string' || savepoint ? undefined : alignment.alignedTimeoutMs

const none = {}
