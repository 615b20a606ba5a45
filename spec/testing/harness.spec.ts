import * as t from 'io-ts'
import { buffer, idle, type Key, keyedOperator, operator, type Stream, watermark } from 'spillway'
import { eventTime, flatMap, fromArray, map, mean, scan, tumblingWindow } from 'spillway/operators'
import { type HarnessSnapshot, harness } from 'spillway/testing'
import { expect, test } from 'vitest'
import { groupOf, subtaskOf } from '../../lib/state/keyGroups.ts'

interface Order {
  readonly customer: string
  readonly cents: number
}

const order = (customer: string, cents = 100): Order => ({ customer, cents })
const keyBy = ({ customer }: Order) => customer

const countPerKey = <T, K extends Key>() =>
  keyedOperator<T, K, { key: K; count: number }>('countPerKey', ({ state }) => {
    const count = state.value('count', t.number, 0)
    return { record: (_, out, { key }) => out.emit({ key, count: count.update(n => n + 1) }) }
  })

test('records go in, results come out', () => {
  const h = harness(countPerKey<Order, string>(), { keyBy })
  h.push(order('alice'))
  h.send(buffer([order('bob'), order('alice')]))
  expect(h.output).toEqual([
    { key: 'alice', count: 1 },
    { key: 'bob', count: 1 },
    { key: 'alice', count: 2 },
  ])
  expect(h.take()).toHaveLength(3)
  h.push(order('bob'))
  expect(h.take()).toEqual([{ key: 'bob', count: 2 }])
  expect(h.take()).toEqual([])
})

test('times, watermarks and side outputs are seen', () => {
  const windows = tumblingWindow<Order, string, any, number, 'side'>(
    { sizeMs: 10, late: 'side' },
    mean(o => o.cents),
  )
  const h = harness(windows, { keyBy })
  h.push(order('alice', 4), { timeMs: 1 })
  h.push(order('alice', 6), { timeMs: 2 })
  expect(h.elements).toEqual([])
  h.watermark(10)
  h.push(order('alice', 8), { timeMs: 3 })
  h.push(order('alice', 9), { timeMs: 15, noteMs: 30 })
  h.end()
  expect(h.output).toEqual([{ key: 'alice', startMs: 0, endMs: 10, value: 5 }])
  expect(h.elements.map(({ kind }) => kind)).toEqual(['buffer', 'watermark', 'end'])
  expect(h.elements[0]).toMatchObject({ times: Float64Array.of(9) })
  expect(h.side('late')).toEqual([order('alice', 8), order('alice', 9)])
  expect(h.sideElements('late').map(({ kind }) => kind)).toEqual(['watermark', 'buffer', 'buffer', 'end'])
  expect(h.ended).toBe(true)
  expect(() => h.side('early' as 'late')).toThrow('no side output early, only late')
})

test('a full output suspends what can be suspended, and lets data wait', () => {
  const h = harness(flatMap((n: number) => [n, 10 * n, 100 * n]))
  h.free(2)
  h.send(buffer([1, 2]), watermark(5))
  h.push(3)
  expect(h.suspended).toBe(true)
  expect(h.output).toEqual([1, 10])
  h.free(1)
  expect(h.take()).toEqual([1, 10, 100])
  h.free()
  expect(h.take()).toEqual([2, 20, 200, 3, 30, 300])
  expect(h.suspended).toBe(false)
  h.fill()
  h.push(4)
  expect(h.take()).toEqual([])
})

test('an unaligned barrier passes what is suspended and what waits; an aligned one waits behind both', () => {
  for (const alignment of ['aligned', 'unaligned'] as const) {
    const h = harness(flatMap((n: number) => [n, -n]))
    h.free(1)
    h.push(1)
    h.push(2)
    h.barrier(1, { alignment })
    const atOnce = h.elements.some(({ kind }) => kind === 'barrier')
    expect(atOnce).toBe(alignment === 'unaligned')
    if (!atOnce) expect(() => h.snapshot()).toThrow('checkpoint 1 has no snapshot yet')
    h.free()
    expect(h.output).toEqual([1, -1, 2, -2])
    const other = harness(
      flatMap((n: number) => [n, -n]),
      { restored: h.snapshot() },
    )
    expect(other.output).toEqual(atOnce ? [-1, 2, -2] : [])
  }
})

test('a triggered barrier that waits behind what is suspended passes it once its time is up', () => {
  const h = harness(
    flatMap((n: number) => [n, -n]),
    { source: fromArray([1, 2]) },
  )
  h.free(1)
  while (h.output.length === 0) h.read()
  h.barrier(1, { alignment: { alignedTimeoutMs: 5 } })
  h.advance(4)
  expect(() => h.snapshot()).toThrow('checkpoint 1 has no snapshot yet')
  h.advance(2)
  const restored = harness(
    flatMap((n: number) => [n, -n]),
    { source: fromArray([1, 2]), restored: h.snapshot() },
  )
  while (restored.read());
  expect([h.output, restored.output]).toEqual([[1], [-1, 2, -2]])
})

