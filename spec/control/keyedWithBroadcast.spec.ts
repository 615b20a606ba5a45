import * as t from 'io-ts'
import { type BroadcastContext, type BroadcastHandlers, keyedWithBroadcast, stream } from 'spillway'
import { broadcast, fromArray, into, keyBy, map, rebalance } from 'spillway/operators'
import { describe, expect, test } from 'vitest'
import { sorted } from '../runtime/exactlyOncePipelines.ts'
import { slowCollect, stoppedAndResumed, turnsOf } from '../runtime/restored.ts'

const strings = t.readonlyArray(t.string)
const range = (count: number) => Array.from({ length: count }, (_, n) => n)
const rules = range(7).map(n => `r${n}`)
const keys = range(6)
const records = keys.flatMap(key => range(5).map(n => ({ key, n })))

type Rec = (typeof records)[number]

/**
 * Gives each rule once for each key: at the key's first record those that were there before, each later one as it comes; and
 * once for each task. Each key counts its records and rules.
 */
const each = ({ state, broadcastState, subtask }: BroadcastContext<number>) => {
  const applied = state.value('applied', t.number, 0)
  const known = broadcastState.value<readonly string[]>('known', strings, [])
  const handlers: BroadcastHandlers<Rec, number, string, string> = {
    *record({ key, n }) {
      const isFirst = applied.get() === 0
      applied.update(count => count + 1)
      if (isFirst) for (const rule of known.get()) yield `${rule} for ${key}`
      yield `record ${n} of ${key}`
    },
    *broadcast(rule) {
      known.update(before => [...before, rule])
      yield `${rule} in task ${subtask.index}`
      for (const key of applied.keys()) {
        applied.update(count => count + 100)
        yield `${rule} for ${key}`
      }
    },
  }
  return handlers
}

const gives = (parallelism: number) => [
  ...rules.flatMap(rule => keys.map(key => `${rule} for ${key}`)),
  ...rules.flatMap(rule => range(parallelism).map(task => `${rule} in task ${task}`)),
  ...records.map(({ key, n }) => `record ${n} of ${key}`),
]

const keyed = () => stream(fromArray(records, { name: 'records', splits: 2 })).pipe(keyBy(({ key }) => key))
const ruled = () => stream(fromArray(rules, { name: 'rules' }), { parallelism: 1 }).pipe(broadcast())

const pipeline = (out: string[]) =>
  keyedWithBroadcast('each', keyed(), ruled(), each, { effect: 'keysAndResults' }).pipe(
    rebalance(),
    map(of => of),
    into(slowCollect(out, { macrotasks: 1 })),
  )

for (const parallelism of [1, 3]) {
  for (const alignment of ['aligned', 'unaligned'] as const) {
    test(`each rule meets each key once, and comes out once a task, parallelism ${parallelism}, through ${alignment} checkpoints`, async () => {
      const options = { parallelism, checks: true, channels: { buffersMax: 1, bufferRecordsMax: 2 } }
      const undisturbed: string[] = []
      const turns = await turnsOf([pipeline(undisturbed)], options)
      expect(sorted(undisturbed)).toEqual(sorted(gives(parallelism)))
      let resumed = 0
      const step = Math.max(1, Math.floor(turns / 60))
      for (let turn = 1; turn <= turns; turn += step) {
        const out: string[] = []
        const pipelines = [pipeline(out)]
        if (await stoppedAndResumed(() => pipelines, { ...options, turn, alignment })) resumed++
        expect(sorted(out), `stopped in turn ${turn}`).toEqual(sorted(gives(parallelism)))
      }
      expect(resumed).toBeGreaterThan(turns / step / 2)
    })
  }
}

