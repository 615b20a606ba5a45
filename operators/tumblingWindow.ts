import * as t from 'io-ts'
import {
  type Aggregate,
  checkOption,
  type Key,
  type KeyedStream,
  keyedOperator,
  type NoSides,
  SpillwayError,
  type Stream,
} from '../lib/index.ts'

export interface TumblingWindowOptions<L extends 'drop' | 'side'> {
  readonly sizeMs: number
  /** Windows begin at multiples of the size plus this. */
  readonly offsetMs?: number
  /** What becomes of records that come after their window has fired: nothing, or the side output `late`. */
  readonly late: L
}

export interface WindowResult<K, R> {
  readonly key: K
  readonly startMs: number
  readonly endMs: number
  readonly value: R
}

type Windows<A> = readonly (readonly [startMs: number, accumulator: A])[]

/**
 * Aggregates each key's records by windows of event time, [startMs, endMs). Gives a window's result, at time endMs - 1, once the
 * watermark has reached its end. A record is late iff its window's end does not lie above the larger of its own split's
 * watermark when it was read and the operator's: so which records are late does not depend on the run.
 */
export const tumblingWindow = <T, K extends Key, A, R, L extends 'drop' | 'side'>(
  options: TumblingWindowOptions<L>,
  aggregate: Aggregate<T, A, R>,
): ((source: KeyedStream<T, K>) => Stream<WindowResult<K, R>, L extends 'side' ? { late: T } : NoSides>) => {
  const { sizeMs, offsetMs = 0 } = options
  checkOption('tumblingWindow', 'sizeMs', sizeMs, { above: 0 })
  checkOption('tumblingWindow', 'offsetMs', offsetMs)
  const toSide = options.late === 'side'
  const type = t.readonlyArray(t.tuple([t.number, aggregate.type])) as unknown as t.Type<Windows<A>>
  return keyedOperator<T, K, WindowResult<K, R>, any>(
    'tumblingWindow',
    ({ name, state, timers }) => {
      const windows = state.value<Windows<A>>('windows', type, [])
      return {
        record(record, out, { timeMs, watermarkMs }) {
          if (timeMs === Number.NEGATIVE_INFINITY) throw noEventTime(name)
          const startMs = timeMs - modulo(timeMs - offsetMs, sizeMs)
          if (startMs + sizeMs <= watermarkMs) {
            if (toSide) out.side('late', record)
            return
          }
          const open = windows.get()
          const at = open.findIndex(([openMs]) => openMs === startMs)
          if (at < 0) {
            windows.set([...open, [startMs, aggregate.add(aggregate.initial, record)]])
            timers.at(startMs + sizeMs)
          } else {
            windows.set(open.with(at, [startMs, aggregate.add((open[at] as Windows<A>[number])[1], record)]))
          }
        },
        timer(endMs, out, { key }) {
          const startMs = endMs - sizeMs
          const open = windows.get()
          const fired = open.find(([openMs]) => openMs === startMs)
          if (fired === undefined) return
          const left = open.filter(window => window !== fired)
          if (left.length === 0) windows.clear()
          else windows.set(left)
          out.emitAt(endMs - 1, { key, startMs, endMs, value: aggregate.result(fired[1]) })
        },
      }
    },
    { sides: toSide ? ['late'] : [] },
  ) as any
}

const modulo = (dividend: number, divisor: number): number => ((dividend % divisor) + divisor) % divisor

const noEventTime = (name: string) =>
  new SpillwayError('NO_EVENT_TIME', {
    place: name,
    problem: 'its records have no event time.',
    remedy: 'Put eventTime(...) directly behind the source.',
  })
