import { SpillwayError } from '../error.ts'

/**
 * Buffer debloating: how large buffers may be so that what is in flight takes about `targetMs` to process.
 *
 * Pure; units are records. Source: Flink's BufferDebloater, BufferSizeEMA and ThroughputCalculator.
 */
export interface DebloatOptions {
  readonly targetMs: number
  /** Bounds of a buffer's size, records. */
  readonly minSize: number
  readonly maxSize: number
  /** Of the moving average. */
  readonly samples: number
  /** A change by less than this share of the last announced size is not announced. */
  readonly thresholdPercent: number
}

export interface DebloatState {
  /** The average, unrounded. */
  readonly averageSize: number
  readonly announcedSize: number
}

export const initialDebloat = (startSize: number): DebloatState => ({
  averageSize: startSize,
  announcedSize: startSize,
})

/** What has been measured of a gate: records a second, and the buffers that are in its channels or being filled for them. */
export interface Measured {
  readonly throughput: number
  readonly buffersInUse: number
}

/** The size to announce, or undefined if the one announced last stays. */
export const debloated = (
  state: DebloatState,
  { throughput, buffersInUse }: Measured,
  options: DebloatOptions,
): readonly [DebloatState, number | undefined] => {
  const total = Math.floor((throughput * options.targetMs) / 1000)
  const averageSize = averaged(state.averageSize, { total, buffersInUse: Math.max(1, buffersInUse) }, options)
  const size = rounded(averageSize)
  if (!isWorthwhile(size, state.announcedSize, options)) return [{ ...state, averageSize }, undefined]
  return [{ averageSize, announcedSize: size }, size]
}

/**
 * One step of the moving average: towards `total / buffersInUse`, but towards no more than twice the average, so that it
 * grows as fast as it shrinks.
 * @throws INVALID_OPTION if `total` is below 0 or `buffersInUse` below 1
 */
export const averaged = (
  average: number,
  { total, buffersInUse }: { readonly total: number; readonly buffersInUse: number },
  { minSize, maxSize, samples }: Pick<DebloatOptions, 'minSize' | 'maxSize' | 'samples'>,
): number => {
  if (!(total >= 0 && buffersInUse >= 1)) throw notMeasured(total, buffersInUse)
  const desired = Math.min(total / buffersInUse, 2 * average)
  const moved = average + (2 / (samples + 1)) * (desired - average)
  return Math.min(maxSize, Math.max(minSize, moved))
}

/** Halves up. */
export const rounded = (average: number): number => Math.floor(average + 0.5)

const isWorthwhile = (size: number, announced: number, options: DebloatOptions): boolean => {
  if (size === announced) return false
  const { minSize, maxSize, thresholdPercent } = options
  if (size === minSize || size === maxSize) return true
  return Math.abs(size - announced) >= Math.floor((announced * thresholdPercent) / 100)
}

/** Records a second of active time: time in which there is nothing to take does not count. */
export interface ThroughputState {
  readonly records: number
  readonly activeMs: number
  /** Since when the time is active. */
  readonly activeSinceMs: number | undefined
  readonly lastMeasured: number
}

export type ThroughputEvent =
  | { readonly kind: 'added'; readonly records: number }
  | { readonly kind: 'busy' | 'idle' }
  /** `lastMeasured` is the result. */
  | { readonly kind: 'measured' }

export const initialThroughput: ThroughputState = {
  records: 0,
  activeMs: 0,
  activeSinceMs: undefined,
  lastMeasured: 0,
}

export const throughput = (state: ThroughputState, event: ThroughputEvent, nowMs: number): ThroughputState => {
  switch (event.kind) {
    case 'added':
      return { ...state, records: state.records + event.records, activeSinceMs: state.activeSinceMs ?? nowMs }
    case 'busy':
      return { ...state, activeSinceMs: state.activeSinceMs ?? nowMs }
    case 'idle':
      return { ...state, activeMs: activeMsAt(state, nowMs), activeSinceMs: undefined }
    case 'measured': {
      const activeMs = activeMsAt(state, nowMs)
      return {
        records: 0,
        activeMs: 0,
        activeSinceMs: state.activeSinceMs === undefined ? undefined : nowMs,
        lastMeasured: activeMs > 0 ? Math.floor((state.records * 1000) / activeMs) : state.lastMeasured,
      }
    }
  }
}

const activeMsAt = ({ activeMs, activeSinceMs }: ThroughputState, nowMs: number): number =>
  activeMs + (activeSinceMs === undefined ? 0 : nowMs - activeSinceMs)

const notMeasured = (total: number, buffersInUse: number) =>
  new SpillwayError('INVALID_OPTION', {
    place: 'the size of buffers',
    problem: `${total} records in ${buffersInUse} buffers is not something that can be measured.`,
    remedy: 'Give a total of at least 0, and at least one buffer.',
  })
