import * as t from 'io-ts'
import {
  active,
  type Buffer,
  buffer,
  callEach,
  checkOption,
  end,
  idle,
  perElement,
  SpillwayError,
  type SplitId,
  Stream,
  shown,
  watermark,
} from '../lib/index.ts'

export interface EventTimeOptions<T> {
  /** The record's time, ms since the epoch. */
  readonly timeMs: (record: T) => number
  /** How much earlier than a record before it in its split a record may be without being late. */
  readonly outOfOrderMs: number
}

/**
 * Gives each record its time and follows each split's watermark: its largest time so far minus `outOfOrderMs`. A record behind
 * it is noted as late. Emits the smallest watermark of the splits that have not ended and are not idle, after each buffer; one
 * that has not begun holds it back. When all are idle, so is the stream. At the end the watermark is infinite. Watermarks from
 * upstream end here. Stands before any exchange. Snapshots hold each split's time.
 * Source: lateness per split follows the design of Flink's per-partition watermarks.
 */
export const eventTime =
  <T>({ timeMs, outOfOrderMs }: EventTimeOptions<T>) =>
  (source: Stream<T, any>): Stream<T> => {
    checkOption('eventTime', 'outOfOrderMs', outOfOrderMs, { atLeast: 0 })
    return new Stream<T>(
      { name: 'eventTime', inputs: [source], stateful: true, givesEventTime: true },
      (task, node) => {
        const times = new Map<SplitId, number>()
        const state = task.open(node)
        const stored = state.keepBySplit('largestTime', t.number, () => [...times])
        for (const [split, largestMs] of stored) times.set(split, largestMs)
        const saidIdle = state.keepBySplit('idle', t.boolean, () => idleSplits.map(split => [split, true]))
        /** Those of the task, as long as it has said to be idle. */
        let idleSplits: readonly SplitId[] = [...saidIdle.keys()]
        let counting: readonly SplitId[] = [onlySplit]
        /** What has been said; undefined: before a restore, and the gates behind may go on with it, or begin anew. */
        let allIdle = idleSplits.length > 0 ? undefined : false
        let emittedMs = Number.NEGATIVE_INFINITY
        const advanced = (): number | undefined => {
          const nextMs = Math.min(...counting.map(split => times.get(split) ?? Number.NEGATIVE_INFINITY)) - outOfOrderMs
          if (counting.length === 0 || nextMs <= emittedMs) return undefined
          emittedMs = nextMs
          return nextMs
        }
        return perElement<T, T>(source.in(task), (element, next) => {
          if (element.kind === 'buffer') {
            const split = element.split ?? onlySplit
            const largestMs = times.get(split) ?? Number.NEGATIVE_INFINITY
            const timed = withTimes(element, callEach(node.name, timeMs, element.records), {
              largestMs,
              outOfOrderMs,
              node,
            })
            times.set(split, timed.largestMs)
            next(timed.buffer)
          } else if (element.kind === 'splits') {
            counting = element.open.filter(split => !element.idle.includes(split))
            const noneCounts = element.open.length > 0 && counting.length === 0
            if (noneCounts !== allIdle) next(noneCounts ? idle : active)
            allIdle = noneCounts
            idleSplits = noneCounts ? element.open : []
          } else if (element.kind === 'watermark' || element.kind === 'idle' || element.kind === 'active') {
            // Of other times than those given here.
            return
          } else if (element.kind === 'end') {
            next(watermark(Number.POSITIVE_INFINITY))
            return next(end)
          } else {
            return next(element)
          }
          const nextMs = advanced()
          if (nextMs !== undefined) next(watermark(nextMs))
        })
      },
    )
  }

const withTimes = <T>(
  from: Buffer<T>,
  times: readonly number[],
  options: { largestMs: number; outOfOrderMs: number; node: { readonly name: string } },
): { buffer: Buffer<T>; largestMs: number } => {
  const { outOfOrderMs, node } = options
  const { length } = times
  let { largestMs } = options
  let notes: Float64Array | undefined
  for (let i = 0; i < length; i++) {
    const timeMs = times[i] as number
    if (!Number.isFinite(timeMs)) throw noTime(node.name, from.records[i], timeMs)
    if (timeMs > largestMs) largestMs = timeMs
    const watermarkMs = largestMs - outOfOrderMs
    if (timeMs >= watermarkMs) continue
    notes ??= new Float64Array(length).fill(Number.NEGATIVE_INFINITY)
    notes[i] = watermarkMs
  }
  return { buffer: buffer(from.records, { times: Float64Array.from(times), notes, split: from.split }), largestMs }
}

const noTime = (name: string, record: unknown, found: unknown) =>
  new SpillwayError('NO_EVENT_TIME', {
    place: name,
    problem: `timeMs gave ${String(found)} for record ${shown(record)}.`,
    remedy: 'Give a finite number of ms since the epoch, and filter out records without a time before it.',
  })

/** Of sources that know no splits. */
const onlySplit: SplitId = ''
