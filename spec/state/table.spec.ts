import { setImmediate as turn } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Key } from '../../lib/element.ts'
import type { CapturedEntries } from '../../lib/state/capturedTable.ts'
import { groupOf } from '../../lib/state/keyGroups.ts'
import { ABSENT, CallLog, type CapturedTable, type Entry, Table } from '../../lib/state/table.ts'

const groups = 4
const put = <V>(table: Table<V>, key: Key, value: V) => table.set(table.entry(key, groupOf(key, groups)), value)
const drop = <V>(table: Table<V>, key: Key) => {
  const entry = table.find(key)
  if (entry !== undefined) table.remove(entry)
}
const found = <V>(table: Table<V>, key: Key) => table.find(key)?.value
/** What a capture holds, by key; keys here are told apart by their text. */
const read = <V>(captured: CapturedTable<V>) =>
  Object.fromEntries([...captured.batches(2)].flat().map(([, key, value]) => [String(key), value]))

setFlagsFromString('--expose_gc')
const collectGarbage = runInNewContext('gc') as () => void

const watched = () => {
  const made: WeakRef<object>[] = []
  return {
    made: (): object => {
      const value = {}
      made.push(new WeakRef(value))
      return value
    },
    /** How many of those made somebody still holds. */
    alive: async (): Promise<number> => {
      await turn()
      collectGarbage()
      return made.filter(ref => ref.deref() !== undefined).length
    },
  }
}

describe('a table', () => {
  test('finds what was set, under keys of any kind, each its own', () => {
    const table = new Table<number>(groups)
    const keys: readonly Key[] = ['1', 1, 1n, true, 'true', Number.NaN, [1], ['1'], [1, [2, 'a']], [], [[]]]
    keys.forEach((key, i) => {
      put(table, key, i)
    })
    expect(table.size).toBe(keys.length)
    expect(keys.map(key => found(table, key))).toEqual(keys.map((_, i) => i))
    expect(found(table, [1, [2, 'a']])).toBe(8)
    expect(table.find([1, [2, 'b']])).toBeUndefined()
  })

  test('takes -0 for 0, also in tuples', () => {
    const table = new Table<string>(groups)
    put(table, 0, 'a')
    put(table, [0], 'b')
    expect([found(table, -0), found(table, [-0])]).toEqual(['a', 'b'])
  })

  test('knows undefined from absent', () => {
    const table = new Table<undefined>(groups)
    expect(table.entry('a', 0).value).toBe(ABSENT)
    expect(table.size).toBe(0)
    put(table, 'a', undefined)
    expect(table.size).toBe(1)
    expect([...table.capture().batches(2)].flat()).toHaveLength(1)
    drop(table, 'a')
    expect([table.size, table.find('a')]).toEqual([0, undefined])
    table.remove(table.entry('b', 0))
    expect([table.size, table.find('b')]).toEqual([0, undefined])
  })

  test('gives what was restored', () => {
    const table = new Table<number>(groups)
    table.restore(2, 'a', 1)
    table.restore(2, 'a', 2)
    table.restore(1, ['b'], 3)
    expect(table.size).toBe(2)
    expect([...table.capture().batches(1)].flat()).toEqual([
      [1, ['b'], 3],
      [2, 'a', 2],
    ])
    expect([...table.values()].map(({ key }) => key)).toEqual([['b'], 'a'])
  })

  test('an entry is of no use after its removal', () => {
    const table = new Table<number>(groups)
    const entry = table.entry('a', 0)
    table.set(entry, 1)
    table.remove(entry)
    table.remove(entry)
    expect(() => table.set(entry, 2)).toThrow('nobody sets an entry after its removal')
  })
})

