import { map as rxMap } from 'rxjs'
import { named, operator, type Pipeline, stream } from 'spillway'
import {
  count,
  eachRecord,
  eventTime,
  filter,
  flatMap,
  fromArray,
  into,
  keyBy,
  map,
  rebalance,
  tumblingWindow,
  union,
} from 'spillway/operators'
import { slowCollect } from './restored.ts'

/** Pipelines with a union in a place of its own kind, and the records that they give in any order. */
export interface UnionCase {
  readonly of: (records: unknown[]) => readonly Pipeline[]
  readonly gives: readonly unknown[]
}

const range = (from: number, to: number): readonly number[] => Array.from({ length: to - from }, (_, i) => from + i)
const numbers = (from: number, to: number) => stream(fromArray(range(from, to), { name: `from ${from}`, splits: 2 }))
const sink = (records: unknown[]) => into(slowCollect(records, { macrotasks: 1 }))

/** Its side `odd` has the odd numbers, its main output the others. */
const parted = operator<number, number, { odd: number }>(
  'parted',
  () => ({ record: (n, out) => (n % 2 === 0 ? out.emit(n) : out.side('odd', n)) }),
  { sides: ['odd'], stateful: false },
)

export const unions: Record<string, UnionCase> = {
  'two sources': {
    of: records => [union(numbers(0, 30), numbers(100, 150)).pipe(sink(records))],
    gives: [...range(0, 30), ...range(100, 150)],
  },
  'a stream and itself': {
    of: records => {
      const once = numbers(0, 40)
      return [union(once, once).pipe(sink(records))]
    },
    gives: [...range(0, 40), ...range(0, 40)],
  },
  'a stream and itself, dealt by an exchange': {
    of: records => {
      const dealt = numbers(0, 40).pipe(rebalance())
      return [union(dealt, dealt).pipe(sink(records))]
    },
    gives: [...range(0, 40), ...range(0, 40)],
  },
  'a stream and its own side output, each once more': {
    of: records => {
      const both = numbers(0, 40).pipe(parted)
      return [union(both, both.side('odd'), both, both.side('odd')).pipe(sink(records))]
    },
    gives: [...range(0, 40), ...range(0, 40)],
  },
  'streams with times, without, and with keys': {
    of: records => {
      const timed = numbers(0, 40).pipe(eventTime({ timeMs: n => n, outOfOrderMs: 0 }))
      const keyed = numbers(200, 240).pipe(keyBy(n => n % 3))
      const all = union(timed, numbers(100, 140), keyed)
      return [
        all.pipe(
          flatMap(n => [n, -n - 1]),
          rebalance(),
          sink(records),
        ),
      ]
    },
    gives: [...range(-40, 40), ...range(-140, -100), ...range(100, 140), ...range(-240, -200), ...range(200, 240)],
  },
  'unions in unions': {
    of: records => {
      const [a, b, c] = [numbers(0, 20), numbers(100, 120), numbers(200, 220)]
      return [union(union(a, b), c, union(b, c)).pipe(sink(records))]
    },
    gives: [...range(0, 20), ...range(100, 120), ...range(200, 220), ...range(100, 120), ...range(200, 220)],
  },
  'branches of one stage': {
    of: records => {
      const trunk = numbers(0, 40)
      const negative = trunk.pipe(map(n => -n - 1))
      const even = trunk.pipe(filter(n => n % 2 === 0))
      const bursts = trunk.pipe(flatMap(n => (n % 10 === 0 ? range(1000 * n, 1000 * n + 9) : [])))
      return [union(negative, trunk, even, bursts).pipe(sink(records))]
    },
    gives: [
      ...range(-40, 40),
      ...range(0, 40).filter(n => n % 2 === 0),
      ...[0, 10, 20, 30].flatMap(n => range(1000 * n, 1000 * n + 9)),
    ],
  },
  'a stream and a branch behind an exchange': {
    of: records => {
      const trunk = numbers(0, 40)
      const behind = trunk.pipe(rebalance(), eachRecord(rxMap(n => n + 1000)))
      return [union(behind, trunk).pipe(sink(records))]
    },
    gives: [...range(0, 40), ...range(1000, 1040)],
  },
  'streams with times, before a window': {
    of: records => {
      const timed = (from: number, to: number) =>
        numbers(from, to).pipe(named(`times ${from}`, eventTime({ timeMs: n => n % 100, outOfOrderMs: 5 })))
      const counted = union(timed(0, 50), timed(100, 190)).pipe(
        keyBy(n => n % 2),
        tumblingWindow({ sizeMs: 10, late: 'drop' }, count()),
      )
      return [
        counted.pipe(
          map(({ key, startMs, value }) => ({ key, startMs, value })),
          sink(records),
        ),
      ]
    },
    gives: [0, 1].flatMap(key =>
      range(0, 9).map(window => ({ key, startMs: 10 * window, value: window < 5 ? 10 : 5 })),
    ),
  },
}
