import { expect, test } from 'vitest'
import { type HeldLine, heldLines, lineOf } from '../../lib/state/broadcastLines.ts'

const groups = 12
const indexes = (count: number) => Array.from({ length: count }, (_, i) => i)
const each = (check: (before: number, after: number) => void) => {
  for (const from of indexes(groups)) for (const to of indexes(groups)) check(from + 1, to + 1)
}
const linesOf = (parallelism: number) => indexes(parallelism).map(task => lineOf(task, { parallelism, groups }))
const held = (before: number, after: number) => heldLines(linesOf(before), { parallelism: after, groups })

/** `0[0,6)!`: the line of old task 0 for these groups; ! among them its first. */
const picture = ({ of, begin, end, isFirst }: HeldLine) => `${of}[${begin},${end})${isFirst ? '!' : ''}`
const pictures = (lines: readonly (readonly HeldLine[])[]) => lines.map(of => of.map(picture).join(' '))

test.each([
  [2, 3, ['0[0,4)!', '0[4,6) 1[6,8)!', '1[8,12)']],
  [3, 2, ['0[0,4)! 1[4,6)!', '1[6,8) 2[8,12)!']],
  [2, 2, ['0[0,6)!', '1[6,12)!']],
])('%d old tasks have these heirs among %d', (before, after, lines) => {
  expect(pictures(held(before, after))).toEqual(lines)
})

test('lines that are held are dealt once more', () => {
  const again = heldLines(held(2, 3).flat(), { parallelism: 4, groups })
  expect(pictures(again)).toEqual(['0[0,3)!', '0[3,4) 1[4,6)!', '2[6,8)! 3[8,9)!', '3[9,12)'])
})

test('of each line each key group is in one new task, its own, and its first in one', () => {
  each((before, after) => {
    const of = held(before, after)
    for (const old of indexes(before)) {
      const lines = of.flatMap(lines => lines.filter(line => line.of === old))
      const heired = lines.flatMap(({ begin, end }) => indexes(end - begin).map(i => begin + i))
      const owned = indexes(groups).filter(group => Math.floor((group * before) / groups) === old)
      expect(heired).toEqual(owned)
      expect(lines.filter(({ isFirst }) => isFirst)).toHaveLength(1)
    }
    expect(of.every(lines => lines.length > 0)).toBe(true)
  })
})

/** An operator as plain data: at the cut each old task has taken so many of the records 0 to 9. */
test('replayed by these lines, each record is applied to each key and emitted for each old task once, however skewed', () => {
  const records = 10
  each((before, after) => {
    for (const taken of [[0, records], [3, 7, 5], [9]]) {
      const takenBy = (old: number) => taken[old % taken.length] as number
      const applied = new Map<string, number>()
      const add = (what: string) => applied.set(what, (applied.get(what) ?? 0) + 1)
      for (const old of indexes(before)) {
        for (const record of indexes(takenBy(old))) {
          add(`${record} emitted for ${old}`)
          for (const group of indexes(groups)) {
            if (Math.floor((group * before) / groups) === old) add(`${record} in ${group}`)
          }
        }
      }
      for (const { of, begin, end, isFirst } of held(before, after).flat()) {
        for (let record = takenBy(of); record < records; record++) {
          if (isFirst) add(`${record} emitted for ${of}`)
          for (let group = begin; group < end; group++) add(`${record} in ${group}`)
        }
      }
      expect(applied.size).toBe(records * (before + groups))
      expect(new Set(applied.values())).toEqual(new Set([1]))
    }
  })
})
