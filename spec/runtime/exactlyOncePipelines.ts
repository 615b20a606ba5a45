import * as t from 'io-ts'
import * as rx from 'rxjs'
import { type Key, keyedOperator, named, operator, type Pipeline, stream } from 'spillway'
import {
  count,
  eachRecord,
  eventTime,
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

interface Sample {
  readonly key: string
  readonly n: number
}
const samples = (length: number): readonly Sample[] => Array.from({ length }, (_, n) => ({ key: `k${n % 5}`, n }))

/** Numbers each key's records, and tells a record that it has met before: no order of arrival shows in its results. */
const numbered = <T extends { readonly n: number }, K extends Key>() =>
  keyedOperator<T, K, string>('numbered', ({ state }) => {
    const met = state.value<readonly number[]>('met', t.readonlyArray(t.number), [])
    return {
      record({ n }, out, { key }) {
        if (met.get().includes(n)) out.emit(`${n} again`)
        const { length } = met.update(before => [...before, n])
        out.emit(`record ${n}`)
        out.emit(`${String(key)} has ${length}`)
      },
    }
  })

/** Counts, then yields so many results that the output is full in between. */
const burst = <T, K extends Key>(results: number) =>
  keyedOperator<T, K, string>('burst', ({ state }) => {
    const seen = state.value('seen', t.number, 0)
    return {
      *record(_, _out, { key }) {
        const n = seen.update(before => before + 1)
        for (let i = 0; i < results; i++) yield `${String(key)}:${n}:${i}`
      },
    }
  })

/** Counts, and yields so many results at the end that the output is full in between. */
const totals = <T>(name: string, results: number) =>
  operator<T, string>(name, ({ state, subtask }) => {
    const seen = state.value('seen', t.number, 0)
    return {
      record: () => void seen.update(n => n + 1),
      *end() {
        for (let i = 0; i < results; i++) yield `${name} ${subtask.index}: ${seen.get()}, ${i}`
      },
    }
  })

/** By what they are about; all write into `records`, and no order of arrival shows in what they write. */
export const pipelines: Record<string, (records: unknown[]) => readonly Pipeline[]> = {
  'two inputs and a keyed exchange': records => {
    const left = stream(renamed('left', fromArray(samples(60), { splits: 2 })))
    const right = stream(renamed('right', fromArray(samples(100).slice(60), { splits: 2 })))
    return [
      union(left, right).pipe(
        map(({ key, n }) => ({ key, n })),
        keyBy(({ key }) => key),
        numbered(),
        into(slowCollect(records, { macrotasks: 2 })),
      ),
    ]
  },
  'a keyed handler with many results': records => [
    stream(fromArray(samples(12), { splits: 2 })).pipe(
      keyBy(({ key }) => key),
      burst(25),
      rebalance(),
      into(slowCollect(records, { macrotasks: 1 })),
    ),
  ],
  'a chain of flatMaps': records => [
    stream(fromArray(samples(6), { splits: 2 })).pipe(
      flatMap(({ n }) => [n, n + 100, n + 200]),
      flatMap(n => [n, -n]),
      rebalance(),
      flatMap(n => [n, n]),
      into(slowCollect(records, { macrotasks: 1 })),
    ),
  ],
  'RxJS operators on each record': records => [
    stream(fromArray(samples(12), { splits: 2 })).pipe(
      eachRecord(
        rx.mergeMap(({ n }) => rx.range(25 * n, 25)),
        rx.filter(n => n % 10 !== 0),
        rx.scan((total, n) => total + n, 0),
      ),
      rebalance(),
      into(slowCollect(records, { macrotasks: 1 })),
    ),
  ],
  'end handlers of two branches': records => {
    const numbers = stream(fromArray(samples(12), { splits: 2 })).pipe(map(({ n }) => n))
    const branch = (name: string, results: number) =>
      numbers.pipe(totals(name, results), named(`${name}s`, into(slowCollect(records, { macrotasks: 1 }))))
    return [branch('short', 3), branch('long', 9)]
  },
  'windows of event time': records => {
    const windows = stream(fromArray(samples(80), { splits: 2 })).pipe(
      eventTime({ timeMs: ({ n }) => n - (n % 7 === 0 ? 30 : 0), outOfOrderMs: 5 }),
      keyBy(({ key }) => key),
      tumblingWindow({ sizeMs: 10, late: 'side' }, count()),
    )
    return [
      windows.pipe(into(slowCollect(records, { macrotasks: 1 }))),
      windows.side('late').pipe(into(renamed('late', slowCollect(records, { macrotasks: 1 })))),
    ]
  },
  'a keyed stage behind a keyed stage': records => [
    stream(fromArray(samples(50), { splits: 2 })).pipe(
      keyBy(({ key }) => key),
      numbered(),
      keyBy(text => text.length % 3),
      burst(3),
      into(slowCollect(records, { macrotasks: 1 })),
    ),
  ],
}

export const sorted = (records: readonly unknown[]) => records.map(record => JSON.stringify(record)).sort()

function renamed<A extends { readonly name: string }>(name: string, of: A): A {
  return { ...of, name }
}