describe('a capture', () => {
  test('holds what the table held, whatever happens to it', () => {
    const table = new Table<number>(groups)
    for (const key of ['set', 'removed', 'back']) put(table, key, 1)
    const captured = table.capture()
    put(table, 'set', 2)
    put(table, 'set', 3)
    put(table, 'new', 2)
    drop(table, 'removed')
    drop(table, 'back')
    put(table, 'back', 2)
    expect(captured.size).toBe(3)
    expect(read(captured)).toEqual({ set: 1, removed: 1, back: 1 })
    expect(read(table.capture())).toEqual({ set: 3, new: 2, back: 2 })
  })

  test('is read in the order of groups', () => {
    const table = new Table<number>(128)
    for (let i = 0; i < 1000; i++) table.set(table.entry(i, groupOf(i, 128)), i)
    const order = [...table.capture().batches(100)].flat().map(([group]) => group)
    expect(order).toEqual([...order].sort((a, b) => a - b))
  })

  test('released in the middle of reading, it is not read on', () => {
    const table = new Table<number>(groups)
    put(table, 'a', 1)
    put(table, 'b', 1)
    const captured = table.capture()
    const batches = captured.batches(1)[Symbol.iterator]()
    batches.next()
    captured.release()
    captured.release()
    expect(() => batches.next()).toThrow('a released capture is not read')
  })

  test('a value that no open capture sees is not kept', () => {
    const table = new Table<number>(groups)
    put(table, 'a', 0)
    const oldest = table.capture()
    for (let i = 1; i <= 1000; i++) {
      const captured = table.capture()
      put(table, 'a', i)
      captured.release()
      expect(table.held).toEqual({ versions: 1, tombstones: 0 })
    }
    expect(read(oldest)).toEqual({ a: 0 })
    oldest.release()
    expect(table.held.versions).toBe(0)
  })

  test('captures that always overlap hold what they should, and no more', () => {
    const table = new Table<number>(groups)
    const putAll = (value: number) => {
      for (let key = 0; key < 10; key++) put(table, key, value)
    }
    putAll(-1)
    let open = table.capture()
    for (let i = 0; i < 1000; i++) {
      putAll(i)
      const next = table.capture()
      putAll(i + 0.5)
      expect([read(open)[9], read(next)[9]]).toEqual([i === 0 ? -1 : i - 1, i])
      open.release()
      expect(read(next)[9]).toBe(i)
      expect(table.held.versions).toBe(10)
      open = next
    }
  })

  test('keys that come and go while it is open leave no tombstones', () => {
    const table = new Table<number>(groups)
    put(table, 'a', 1)
    const captured = table.capture()
    for (let i = 0; i < 100; i++) {
      put(table, i, i)
      drop(table, i)
    }
    drop(table, 'a')
    expect(table.held.tombstones).toBe(1)
    expect(read(captured)).toEqual({ a: 1 })
  })

  test('many tombstones are taken out little by little', () => {
    const table = new Table<number>(groups)
    for (let i = 0; i < 10_000; i++) put(table, i, i)
    const captured = table.capture()
    const entries = [...table.values()]
    const removed = entries.map((_, i) => entries[(i * 3_331) % entries.length] as Entry<number>)
    for (const entry of removed) table.remove(entry)
    expect(table.held.tombstones).toBe(10_000)
    captured.release()
    const after = table.held.tombstones
    expect(after).toBeLessThan(10_000)
    for (const entry of removed) table.remove(entry)
    expect([table.size, table.held.tombstones]).toEqual([0, after])
    for (let i = 0; i < after / 2; i++) put(table, i, i)
    expect(table.held.tombstones).toBe(0)
    expect(Object.keys(read(table.capture()))).toHaveLength(Math.ceil(after / 2))
  })

  test('its release makes the values garbage that it alone held', async () => {
    const table = new Table<object>(groups)
    const [first, second] = [watched(), watched()]
    for (const key of ['set', 'removed', 'back']) put(table, key, first.made())
    const captured = table.capture()
    for (const key of ['set', 'removed', 'back']) put(table, key, second.made())
    const later = table.capture()
    drop(table, 'removed')
    for (const key of ['set', 'back']) drop(table, key)
    for (const key of ['set', 'back']) put(table, key, {})
    expect([await first.alive(), await second.alive()]).toEqual([3, 3])
    later.release()
    expect([await first.alive(), await second.alive()]).toEqual([3, 0])
    captured.release()
    expect([await first.alive(), await second.alive()]).toEqual([0, 0])
  })
})

