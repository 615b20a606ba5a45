import * as t from 'io-ts'
import { buffer, end, keyedOperator } from 'spillway'
import { harness, operatorLaws } from 'spillway/testing'
import { expect, test } from 'vitest'
import { OperatorState } from '../../lib/state/operatorState.ts'

type Change = readonly [card: string, shop: string, euros: number]

/** Shows the whole map, one result an entry, and changes it meanwhile; nothing spent takes the shop away, -1 all of them. */
const spent = () =>
  keyedOperator<Change, string, string>('spent', ({ state }) => {
    const shops = state.map('shops', { key: t.string, value: t.number })
    return {
      *record([card, shop, euros]) {
        if (euros === -1) shops.clear()
        else if (euros === 0) shops.delete(shop)
        else shops.update(shop, (before = 0) => before + euros)
        for (const [name, total] of shops.entries()) {
          shops.set(name, total + 1)
          yield `${card} ${name} ${total} of ${shops.size}`
        }
      },
    }
  })
const keyBy = ([card]: Change) => card
const changes: readonly Change[] = [
  ['ann', 'z', 1],
  ['bob', 'a', 5],
  ['ann', 'a', 2],
  ['ann', 'm', 3],
  ['ann', 'z', 4],
  ['ann', 'a', 0],
  ['bob', 'a', -1],
  ['ann', 'a', 7],
  ['bob', 'b', 6],
]

for (const law of operatorLaws('maps', spent, [buffer(changes), end], { keyBy, keyOf: shown => shown.split(' ')[0] }))
  test(law.title, law.check)

test('entries come in the order in which their keys were first set, also after a restore', () => {
  const h = harness(spent(), { keyBy })
  for (const change of changes.slice(0, 8)) h.push(change)
  expect(h.take().slice(-3)).toEqual(['ann z 10 of 3', 'ann m 6 of 3', 'ann a 7 of 3'])
  h.barrier(1)
  const restored = harness(spent(), { keyBy, restored: h.snapshot() })
  restored.push(['ann', 'b', 1])
  expect(restored.output).toEqual(['ann z 11 of 4', 'ann m 7 of 4', 'ann a 8 of 4', 'ann b 1 of 4'])
})

test('changing one entry of a large map changes one entry of the table, and keys that look alike are two', () => {
  const state = new OperatorState('of', 4)
  const maps = state.map('m', { key: t.any, value: t.number })
  const one = maps.of('k', 1)
  for (const key of [1, '1', 1n, [1], "('1", ['1'], true]) maps.set(one, key, 0)
  expect(one.entries.size).toBe(7)
  for (let n = 0; n < 10_000; n++) maps.set(one, `n${n}`, n)
  const captured = state.capture()
  maps.set(maps.of('k', 1), 'n5', -5)
  expect(state.tableNamed('(map) m')?.held.versions).toBe(1)
  captured?.tables[0]?.captured.release()
  maps.clear(one)
  expect([state.tableNamed('(map) m')?.size, maps.of('k', 1).entries.size]).toEqual([0, 0])
})
