import { expect, test } from 'vitest'
import { type BroadcastLine, broadcastLines } from '../../lib/state/broadcastLines.ts'

const groups = 12
const indexes = (count: number) => Array.from({ length: count }, (_, i) => i)
const each = (check: (oldParallelism: number, newParallelism: number) => void) => {
  for (const from of indexes(groups)) for (const to of indexes(groups)) check(from + 1, to + 1)
}

/** `0[0,6)!`: the line of old task 0 for these groups; ! it emits. */
const picture = ({ of, groups: { begin, end }, emits }: BroadcastLine) => `${of}[${begin},${end})${emits ? '!' : ''}`
const pictures = (oldParallelism: number, newParallelism: number) =>
  broadcastLines('keysAndResults', { oldParallelism, newParallelism, groups }).map(lines =>
    lines.map(picture).join(' '),
  )

test.each([
  [2, 3, ['0[0,4)!', '0[4,6) 1[6,8)!', '1[8,12)']],
  [3, 2, ['0[0,4)! 1[4,6)!', '1[6,8) 2[8,12)!']],
  [2, 2, ['0[0,6)!', '1[6,12)!']],
])('what emits or touches keys: %d old tasks have these heirs among %d', (oldParallelism, newParallelism, lines) => {
  expect(pictures(oldParallelism, newParallelism)).toEqual(lines)
})

test('of each line each key group is in one new task, its own, and the line emits in one', () => {
  each((oldParallelism, newParallelism) => {
    const of = broadcastLines('keysAndResults', { oldParallelism, newParallelism, groups })
    for (const old of indexes(oldParallelism)) {
      const lines = of.flatMap(lines => lines.filter(line => line.of === old))
      const heired = lines.flatMap(({ groups: { begin, end } }) => indexes(end - begin).map(i => begin + i))
      const owned = indexes(groups).filter(group => Math.floor((group * oldParallelism) / groups) === old)
      expect(heired).toEqual(owned)
      expect(lines.filter(({ emits }) => emits)).toHaveLength(1)
    }
    expect(of.every(lines => lines.length > 0)).toBe(true)
  })
})

test('what changes broadcast state alone goes on with one line everywhere', () => {
  each((oldParallelism, newParallelism) => {
    const of = broadcastLines('broadcastState', { oldParallelism, newParallelism, groups })
    const isSame = oldParallelism === newParallelism
    expect(of.map(lines => lines.map(line => line.of))).toEqual(indexes(newParallelism).map(i => [isSame ? i : 0]))
    expect(of.flat().some(({ emits }) => emits)).toBe(false)
  })
})

/** An operator as plain data: at the cut each old task has taken so many of the records 0 to 9. */
test('replayed by these lines, each record is applied to each key and emitted for each old task once, however skewed', () => {
  const records = 10
  each((oldParallelism, newParallelism) => {
    for (const taken of [[0, records], [3, 7, 5], [9]]) {
      const takenBy = (old: number) => taken[old % taken.length] as number
      const applied = new Map<string, number>()
      const add = (what: string) => applied.set(what, (applied.get(what) ?? 0) + 1)
      for (const old of indexes(oldParallelism)) {
        for (const record of indexes(takenBy(old))) {
          add(`${record} emitted for ${old}`)
          for (const group of indexes(groups)) {
            if (Math.floor((group * oldParallelism) / groups) === old) add(`${record} in ${group}`)
          }
        }
      }
      for (const { of, groups: owned, emits } of broadcastLines('keysAndResults', {
        ...{ oldParallelism, newParallelism, groups },
      }).flat()) {
        for (let record = takenBy(of); record < records; record++) {
          if (emits) add(`${record} emitted for ${of}`)
          for (let group = owned.begin; group < owned.end; group++) add(`${record} in ${group}`)
        }
      }
      expect(applied.size).toBe(records * (oldParallelism + groups))
      expect(new Set(applied.values())).toEqual(new Set([1]))
    }
  })
})