describe('a capture from the middle of a call', () => {
  const setUp = () => {
    const calls = new CallLog()
    const table = new Table<number>(groups, { calls })
    for (const key of ['same', 'set', 'removed', 'back']) put(table, key, 1)
    calls.begin()
    put(table, 'set', 2)
    put(table, 'set', 3)
    put(table, 'new', 2)
    drop(table, 'removed')
    drop(table, 'back')
    put(table, 'back', 2)
    put(table, 'passing', 2)
    drop(table, 'passing')
    return { calls, table }
  }
  const before = { same: 1, set: 1, removed: 1, back: 1 }
  const after = { same: 1, set: 3, new: 2, back: 2 }

  test('holds the table as it was before the call, and the call goes on', () => {
    const { calls, table } = setUp()
    const captured = table.capture({ beforeCall: true })
    put(table, 'set', 4)
    put(table, 'same', 4)
    const again = table.capture({ beforeCall: true })
    drop(table, 'same')
    expect([captured.size, again.size, table.size]).toEqual([4, 4, 3])
    expect(read(captured)).toEqual(before)
    expect(read(again)).toEqual(before)
    captured.release()
    expect(read(again)).toEqual(before)
    again.release()
    calls.begin()
    expect(table.held).toEqual({ versions: 0, tombstones: 0 })
    expect(read(table.capture({ beforeCall: true }))).toEqual({ set: 4, new: 2, back: 2 })
  })

  test('is in the order of groups as any other', () => {
    const { table } = setUp()
    const order = [...table.capture({ beforeCall: true }).batches(10)].flat().map(([group]) => group)
    expect(order).toEqual([...order].sort((a, b) => a - b))
  })

  test('holds the table as it is if the call has changed nothing', () => {
    const { calls, table } = setUp()
    calls.begin()
    expect(read(table.capture({ beforeCall: true }))).toEqual(after)
  })

  test('without being asked for it holds the changes of the call', () => {
    const { table } = setUp()
    expect(read(table.capture())).toEqual(after)
  })

  test('costs the memory of what the call has changed, until the next call', async () => {
    const calls = new CallLog()
    const table = new Table<object>(groups, { calls })
    const values = watched()
    for (let key = 0; key < 100; key++) put(table, key, values.made())
    calls.begin()
    for (let key = 0; key < 100; key++) put(table, key, {})
    expect(await values.alive()).toBe(100)
    calls.begin()
    put(table, 0, {})
    expect(await values.alive()).toBe(0)
  })

  test('holds the table as it was before, also after one that holds the changes', () => {
    const { table } = setUp()
    const changed = table.capture()
    const captured = table.capture({ beforeCall: true })
    put(table, 'set', 4)
    expect(read(changed)).toEqual(after)
    expect(read(captured)).toEqual(before)
  })

  test('does not disturb what older captures hold', () => {
    const calls = new CallLog()
    const table = new Table<number>(groups, { calls })
    put(table, 'a', 1)
    const first = table.capture()
    calls.begin()
    put(table, 'a', 2)
    const second = table.capture()
    calls.begin()
    put(table, 'a', 3)
    const third = table.capture({ beforeCall: true })
    const fourth = table.capture()
    put(table, 'a', 4)
    expect([first, second, third, fourth].map(captured => read(captured).a)).toEqual([1, 2, 2, 3])
    second.release()
    expect([first, third, fourth].map(captured => read(captured).a)).toEqual([1, 2, 3])
  })
})

type Step =
  | { readonly kind: 'set'; readonly key: number; readonly value: number }
  | { readonly kind: 'remove'; readonly key: number }
  | { readonly kind: 'call' }
  | { readonly kind: 'capture'; readonly beforeCall: boolean }
  | { readonly kind: 'read'; readonly capture: number; readonly max: number }
  | { readonly kind: 'release'; readonly capture: number }
  | { readonly kind: 'store'; readonly capture: number; readonly asBase: boolean }

/** Alike to the eye, and more than one in a group. */
const pool: readonly Key[] = ['a', 'b', '1', 1, 1n, true, [1], ['1'], 2, 3, [2, [3]], 'c']

const steps = fc.array(
  fc.oneof<fc.WeightedArbitrary<Step>[]>(
    {
      weight: 8,
      arbitrary: fc.record({ kind: fc.constant('set' as const), key: fc.nat(pool.length - 1), value: fc.nat(99) }),
    },
    { weight: 5, arbitrary: fc.record({ kind: fc.constant('remove' as const), key: fc.nat(pool.length - 1) }) },
    { weight: 3, arbitrary: fc.constant<Step>({ kind: 'call' }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('capture' as const), beforeCall: fc.boolean() }) },
    { weight: 4, arbitrary: fc.record({ kind: fc.constant('read' as const), capture: fc.nat(5), max: fc.nat(5) }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('release' as const), capture: fc.nat(5) }) },
    {
      weight: 3,
      arbitrary: fc.record({
        kind: fc.constant('store' as const),
        capture: fc.nat(3),
        asBase: fc.nat(9).map(n => n > 0),
      }),
    },
  ),
  { minLength: 1, maxLength: 80, size: 'max' },
)

interface Reading {
  readonly captured: CapturedTable<number>
  readonly batches: Iterator<CapturedEntries<number>>
  readonly expected: ReadonlyMap<Key, number>
  readonly read: (readonly [group: number, key: Key, value: number])[]
  /** What the capture held that was stored last when this one was made. */
  readonly base: ReadonlyMap<Key, number> | undefined
  readonly number: number
}

