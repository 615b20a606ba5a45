import * as t from 'io-ts'
import * as rx from 'rxjs'
import {
  active,
  type BroadcastStream,
  buffer,
  idle,
  type KeyedStream,
  keyedOperator,
  keyedWithBroadcast,
  operator,
  type Stream,
  watermark,
} from 'spillway'
import * as operators from 'spillway/operators'
import { type Law, operatorLaws } from 'spillway/testing'
import { describe, expect, test } from 'vitest'
import { type Sample, samples } from './inputs.ts'

const { broadcast, eachRecord, eventTime, filter, flatMap, fromArray, global, keyBy, map, partition, rebalance } =
  operators
const { rescale, scan, sum, tumblingWindow, union } = operators

const keyed = { keyBy: ({ key }: Sample) => key }
const n = ({ n }: Sample) => n

/** Three splits, each of one key. */
const threeSplits = fromArray(
  ['a', 'b', 'c'].flatMap(key => [3, 9, 1, 22, 20, 14].map(n => ({ key, n }))),
  { splits: 3 },
)

/** Two inputs, each of one key. */
const lanes = ['left', 'right'].map((key, i) => [
  buffer([1, 2].map(n => ({ key, n }))),
  watermark(10 + i),
  ...(i === 0 ? [idle, watermark(12), active] : []),
  buffer([3, 4].map(n => ({ key, n }))),
  watermark(20),
])

const exported: Readonly<Record<string, readonly Law[]>> = {
  map: operatorLaws('map', () => map(({ n }: Sample) => ({ tenfold: 10 * n })), samples),
  filter: operatorLaws('filter', () => filter(({ n }: Sample) => n % 2 === 1), samples),
  flatMap: operatorLaws('flatMap', () => flatMap(({ n }: Sample) => [n, -n].slice(0, n % 3)), samples),
  eachRecord: operatorLaws(
    'eachRecord',
    () =>
      eachRecord(
        rx.mergeMap(({ n }: Sample) => rx.range(n, n % 4)),
        rx.scan((total, n) => total + n, 0),
      ),
    samples,
  ),
  union: operatorLaws('union', () => (a: Stream<Sample>, b: Stream<Sample>) => union(a, b), lanes, {
    keyOf: ({ key }: Sample) => key,
  }),
  rebalance: operatorLaws('rebalance', () => rebalance<Sample>(), samples),
  rescale: operatorLaws('rescale', () => rescale<Sample>(), samples),
  broadcast: operatorLaws('broadcast', () => broadcast<Sample>(), samples),
  global: operatorLaws('global', () => global<Sample>(), samples),
  partition: operatorLaws('partition', () => partition<Sample>(({ n }, channels) => n % channels), samples),
  keyBy: operatorLaws('keyBy', () => keyBy(({ key }: Sample) => [key, 1]), samples),
  scan: operatorLaws('scan', () => scan((total: number, { n }: Sample) => total + n, 0, t.number), samples, keyed),
  tumblingWindow: (['drop', 'side'] as const).flatMap(late =>
    operatorLaws(
      `tumblingWindow, late: ${late}`,
      () => tumblingWindow({ sizeMs: 10, late }, operators.mean(n)),
      samples,
      keyed,
    ),
  ),
  eventTime: [
    ...operatorLaws('eventTime', () => eventTime({ timeMs: n, outOfOrderMs: 5 }), samples),
    ...operatorLaws('eventTime of splits', () => eventTime({ timeMs: n, outOfOrderMs: 5 }), threeSplits, {
      keyOf: ({ key }: Sample) => key,
    }),
  ],
}

