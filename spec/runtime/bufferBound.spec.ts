import { expect, test } from 'vitest'
import { type RunOptions, run, SpillwayError, stream } from '../../lib/index.ts'
import { collect, fromArray, into, map, rebalance } from '../../operators/index.ts'

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
  const overdraft = 2 * 2 * (1 + 3 + 64)
  expect(running.buffers).toEqual({
    pooled,
    overdraft,
    filling: 8,
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
