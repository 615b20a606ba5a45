import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Key } from '../../lib/element.ts'
import { groupOf } from '../../lib/state/keyGroups.ts'
import { compareKeys } from '../../lib/state/keyOrder.ts'
import { CallLog, type CapturedTable, Table } from '../../lib/state/table.ts'
import { type Due, Timers } from '../../lib/state/timers.ts'

const groups = 4
const add = (timers: Timers, key: Key, timeMs: number) => timers.add(key, groupOf(key, groups), timeMs)
const fire = (timers: Timers, watermarkMs: number): readonly (readonly [Key, number])[] => {
  const fired: (readonly [Key, number])[] = []
  for (let due = timers.nextDue(watermarkMs); due !== undefined; due = timers.nextDue(watermarkMs)) {
    timers.delete(due.key, due.timeMs)
    fired.push([due.key, due.timeMs])
  }
  return fired
}
const restored = (captured: CapturedTable<readonly number[]>) => {
  const table = new Table<readonly number[]>(groups)
  for (const [group, key, times] of [...captured.batches(2)].flat()) table.restore(group, key, times)
  return new Timers(table)
}

describe('timers', () => {
  test('fire once for each key and time, the earliest first, when the watermark has reached them', () => {
    const table = new Table<readonly number[]>(groups)
    const timers = new Timers(table)
    for (const timeMs of [30, 10, 20, 10, 30]) add(timers, 'a', timeMs)
    add(timers, 'b', 10.5)
    expect(timers.size).toBe(4)
    expect(timers.nextDue(9)).toBeUndefined()
    expect(fire(timers, 20)).toEqual([
      ['a', 10],
      ['b', 10.5],
      ['a', 20],
    ])
    expect(fire(timers, 29)).toEqual([])
    expect(fire(timers, Number.POSITIVE_INFINITY)).toEqual([['a', 30]])
    expect([timers.size, timers.indexSize, table.size]).toEqual([0, 0, 0])
  })

  test('of one time fire in an order that does not depend on the order in which they were added', () => {
    const keys: readonly Key[] = ['b', 'a', 1, '1', 1n, true, [1], ['1'], 10, 9, 'ab', -1, Number.NaN]
    const order = (keys: readonly Key[]) => {
      const timers = new Timers(new Table(groups))
      for (const key of keys) add(timers, key, 5)
      return fire(timers, 5).map(([key]) => key)
    }
    const sorted = [...keys].sort((a, b) => groupOf(a, groups) - groupOf(b, groups) || compareKeys(a, b))
    fc.assert(
      fc.property(fc.shuffledSubarray([...keys], { minLength: keys.length }), keys => {
        expect(order(keys)).toEqual(sorted)
      }),
    )
  })

  test('a due timer stays until it is deleted', () => {
    const timers = new Timers(new Table(groups))
    add(timers, 'a', 5)
    const due: Due = { key: 'a', group: groupOf('a', groups), timeMs: 5 }
    expect([timers.nextDue(5), timers.nextDue(5)]).toEqual([due, due])
    timers.delete('a', 5)
    expect(timers.nextDue(5)).toBeUndefined()
  })

  test('a handler may set its timer again, for the same time too', () => {
    const timers = new Timers(new Table(groups))
    add(timers, 'a', 5)
    add(timers, 'a', 7)
    for (let i = 0; i < 3; i++) {
      expect(timers.nextDue(5)?.timeMs).toBe(5)
      timers.delete('a', 5)
      add(timers, 'a', 5)
    }
    expect(fire(timers, 9)).toEqual([
      ['a', 5],
      ['a', 7],
    ])
  })

  test('a timer whose firing has changed nothing yet but itself is still in a capture from before the call', () => {
    const calls = new CallLog()
    const table = new Table<readonly number[]>(groups, { calls })
    const timers = new Timers(table)
    add(timers, 'a', 5)
    calls.begin()
    const due = timers.nextDue(5) as Due
    timers.delete(due.key, due.timeMs)
    add(timers, 'a', 9)
    const captured = table.capture({ beforeCall: true })
    expect(fire(timers, 9)).toEqual([['a', 9]])
    expect(fire(restored(captured), 9)).toEqual([['a', 5]])
  })

  test('NaN is no time', () => {
    const timers = new Timers(new Table(groups))
    expect(() => add(timers, 'a', Number.NaN)).toThrow(RangeError)
    expect([...new Table(groups).values()]).toEqual([])
  })
})

describe('the index stays in proportion to the timers', () => {
  const bound = (timers: Timers) => expect(timers.indexSize).toBeLessThanOrEqual(2 * timers.size + 64)

  test('when each timer is moved again and again, as a session does it', () => {
    const timers = new Timers(new Table(groups))
    const movedTo = new Map<number, number>()
    for (let i = 0; i < 1000; i++) add(timers, i, i)
    for (let i = 1000; i < 20_000; i++) {
      const key = (i * 7) % 1000
      const held = movedTo.get(key) ?? key
      add(timers, key, i)
      const before = timers.indexSize
      timers.delete(key, held)
      movedTo.set(key, i)
      bound(timers)
      // A few places at a time: no pause, however many there are.
      expect(timers.indexSize).toBeGreaterThanOrEqual(before - 4)
    }
    expect(timers.size).toBe(1000)
    const times = fire(timers, 20_000).map(([, timeMs]) => timeMs)
    expect(times).toEqual([...movedTo.values()].sort((a, b) => a - b))
  })

  test('when the times of one key are deleted and added again', () => {
    const timers = new Timers(new Table(groups))
    const times = Array.from({ length: 100 }, (_, i) => i)
    for (const timeMs of times) add(timers, 'a', timeMs)
    for (let i = 0; i < 10_000; i++) {
      timers.delete('a', i % 100)
      add(timers, 'a', i % 100)
      bound(timers)
    }
    expect(fire(timers, 100).map(([, timeMs]) => timeMs)).toEqual(times)
  })

  test('when all are deleted, in any order', () => {
    const timers = new Timers(new Table(groups))
    for (let i = 0; i < 5000; i++) add(timers, i, (i * 7919) % 5000)
    for (let i = 0; i < 5000; i++) {
      timers.delete((i * 3331) % 5000, (((i * 3331) % 5000) * 7919) % 5000)
      bound(timers)
    }
    expect(timers.nextDue(Number.POSITIVE_INFINITY)).toBeUndefined()
  })
})

