import { expect, test } from 'vitest'
import { BufferBudget } from '../../lib/channel/budget.ts'
import { Channel } from '../../lib/channel/channel.ts'
import { Writer } from '../../lib/channel/writer.ts'
import { buffer } from '../../lib/element.ts'
import { type RunOptions, SpillwayError, stream } from '../../lib/index.ts'
import { overdraftBuffers } from '../../lib/runtime/bufferBound.ts'
import { collect, fromArray, into, map, rebalance } from '../../operators/index.ts'
import { run } from '../run.ts'

const job = (options: RunOptions, sunk = collect<number>()) =>
  run(
    stream(fromArray(Array.from({ length: 500 }, (_, n) => n))).pipe(
      rebalance(),
      map(n => n),
      rebalance(),
      into(sunk),
    ),
    options,
  )

test('the bound of buffers and records counts pools, overdraft, what is being filled and what is captured', async () => {
  const running = job({ parallelism: 2, channels: { buffersMax: 3, bufferRecordsMax: 10, overdraftBuffersMax: 1 } })
  // Two exchanges of two writers with two channels each.
  const pooled = 2 * 2 * 2 * 3
  const overdraft = 2 * 2 * (1 + 2 * 2 + 64)
  expect(running.buffers).toEqual({
    guaranteed: 4 * 3,
    pooled,
    overdraft,
    filling: 8,
    restored: 0,
    captured: pooled + overdraft,
    buffersMax: 2 * (pooled + overdraft) + 8,
    recordsMax: 10 * (2 * (pooled + overdraft) + 8),
  })
  await running.done
})

test('a budget below what the writers need is refused before anything runs, with both figures', () => {
  const refused = () => job({ parallelism: 2, channels: { buffersMax: 3, budgetBuffers: 11 } })
  expect(refused).toThrow(SpillwayError)
  expect(refused).toThrow(/need 12 buffers .* has 11.*BUDGET_TOO_SMALL/)
})

test.each([12, 13, 17])(
  'a job with a budget of %i buffers, of which its writers need 12, comes to its end',
  async budgetBuffers => {
    const sunk = collect<number>()
    const running = job(
      { parallelism: 2, checks: true, channels: { buffersMax: 3, bufferRecordsMax: 2, budgetBuffers } },
      sunk,
    )
    expect(running.buffers.pooled).toBe(budgetBuffers)
    await running.done
    expect(sunk.records.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 500 }, (_, n) => n))
  },
)

test('a batch that finishes buffers, and the flush of what it has begun beside them, fit into the overdraft', () => {
  const count = 400
  const ids = Array.from({ length: count }, (_, id) => id)
  const channels = ids.map(() => new Channel<number>())
  const settings = {
    buffersMax: 1,
    bufferRecordsMax: count,
    flushMs: 100,
    budgetBuffers: undefined,
    debloat: undefined,
  }
  const overdraftMax = overdraftBuffers(count, { ...settings, overdraftBuffersMax: 0 })
  const pool = new BufferBudget({ buffersMax: 1, guaranteed: 1 }).pool({
    ...{ guaranteed: 1, max: 1, perChannelMax: 1 },
    overdraftMax,
    onAvailable: () => {},
  })
  const dealing = { kind: 'keyed', channelOf: ids } as const
  const writer = new Writer(channels, { name: 'map/0', bufferRecordsMax: count, pool, dealing })
  const send = (groups: readonly number[]) => writer.next(buffer([...groups], { groups: Uint16Array.from(groups) }))
  const [nearlyFull, begun] = [ids.slice(0, count / 2), ids.slice(count / 2)]
  for (const id of nearlyFull) send(new Array(count - 1).fill(id))
  send(begun)
  expect([pool.held, pool.available]).toEqual([0, true])
  send([...nearlyFull, ...nearlyFull])
  expect(pool.held).toBe(nearlyFull.length)
  writer.flush()
  expect(pool.held).toBe(nearlyFull.length + count)
})