describe('keys()', () => {
  test('are given in an order of their own, each the key being handled, and none is any more afterwards', async () => {
    const seen: unknown[] = []
    const orders = keyedWithBroadcast<number, number, string, string>(
      'orders',
      stream(fromArray([3, 1, 2, 10, 1], { name: 'numbers' })).pipe(keyBy(n => n)),
      stream(fromArray(['r'], { name: 'rules' })).pipe(broadcast()),
      ({ state }) => {
        const [count, other] = [state.value('count', t.number, 0), state.value('other', t.number, 0)]
        return {
          record: n => void count.update(before => before + (n === 2 ? 0 : 1)),
          broadcast() {
            for (const key of count.keys()) {
              other.set(key)
              seen.push([key, count.get()])
            }
            for (const key of other.keys()) if (other.get() !== key) seen.push('mixed up')
            seen.push(attempt(() => count.get()))
          },
        }
      },
      { effect: 'keysAndResults' },
    )
    orders.subscribe()
    expect(sorted(seen)).toEqual(sorted([[1, 2], [2, 0], [3, 1], [10, 1], 'NO_KEY']))
  })

  test('come in an order that does not depend on when they came: a call that a restore repeats meets them as before', () => {
    const orderOf = (numbers: readonly number[]): readonly number[] => {
      const seen: number[] = []
      const ordered = keyedWithBroadcast<number, number, string, string>(
        'ordered',
        stream(fromArray(numbers, { name: 'numbers' })).pipe(keyBy(n => n)),
        stream(fromArray(['r'], { name: 'rules' })).pipe(broadcast()),
        ({ state }) => {
          const count = state.value('count', t.number, 0)
          return {
            record: () => void count.set(1),
            broadcast() {
              for (const key of count.keys()) seen.push(key)
            },
          }
        },
        { effect: 'keysAndResults' },
      )
      ordered.subscribe()
      return seen
    }
    // More than there are key groups.
    const numbers = range(250)
    const order = orderOf(numbers)
    expect(order.toSorted((a, b) => a - b)).toEqual(numbers)
    expect(orderOf(numbers.toReversed())).toEqual(order)
  })
})

const attempt = (act: () => unknown): unknown => {
  try {
    return act()
  } catch (error) {
    return (error as { code?: string }).code
  }
}

type Context = BroadcastContext<number>
type Handlers = BroadcastHandlers<number, number, string, string>

const misuses: readonly (readonly [
  claim: string,
  effect: 'broadcastState' | 'keysAndResults',
  code: string,
  open: (context: Context) => Handlers,
])[] = [
  [
    'broadcast state changed by a record',
    'keysAndResults',
    'BROADCAST_STATE',
    ({ broadcastState }) => {
      const rule = broadcastState.value('rule', t.string, '')
      return { record: () => rule.set('x'), broadcast: () => {} }
    },
  ],
  [
    'keys asked for by a record',
    'keysAndResults',
    'BROADCAST_STATE',
    ({ state }) => {
      const count = state.value('count', t.number, 0)
      return { record: () => void [...count.keys()], broadcast: () => {} }
    },
  ],
  [
    'results of what may only change broadcast state, emitted',
    'broadcastState',
    'BROADCAST_STATE',
    () => ({ record: () => {}, broadcast: (rule, out) => out.emit(rule) }),
  ],
  [
    'results of what may only change broadcast state, yielded',
    'broadcastState',
    'BROADCAST_STATE',
    () => ({
      record: () => {},
      *broadcast(rule) {
        yield rule
      },
    }),
  ],
  [
    'keys asked for by what may only change broadcast state',
    'broadcastState',
    'BROADCAST_STATE',
    ({ state }) => {
      const count = state.value('count', t.number, 0)
      return { record: () => void count.set(1), broadcast: () => void [...count.keys()] }
    },
  ],
  [
    'keyed state used in broadcast without a key',
    'keysAndResults',
    'NO_KEY',
    ({ state }) => {
      const count = state.value('count', t.number, 0)
      return { record: () => {}, broadcast: () => count.set(1) }
    },
  ],
]

test.each(misuses)('%s is an error that names the operator', (_, effect, code, open) => {
  const broken = keyedWithBroadcast<number, number, string, string>(
    'broken',
    stream(fromArray([1], { name: 'numbers' })).pipe(keyBy(n => n)),
    stream(fromArray(['r'], { name: 'rules' })).pipe(broadcast()),
    open,
    { effect },
  )
  const errors: unknown[] = []
  broken.subscribe({ error: error => errors.push(error) })
  expect(errors).toEqual([expect.objectContaining({ code, place: 'broken' })])
})
