import { expect, test } from 'vitest'
import type { Exchange } from '../../lib/graph/exchange.ts'
import { joins } from '../../lib/graph/joins.ts'

const indexes = (count: number) => Array.from({ length: count }, (_, i) => i)

/** For each producer the consumers that it has a channel to. */
const joined = (exchange: Exchange, producers: number, consumers: number): readonly string[] =>
  indexes(producers).map(from =>
    indexes(consumers)
      .filter(to => joins(exchange, { from, to, producers, consumers }))
      .join(''),
  )

test.each<readonly [claim: string, producers: number, consumers: number, joined: readonly string[]]>([
  ['as many', 3, 3, ['0', '1', '2']],
  ['twice as many consumers', 2, 4, ['01', '23']],
  ['half as many consumers', 4, 2, ['0', '0', '1', '1']],
  // As Flink's VertexInputInfoComputationUtils has them.
  ['3 producers of 7 consumers', 3, 7, ['012', '34', '56']],
  ['7 producers of 3 consumers', 7, 3, ['0', '0', '1', '1', '2', '2', '2']],
  ['one consumer', 3, 1, ['0', '0', '0']],
  ['one producer', 1, 3, ['012']],
])('rescale joins neighbours: %s', (_, producers, consumers, expected) => {
  expect(joined('rescale', producers, consumers)).toEqual(expected)
})

test('rescale leaves nobody alone, joins one side by one channel each, in groups that differ by one at the most', () => {
  for (const producers of indexes(12).map(n => n + 1)) {
    for (const consumers of indexes(12).map(n => n + 1)) {
      const channels = indexes(producers).map(from =>
        indexes(consumers).map(to => joins('rescale', { from, to, producers, consumers })),
      )
      const to = channels.map(of => of.filter(Boolean).length)
      const from = indexes(consumers).map(consumer => channels.filter(of => of[consumer]).length)
      const [ones, groups] = producers < consumers ? [from, to] : [to, from]
      expect(ones.every(count => count === 1)).toBe(true)
      expect(Math.min(...groups)).toBeGreaterThan(0)
      expect(Math.max(...groups) - Math.min(...groups)).toBeLessThan(2)
    }
  }
})

test.each(['keyed', 'rebalance', 'broadcast', 'global', 'custom'] as const)('%s joins all with all', exchange => {
  expect(joined(exchange, 2, 3)).toEqual(['012', '012'])
})

test('forward joins a task with its like', () => {
  expect(joined('forward', 3, 3)).toEqual(['0', '1', '2'])
})