test('a snapshot does not see what comes after it, and may be asked for twice', () => {
  const h = harness(countPerKey<Order, string>(), { keyBy })
  h.push(order('alice'))
  h.barrier(1)
  h.push(order('alice'))
  const snapshot = h.snapshot()
  expect(h.snapshot()).toBe(snapshot)
  expect(harness(countPerKey<Order, string>(), { keyBy, restored: snapshot }).state('count').get('alice')).toBe(1)
  expect(h.state('count').get('alice')).toBe(2)
})

test('a snapshot holds what the encoding keeps, no more', () => {
  const numbers = scan<number, number, number>((_, n) => n, 0, t.number)
  const h = harness(numbers, { keyBy: n => n })
  h.push(-0)
  h.barrier(1)
  const restored = harness(numbers, { keyBy: n => n, restored: h.snapshot() })
  expect(Object.is(h.state('accumulator').get(0), -0)).toBe(true)
  expect(Object.is(restored.state('accumulator').get(0), -0)).toBe(false)

  const functions = harness(
    scan<number, number, unknown>(() => () => 1, 0),
    { keyBy: n => n },
  )
  expect(() => functions.push(1)).toThrow('NOT_ENCODABLE')
})

test('state of a key is read, and filled beforehand', () => {
  const h = harness(countPerKey<Order, string>(), { keyBy })
  expect(h.state('count').get('alice')).toBeUndefined()
  h.state('count').set('alice', 41)
  h.push(order('alice'))
  expect(h.output).toEqual([{ key: 'alice', count: 42 }])
  expect(h.state('count').entries).toEqual([['alice', 42]])
  const suspended = harness(thrice(), { keyBy: letter => letter, room: 1 })
  suspended.push('a')
  expect(() => suspended.state('count').set('a', 9)).toThrow('in the middle of a call')
  expect(() => h.state('total')).toThrow('no operator has keyed state total')
})

test('timers of a key are read', () => {
  const h = harness(
    keyedOperator<number, number, string>('reminders', ({ timers }) => ({
      record: timeMs => timers.at(timeMs),
      timer: (timeMs, out, { key }) => out.emit(`${key} at ${timeMs}`),
    })),
    { keyBy: () => 7 },
  )
  h.push(10)
  h.push(20)
  h.watermark(15)
  expect(h.output).toEqual(['7 at 10'])
  expect(h.timers(7)).toEqual([20])
})

test('what an operator throws is thrown by the call that has led to it', () => {
  const h = harness(
    map((n: number) => {
      if (n === 2) throw new Error('boom')
      return n
    }),
  )
  h.push(1)
  expect(() => h.push(2)).toThrow('USER_FUNCTION_FAILED')
  expect(() => h.push(3)).toThrow('USER_FUNCTION_FAILED')
  expect(h.output).toEqual([1])
})

test('of several lanes the watermark is the smallest, and an aligned barrier waits for all', () => {
  const first = (a: Stream<string>, _b: Stream<string>) => a.pipe(map(s => s.toUpperCase()))
  const h = harness(first, { lanes: 2 })
  h.lane(0).watermark(10)
  expect(h.elements).toEqual([])
  h.lane(1).watermark(5)
  h.lane(1).send(idle)
  expect(h.elements).toEqual([watermark(5), watermark(10)])
  expect(() => h.lane(2).end()).toThrow('there is no lane 2')
})

test('a source is read as a task reads it: splits in turns, positions in the snapshot', () => {
  const timed = (source: Stream<number>) => source.pipe(eventTime({ timeMs: n => n, outOfOrderMs: 0 }))
  const source = fromArray([1, 2, 3, 4, 5, 6], { splits: 2 })
  const h = harness(timed, { source })
  expect(h.read(2)).toBe(true)
  expect(h.read(2)).toBe(true)
  expect(h.output).toEqual([1, 2])
  h.read(2)
  h.barrier(1)
  const other = harness(timed, { source, restored: h.snapshot() })
  for (const one of [h, other]) while (one.read(2)) {}
  expect(h.output).toEqual([1, 2, 4, 5, 3, 6])
  expect(other.output).toEqual([3, 6])
  expect(other.ended).toBe(true)
  expect(h.read()).toBe(false)
})

test('a source is not read while the output is full', () => {
  const h = harness((source: Stream<number>) => source.pipe(flatMap(n => [n, n])), {
    source: fromArray([1, 2]),
    room: 0,
  })
  expect(h.read()).toBe(false)
  h.free()
  while (h.read()) {}
  expect(h.output).toEqual([1, 1, 2, 2])
})

