import { describe, expect, test } from 'vitest'
import type { Key } from '../../lib/element.ts'
import { groupOf } from '../../lib/state/keyGroups.ts'
import { ABSENT, CallLog, Table } from '../../lib/state/table.ts'

const groups = 8

const put = (table: Table<number>, key: Key, value: number) => table.set(table.entry(key, groupOf(key, groups)), value)

const drop = (table: Table<number>, key: Key) => {
  const entry = table.find(key)
  if (entry !== undefined) table.remove(entry)
}

describe('a table that notes what has changed since the stored capture', () => {
  const changed = new Table<number>(groups, { incremental: true })
  const captured = () => {
    const of = changed.capture()
    of.release()
    return of
  }
  const beyondBase = () => {
    const of = changed.capture()
    const all = of.hasBase ? [...of.changes(1_000)].flat() : undefined
    const removed = all?.filter(([, , value]) => value === ABSENT).length ?? 0
    const counts = all && { removed, set: all.length - removed }
    of.release()
    return counts
  }
  for (let i = 0; i < 10_000; i++) put(changed, i, 0)

  test('has nothing beyond a capture that is not stored', () => {
    captured()
    put(changed, 1, 1)
    expect(beyondBase()).toBeUndefined()
  })

  test('gives each change since one that is, however many captures have been lost since, and no key that came and went', () => {
    captured().stored({ asBase: true })
    put(changed, 1, 1)
    beyondBase()
    put(changed, 1, 2)
    put(changed, 2, 1)
    drop(changed, 3)
    put(changed, -1, 1)
    drop(changed, -1)
    expect(beyondBase()).toEqual({ removed: 1, set: 2 })
  })

  test('gives nothing once another one is stored', () => {
    captured().stored({ asBase: true })
    expect(beyondBase()).toEqual({ removed: 0, set: 0 })
  })

  test('gives no changes once it would have noted more than it has keys, up to the capture that is stored next', () => {
    const changeHalf = () => {
      for (let i = 0; i < 5_100; i++) put(changed, i + 4, 1)
      return beyondBase()
    }
    expect(changeHalf()).toEqual({ removed: 0, set: 5_100 })
    expect(changeHalf()).toBeUndefined()
    captured().stored({ asBase: true })
    put(changed, 1, 3)
    expect(beyondBase()).toEqual({ removed: 0, set: 1 })
    captured().stored({ asBase: false })
    expect(beyondBase()).toBeUndefined()
  })

  test('gives what a call under way has changed to the capture after it', () => {
    const calls = new CallLog()
    const table = new Table<number>(groups, { incremental: true, calls })
    put(table, 1, 0)
    table.capture().stored({ asBase: true })
    calls.begin()
    put(table, 1, 1)
    put(table, 2, 1)
    const [midst, after] = [table.capture({ beforeCall: true }), table.capture()]
    expect([...midst.changes(1)].flat().map(([, key, value]) => [key, value])).toEqual([[1, 0]])
    expect([...after.changes(1)].flat().map(([, key, value]) => [key, value])).toEqual([
      [1, 1],
      [2, 1],
    ])
  })
})