test('many of them, added, deleted and fired at random, are a sorted list (a failure prints its seed)', () => {
  fc.assert(
    fc.property(fc.integer(), fc.integer({ min: 1, max: 300 }), (seed, keys) => {
      let state = seed
      const random = (below: number) => {
        state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0
        return ((state >>> 8) * below) >>> 24
      }
      const timers = new Timers(new Table(groups))
      const list = new Map<string, Timer>()
      for (let i = 0; i < 3_000; i++) {
        const timer = { key: random(keys), timeMs: random(1_000) }
        add(timers, timer.key, timer.timeMs)
        list.set(`${timer.key}/${timer.timeMs}`, timer)
        const gone = [...list.values()][random(list.size)] as Timer
        if (list.size < 150 || random(3) === 0) continue
        timers.delete(gone.key, gone.timeMs)
        list.delete(`${gone.key}/${gone.timeMs}`)
      }
      expect(fire(timers, 1_000)).toEqual([...list.values()].sort(isEarlier).map(({ key, timeMs }) => [key, timeMs]))
    }),
    { numRuns: 20 },
  )
})

type Step =
  | { readonly kind: 'add' | 'delete'; readonly key: number; readonly timeMs: number }
  | { readonly kind: 'fire'; readonly watermarkMs: number; readonly max: number }
  | { readonly kind: 'call' | 'capture' | 'restore' }

const pool: readonly Key[] = ['a', 'b', '1', 1, 1n, [1], ['1'], 2]
const key = fc.nat(pool.length - 1)
const timeMs = fc.integer({ min: -3, max: 12 })
const steps = fc.array(
  fc.oneof<fc.WeightedArbitrary<Step>[]>(
    { weight: 6, arbitrary: fc.record({ kind: fc.constant('add' as const), key, timeMs }) },
    { weight: 5, arbitrary: fc.record({ kind: fc.constant('delete' as const), key, timeMs }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('fire' as const), watermarkMs: timeMs, max: fc.nat(4) }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom('call' as const, 'capture' as const) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('restore' as const) }) },
  ),
  { minLength: 1, maxLength: 200, size: 'max' },
)

interface Timer {
  readonly key: Key
  readonly timeMs: number
}

const isEarlier = (a: Timer, b: Timer): number =>
  a.timeMs - b.timeMs || groupOf(a.key, groups) - groupOf(b.key, groups) || compareKeys(a.key, b.key)

test('whatever happens in whatever order, they are a sorted list (a failure prints its seed)', () => {
  fc.assert(
    fc.property(steps, steps => {
      let calls = new CallLog()
      let table = new Table<readonly number[]>(groups, { calls })
      let timers = new Timers(table)
      let list: readonly Timer[] = []
      let beforeCall = list
      let captured: { readonly of: CapturedTable<readonly number[]>; readonly list: readonly Timer[] } | undefined
      const without = (gone: Timer) => list.filter(({ key, timeMs }) => key !== gone.key || timeMs !== gone.timeMs)

      for (const step of steps) {
        switch (step.kind) {
          case 'add':
          case 'delete': {
            const timer: Timer = { key: pool[step.key] as Key, timeMs: step.timeMs }
            list = without(timer)
            if (step.kind === 'delete') timers.delete(timer.key, timer.timeMs)
            else {
              add(timers, timer.key, timer.timeMs)
              list = [...list, timer].sort(isEarlier)
            }
            break
          }
          case 'fire':
            for (let i = 0; i < step.max; i++) {
              const due = timers.nextDue(step.watermarkMs)
              const expected = list.find(({ timeMs }) => timeMs <= step.watermarkMs)
              expect(due && { key: due.key, timeMs: due.timeMs }).toEqual(expected)
              if (due === undefined || expected === undefined) break
              expect(due.group).toBe(groupOf(due.key, groups))
              timers.delete(due.key, due.timeMs)
              list = without(expected)
            }
            break
          case 'call':
            calls.begin()
            beforeCall = list
            break
          case 'capture':
            captured?.of.release()
            captured = { of: table.capture({ beforeCall: true }), list: beforeCall }
            break
          case 'restore': {
            if (captured === undefined) break
            calls = new CallLog()
            const again = new Table<readonly number[]>(groups, { calls })
            for (const [group, key, times] of [...captured.of.batches(2)].flat()) again.restore(group, key, times)
            table = again
            timers = new Timers(again)
            list = captured.list
            beforeCall = list
            captured = undefined
            break
          }
        }
        expect(timers.size).toBe(list.length)
        expect(timers.indexSize).toBeLessThanOrEqual(2 * list.length + 64)
      }
      expect(fire(timers, Number.POSITIVE_INFINITY)).toEqual(list.map(({ key, timeMs }) => [key, timeMs]))
    }),
    { numRuns: 1_000 },
  )
})
