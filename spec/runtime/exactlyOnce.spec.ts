import * as t from 'io-ts'
import { merge } from 'rxjs'
import { type Key, keyedOperator, type Pipeline, Stream, stream } from 'spillway'
import { count, eventTime, flatMap, fromArray, into, keyBy, map, rebalance, tumblingWindow } from 'spillway/operators'
import { expect, test } from 'vitest'
import { slowCollect, stoppedAndResumed, turnsOf } from './restored.ts'

interface Sample {
  readonly key: string
  readonly n: number
}
const samples = (length: number): readonly Sample[] => Array.from({ length }, (_, n) => ({ key: `k${n % 5}`, n }))

/** A union, which the library will have one day: both inputs are cut, so that the task has channels of two producers. */
const both = <T>(a: Stream<T>, b: Stream<T>): Stream<T> =>
  new Stream<T>({ name: 'both', inputs: [a, b] }, task => merge(a.in(task), b.in(task)))

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

const pipelines: Record<string, (records: unknown[]) => readonly Pipeline[]> = {
  'two inputs and a keyed exchange': records => {
    const left = stream(renamed('left', fromArray(samples(60), { splits: 2 })))
    const right = stream(renamed('right', fromArray(samples(100).slice(60), { splits: 2 })))
    return [
      both(left, right).pipe(
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
}

const options = { parallelism: 2, checks: true, channels: { buffersMax: 2, bufferRecordsMax: 4 } }

const sorted = (records: readonly unknown[]) => records.map(record => JSON.stringify(record)).sort()

for (const [name, of] of Object.entries(pipelines)) {
  for (const alignment of ['aligned', 'unaligned'] as const) {
    test(`${name}: ${alignment} checkpoints in every turn are restored exactly once`, async () => {
      const undisturbed: unknown[] = []
      const turns = await turnsOf(of(undisturbed), options)
      expect(undisturbed.length).toBeGreaterThan(0)
      let resumed = 0
      const step = Math.max(1, Math.floor(turns / 80))
      for (let turn = 1; turn <= turns; turn += step) {
        const records: unknown[] = []
        // One sink for both runs: it stands for the outside world.
        const pipeline = of(records)
        if (await stoppedAndResumed(() => pipeline, { ...options, turn, alignment })) resumed++
        expect(sorted(records), `stopped in turn ${turn}`).toEqual(sorted(undisturbed))
      }
      expect(resumed).toBeGreaterThan(turns / step / 2)
    })
  }
}

function renamed<A extends { readonly name: string }>(name: string, of: A): A {
  return { ...of, name }
}