/** The base with what the capture has beyond it. */
const onBase = ({ captured, base }: Reading): ReadonlyMap<unknown, number> => {
  const all = new Map([...(base ?? [])].map(([key, value]) => [identity(key), value]))
  const beyond = [...captured.changes(3)].flat()
  for (const [group, key, value] of beyond) {
    expect(group).toBe(groupOf(key, groups))
    if (value === ABSENT) all.delete(identity(key))
  }
  const set = beyond.flatMap(([, key, value]) => (value === ABSENT ? [] : [[identity(key), value] as const]))
  expect(new Set(set.map(([key]) => key)).size).toBe(set.length)
  for (const [key, value] of set) all.set(key, value)
  return all
}

/** Runs the steps on a table, and on a plain Map that is copied at each capture and call. */
const simulate = (steps: readonly Step[], { withCalls }: { readonly withCalls: boolean }) => {
  const calls = new CallLog()
  const table = new Table<number>(groups, { incremental: true, ...(withCalls ? { calls } : {}) })
  let captures = 0
  let stored: Reading | undefined
  const model = new Map<Key, number>()
  let beforeCall: ReadonlyMap<Key, number> = new Map()
  const open: Reading[] = []

  const readOn = (reading: Reading, max: number) => {
    const { batches, read, expected } = reading
    for (let i = 0; i < max; i++) {
      const next = batches.next()
      if (next.done !== true) read.push(...next.value)
      else {
        expect(new Map(read.map(([, key, value]) => [identity(key), value]))).toEqual(identified(expected))
        expect(read).toHaveLength(expected.size)
        if (reading.captured.hasBase) expect(onBase(reading)).toEqual(identified(expected))
        const inOrder = read.map(([group]) => group)
        expect(inOrder).toEqual([...inOrder].sort((a, b) => a - b))
        for (const [group, key] of read) expect(group).toBe(groupOf(key, groups))
        return
      }
    }
  }

  const release = (at: number) => {
    open[at]?.captured.release()
    open.splice(at, 1)
  }

  for (const step of steps) {
    switch (step.kind) {
      case 'set':
        put(table, pool[step.key] as Key, step.value)
        model.set(pool[step.key] as Key, step.value)
        break
      case 'remove':
        drop(table, pool[step.key] as Key)
        model.delete(pool[step.key] as Key)
        break
      case 'call':
        calls.begin()
        beforeCall = new Map(model)
        break
      case 'capture': {
        const captured = table.capture({ beforeCall: step.beforeCall })
        const expected = new Map(step.beforeCall && withCalls ? beforeCall : model)
        expect(captured.size).toBe(expected.size)
        const batches = captured.batches(1 + (captures % 4))[Symbol.iterator]()
        open.push({ captured, expected, batches, read: [], base: stored?.expected, number: captures++ })
        break
      }
      case 'read': {
        const reading = open[step.capture]
        if (reading !== undefined) readOn(reading, step.max)
        break
      }
      case 'release':
        release(step.capture)
        break
      case 'store': {
        const reading = open[step.capture]
        if (reading === undefined || reading.number < (stored?.number ?? 0)) break
        reading.captured.stored(step)
        if (step.asBase) stored = reading
        break
      }
    }
    expect(table.size).toBe(model.size)
    expect(table.held.versions).toBeLessThanOrEqual(open.length * 3 * pool.length)
    if (open.length === 0) expect(table.held).toEqual({ versions: 0, tombstones: 0 })
  }
  for (const reading of open) readOn(reading, Number.POSITIVE_INFINITY)
  while (open.length > 0) release(0)
  expect(table.held).toEqual({ versions: 0, tombstones: 0 })
  for (const key of pool) expect(found(table, key)).toBe(model.get(key))
  expect([...table.values()]).toHaveLength(model.size)
}

const identified = (of: ReadonlyMap<Key, number>) => new Map([...of].map(([key, value]) => [identity(key), value]))

const identity = (key: Key) => (typeof key === 'object' ? `tuple ${JSON.stringify(key)}` : key)

describe('whatever happens in whatever order, captures hold what a copy would hold (a failure prints its seed)', () => {
  test('with a log of calls', () => {
    fc.assert(
      fc.property(steps, steps => simulate(steps, { withCalls: true })),
      { numRuns: 2_000 },
    )
  })

  test('without one', () => {
    fc.assert(
      fc.property(steps, steps => simulate(steps, { withCalls: false })),
      { numRuns: 1_000 },
    )
  })
})