/** What handlers may do, by the part of their contract. */
const contract: Readonly<Record<string, readonly Law[]>> = {
  'an operator with state, an iterable, a side output, and handlers of watermark and end': operatorLaws(
    'digits',
    () =>
      operator<Sample, string, { large: number }>(
        'digits',
        ({ state }) => {
          const total = state.value('total', t.number, 0)
          const told = state.value('told', t.readonlyArray(t.number), [])
          const waiting = state.value('waiting', t.readonlyArray(t.number), [])
          return {
            *record({ n }, out, { timeMs, operatorWatermarkMs }) {
              const sum = total.update(before => before + n)
              if (n > 20) out.side('large', n)
              for (const digit of String(sum)) yield `${digit} of ${sum} at ${timeMs}`
              told.set([...told.get(), n])
              waiting.set([...waiting.get(), Math.max(timeMs, operatorWatermarkMs)].sort((a, b) => a - b))
            },
            watermark(watermarkMs, out) {
              for (const timeMs of waiting.get()) if (timeMs < watermarkMs) out.emitAt(timeMs, `time ${timeMs}`)
              waiting.update(before => before.filter(timeMs => timeMs >= watermarkMs))
            },
            end: () => told.get().map(n => `told ${n}`),
          }
        },
        { sides: ['large'] },
      ),
    samples,
  ),
  'a keyed operator with an iterable that changes state before, between and after its results': operatorLaws(
    'countdown',
    () =>
      keyedOperator<Sample, string, string>('countdown', ({ state }) => {
        const calls = state.value('calls', t.number, 0)
        const last = state.value<{ readonly n: number } | undefined>('last', t.any, undefined)
        return {
          *record({ n }, _out, { key }) {
            calls.update(before => before + 1)
            yield `${key} ${n} call ${calls.get()} after ${last.get()?.n}`
            last.set({ n })
            for (let i = n % 4; i > 0; i--) yield `${key} ${n} counts ${i}`
            if (n === 22) last.clear()
          },
        }
      }),
    samples,
    keyed,
  ),
  'a keyed operator with timers whose handlers give iterables, and a side output': operatorLaws(
    'reminders',
    () =>
      keyedOperator<Sample, string, string, { cancelled: number }>(
        'reminders',
        ({ state, timers }) => {
          const fired = state.value('fired', t.number, 0)
          return {
            record({ n }, out, { timeMs, operatorWatermarkMs }) {
              for (const delayMs of [1, 3, 6]) timers.at(Math.max(timeMs, operatorWatermarkMs) + delayMs)
              if (n % 2 === 0) {
                timers.cancel(timeMs + 3)
                out.side('cancelled', n)
              }
            },
            *timer(timeMs, _out, { key }) {
              const n = fired.update(before => before + 1)
              if (timeMs < 20) timers.at(timeMs + 20)
              for (let i = 0; i < 3; i++) yield `${key} at ${timeMs}, number ${n}, ${i}`
            },
            *end() {
              yield 'end 1'
              yield 'end 2'
            },
          }
        },
        { sides: ['cancelled'] },
      ),
    samples,
    keyed,
  ),
  'a chain of operators, all of which may be suspended': operatorLaws(
    'chain',
    () => (source: Stream<Sample>) =>
      source.pipe(
        flatMap(({ n }) => [n, n + 1, n + 2]),
        flatMap(n => [n, -n]),
        operator<number, number>('last', ({ state }) => {
          const last = state.value('last', t.number, 0)
          return {
            *record(n) {
              yield last.get()
              last.set(n)
              yield n
            },
          }
        }),
      ),
    samples.slice(0, 5),
  ),
  'operators behind a union': operatorLaws(
    'behind a union',
    () => (a: Stream<Sample>, b: Stream<Sample>) =>
      union(a, b).pipe(
        flatMap(({ key, n }) => [
          { key, n },
          { key, n: -n },
        ]),
      ),
    lanes,
    { keyOf: ({ key }: Sample) => key },
  ),
  'an operator of a keyed stream and a broadcast one': operatorLaws(
    'keyedWithBroadcast',
    // Both lanes have keys: those of what is broadcast are dropped.
    () => (a: Stream<any>, b: Stream<any>) =>
      keyedWithBroadcast<Sample, string, Sample, unknown>(
        'keyedWithBroadcast',
        a as KeyedStream<Sample, string>,
        b as BroadcastStream<Sample>,
        ({ state, broadcastState, timers }) => {
          const total = state.value('total', t.number, 0)
          const rules = broadcastState.value('rules', t.number, 0)
          return {
            *record({ key, n }, _out, { timeMs }) {
              if (timeMs > 0) timers.at(timeMs + 2)
              yield { key, n }
              total.update(before => before + n)
              yield { key, total: total.get() }
            },
            timer: (timeMs, _out, { key }) => [{ key, timeMs }],
            *broadcast({ key, n }) {
              yield { key, rules: rules.update(before => before + n) }
              yield { key, rules: rules.get() + 1 }
            },
          }
        },
        { effect: 'keysAndResults' },
      ),
    lanes,
    { ...keyed, keyOf: ({ key }: Sample) => key },
  ),
  'a pipe from a source to a window': operatorLaws(
    'pipe',
    () => (source: Stream<Sample>) =>
      source.pipe(
        eventTime({ timeMs: n, outOfOrderMs: 4 }),
        keyBy(({ key }) => key),
        tumblingWindow({ sizeMs: 10, late: 'side' }, sum(n)),
      ),
    threeSplits,
    { keyOf: ({ key }: { key: string }) => key },
  ),
}

for (const [name, laws] of Object.entries({ ...exported, ...contract })) {
  describe(name, () => {
    for (const { title, check } of laws) test(title, check)
  })
}

/** Neither operators nor sources nor sinks, or with laws of their own. */
const others = {
  controls: ['align', 'coordinate', 'serialize'],
  aggregates: ['aggregates', 'count', 'max', 'mean', 'min', 'sum'],
  'ends a pipeline': ['into'],
  'at most once: reading one again gives something else, so each has a spec of its own': [
    'fromAsyncIterable',
    'fromEmitter',
    'fromObservable',
  ],
  'laws in sources.spec.ts and sinks.spec.ts': ['collect', 'fromArray', 'fromIterable'],
}

test('every operator that is exported has laws', () => {
  expect([...Object.keys(exported), ...Object.values(others).flat()].sort()).toEqual(Object.keys(operators).sort())
})
