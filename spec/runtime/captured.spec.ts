import { memoryStore, type Sink, stream } from 'spillway'
import { flatMap, fromArray, into, map, rebalance, rescale, union } from 'spillway/operators'
import { expect, test } from 'vitest'
import { CaptureBudget } from '../../lib/channel/captureBudget.ts'
import { channelForms } from './channelForms.ts'
import { nothingPublished, runThrottled } from './throttled.ts'

const numbers = (count: number) => Array.from({ length: count }, (_, n) => n)

test('snapshots hold what they have captured until they are released, once', () => {
  const budget = new CaptureBudget(5)
  const [one, other] = [budget.hold(), budget.hold()]
  one.add(3)
  other.add(2)
  expect([budget.held, one.refused, other.refused]).toEqual([5, false, false])
  one.release()
  one.release()
  expect(budget.held).toBe(2)
})

test('a snapshot that captures more than is left holds nothing, and takes nothing more', () => {
  const budget = new CaptureBudget(5)
  const [one, other] = [budget.hold(), budget.hold()]
  one.add(3)
  other.add(2)
  other.add(1)
  expect([other.refused, budget.held]).toEqual([true, 3])
  other.add(1)
  other.release()
  expect([one.refused, budget.held]).toEqual([false, 3])
})

/**
 * Behind an aligned-only exchange the barrier comes after all that is before it, 200 results a record; the other input's comes
 * at once, and what arrives between the two is captured.
 */
const behindAnAlignedInput = (sink: Sink<number>) =>
  union(
    stream(fromArray(numbers(60))).pipe(
      rescale({ alignedOnly: true }),
      flatMap(n => numbers(200).map(i => 200 * n + i)),
      rebalance(),
    ),
    stream(fromArray(numbers(2_000), { name: 'others' })).pipe(rebalance()),
  ).pipe(
    map(n => n),
    into(sink),
  )

test.each(channelForms)(
  'an unaligned checkpoint that captures more than snapshots may hold is declined, and the job goes on: $form',
  ({ channelIn }) => {
    const published = nothingPublished()
    const { outcome, checkpoints } = runThrottled(behindAnAlignedInput, {
      ...{ published, channelIn, checks: true, checkpointsAtMs: [500], store: memoryStore() },
      channels: { bufferRecordsMax: 2, buffersMax: 8 },
    })
    expect(checkpoints[0]?.outcome).toBe('failed')
    expect(checkpoints[0]?.reason).toMatch(/more is in flight than the 237 buffers that a job's snapshots may hold/)
    expect([outcome, published.records.length]).toEqual(['done', 60 * 200 + 2_000])
  },
)

test.each(channelForms)(
  'what is restored into channels that are smaller now is stated in the bound, twice, as it may be captured again: $form',
  ({ channelIn }) => {
    const [published, store] = [nothingPublished(), memoryStore()]
    const pipeline = (sink: Sink<number>) => stream(fromArray(numbers(3_000))).pipe(rebalance(), into(sink))
    const before = runThrottled(pipeline, {
      ...{ published, channelIn, store, checks: true, checkpointsAtMs: [100], killedAtMs: 800 },
      channels: { bufferRecordsMax: 50, buffersMax: 8 },
    })
    const inFlight = before.checkpoints[0]?.inFlightRecords ?? 0
    expect(inFlight).toBeGreaterThan(300)

    const after = runThrottled(pipeline, {
      ...{ published, channelIn, store, checks: true, checkpointsAtMs: [10] },
      channels: { bufferRecordsMax: 10, buffersMax: 2 },
    })
    const { pooled, overdraft, filling, restored, captured, buffersMax, recordsMax } = after.buffers
    expect(restored).toBeGreaterThan(pooled)
    expect(captured).toBe(pooled + overdraft + restored)
    expect(buffersMax).toBe(2 * (pooled + overdraft + restored) + filling)
    expect(recordsMax).toBe(10 * (buffersMax - 2 * restored) + 2 * inFlight)
    expect(after.checkpoints[0]?.inFlightRecords).toBeGreaterThan(10 * pooled)
    expect([after.outcome, published.records.length]).toEqual(['done', 3_000])
  },
)