const letters = [...'abcdefghijklmnopqrstuvwxyz']
const thrice = () =>
  keyedOperator<string, string, string>('thrice', ({ state }) => {
    const count = state.value('count', t.number, 0)
    return {
      *record(record) {
        const n = count.update(before => before + 1)
        for (let i = 0; i < 3; i++) yield `${record}${n}.${i}`
      },
    }
  })

test.each([
  [1, 2],
  [2, 1],
  [2, 3],
  [3, 2],
])('from parallelism %i to %i, state, frames and what waits go to the owners of their key groups', (before, after) => {
  const tasks = (parallelism: number, restored: readonly HarnessSnapshot[] = []) =>
    Array.from({ length: parallelism }, (_, index) =>
      harness(thrice(), {
        keyBy: (letter: string) => letter,
        subtask: { index, parallelism },
        ...(restored.length === 0 ? { room: 4 } : { restored }),
      }),
    )
  const first = tasks(before)
  for (const h of first) {
    h.send(buffer(letters.slice(0, 20)))
    h.push('z')
    h.send(buffer(letters.slice(20)))
    expect(h.suspended).toBe(true)
    h.barrier(1, { alignment: 'unaligned' })
  }
  const second = tasks(
    after,
    first.map(h => h.snapshot()),
  )
  for (const h of second) h.send(buffer(letters))
  const results = [...first, ...second].flatMap(h => h.output)
  const expected = letters.flatMap(letter =>
    [1, 2, ...(letter === 'z' ? [3] : [])].flatMap(n => [0, 1, 2].map(i => `${letter}${n}.${i}`)),
  )
  expect(results.toSorted()).toEqual(expected.toSorted())
  const inOrder = (key: string) => results.filter(result => result.startsWith(key))
  for (const key of letters) expect(inOrder(key)).toEqual(expected.filter(result => result.startsWith(key)))
})

test('at another parallelism the watermark is the smallest, but that of no key goes back', () => {
  const windows = () =>
    tumblingWindow<Order, string, any, number, 'drop'>(
      { sizeMs: 10, late: 'drop' },
      mean(o => o.cents),
    )
  const old = [20, 10].map((watermarkMs, index) => {
    const h = harness(windows(), { keyBy, subtask: { index, parallelism: 2 } })
    for (const customer of letters) h.push(order(customer), { timeMs: 25 })
    h.watermark(watermarkMs)
    h.barrier(1)
    return h.snapshot()
  })
  const h = harness(windows(), { keyBy, restored: old })
  for (const customer of letters) h.push(order(customer), { timeMs: 12 })
  h.watermark(30)
  const ofFirst = letters.filter(letter => subtaskOf(groupOf(letter, 128), { groups: 128, parallelism: 2 }) === 0)
  expect([ofFirst.length > 0, ofFirst.length < letters.length]).toEqual([true, true])
  // The first had seen watermark 20, which the end of these windows is not above.
  const early = (h.output as readonly { key: string; startMs: number }[]).filter(({ startMs }) => startMs === 10)
  expect(early.map(({ key }) => key).toSorted()).toEqual(letters.filter(letter => !ofFirst.includes(letter)).toSorted())
})

test('state of a whole task is not dealt to other tasks', () => {
  const total = () =>
    operator<number, number>('total', ({ state }) => {
      const sum = state.value('sum', t.number, 0)
      return { record: (n, out) => out.emit(sum.update(before => before + n)) }
    })
  const h = harness(total())
  h.push(1)
  h.barrier(1)
  expect(() => harness(total(), { restored: h.snapshot(), subtask: { index: 0, parallelism: 2 } })).toThrow(
    /operator total: state sum .*PARALLELISM_CHANGED/,
  )
  const same = harness(total(), { restored: h.snapshot() })
  same.push(1)
  expect(same.output).toEqual([2])
})

test('a restore at another parallelism needs all snapshots', () => {
  const h = harness(thrice(), { keyBy: letter => letter, subtask: { index: 0, parallelism: 2 } })
  h.barrier(1)
  expect(() => harness(thrice(), { keyBy: letter => letter, restored: h.snapshot() })).toThrow('of all 2 subtasks')
})

test('state that no operator asks for is an error', () => {
  const h = harness(countPerKey<Order, string>(), { keyBy })
  h.push(order('alice'))
  h.barrier(1)
  expect(() => harness(thrice(), { keyBy: l => l, restored: h.snapshot() })).toThrow('countPerKey')
})

test('frames of two operators of one name are told apart', () => {
  const twice = (source: Stream<number>) =>
    source.pipe(
      flatMap(n => [n, n + 1]),
      flatMap(n => [n, -n]),
    )
  const whole = harness(twice)
  whole.push(1)
  for (let room = 1; room < 4; room++) {
    const h = harness(twice, { room })
    h.push(1)
    h.barrier(1, { alignment: 'unaligned' })
    expect([...h.output, ...harness(twice, { restored: h.snapshot() }).output]).toEqual(whole.output)
  }
})
