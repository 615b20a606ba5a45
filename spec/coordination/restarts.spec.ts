import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  exponentialDelay,
  failureRate,
  fixedDelay,
  initialRestarts,
  none,
  type RestartPolicy,
  restarts,
} from '../../lib/coordination/restarts.ts'

/** What follows failures at these times: the delay until the restart, or why there is none. */
const after = (policy: RestartPolicy, failedAtMs: readonly number[], seed = 1): readonly (number | string)[] => {
  let state = initialRestarts(policy, seed)
  return failedAtMs.map(nowMs => {
    const [next, effect] = restarts(state, { kind: 'failed' }, nowMs)
    state = next
    return effect.kind === 'restart' ? effect.delayMs : effect.reason
  })
}

const backoff = { initialMs: 100, maxMs: 1_000, multiplier: 2, jitterFraction: 0, resetAfterMs: 5_000 }
const twice = 'it has been started again 2 times'

test.each<[string, RestartPolicy, readonly number[], readonly (number | string)[]]>([
  ['none() restarts nothing', none(), [0], ['nothing is started again']],
  [
    'fixedDelay waits as long each time, and gives up after the last attempt however well it went between',
    fixedDelay({ delayMs: 50, attemptsMax: 2 }),
    [0, 1_000, 1_000_000],
    [50, 50, twice],
  ],
  [
    'exponentialDelay waits longer each time, up to the longest',
    exponentialDelay(backoff),
    [0, 200, 500, 1_000, 2_000, 4_000],
    [100, 200, 400, 800, 1_000, 1_000],
  ],
  [
    'what has run for resetAfterMs since its restart begins again, and just before it does not',
    exponentialDelay(backoff),
    [0, 5_099, 5_099 + 200 + 5_000],
    [100, 200, 100],
  ],
  [
    'failures before the restart that is due belong to it',
    exponentialDelay(backoff),
    [0, 1, 99, 100],
    [100, 99, 1, 200],
  ],
  [
    'exponentialDelay gives up after attemptsMax restarts without a reset',
    exponentialDelay({ ...backoff, attemptsMax: 2 }),
    [0, 100, 300],
    [100, 200, twice],
  ],
  [
    'a reset gives all attempts again',
    exponentialDelay({ ...backoff, attemptsMax: 2 }),
    [0, 100, 100 + 200 + 5_000, 10_000, 20_000],
    [100, 200, 100, 200, 100],
  ],
  [
    'failureRate bears so many failures within the interval, and one more is too many',
    failureRate({ failuresMax: 2, intervalMs: 1_000, delayMs: 10 }),
    [0, 500, 999],
    [10, 10, 'it has failed more than 2 times within 1000 ms'],
  ],
  [
    'failures that lie an interval back count no more',
    failureRate({ failuresMax: 2, intervalMs: 1_000, delayMs: 10 }),
    [0, 500, 1_000, 1_500, 2_500, 2_501],
    [10, 10, 10, 10, 10, 10],
  ],
])('%s', (_, policy, failedAtMs, expected) => {
  expect(after(policy, failedAtMs)).toEqual(expected)
})

test('jitter is from a seed, within its share, and never beyond the longest delay', () => {
  const policy = exponentialDelay({ ...backoff, jitterFraction: 0.5 })
  const failedAtMs = [0, 1_000, 2_000, 3_000, 4_000]
  fc.assert(
    fc.property(fc.integer(), seed => {
      const delays = after(policy, failedAtMs, seed)
      expect(after(policy, failedAtMs, seed)).toEqual(delays)
      for (const [i, meanMs] of [100, 200, 400, 800, 1_000].entries()) {
        expect(delays[i]).toBeGreaterThanOrEqual(meanMs * 0.5)
        expect(delays[i]).toBeLessThanOrEqual(Math.min(1_000, meanMs * 1.5))
      }
    }),
  )
  expect(after(policy, failedAtMs, 1)).not.toEqual(after(policy, failedAtMs, 2))
})

test('a rate remembers no more failures than it bears', () => {
  let state = initialRestarts(failureRate({ failuresMax: 3, intervalMs: 10, delayMs: 1 }), 1)
  for (let nowMs = 0; nowMs < 1_000; nowMs += 10) [state] = restarts(state, { kind: 'failed' }, nowMs)
  expect(state.failedAtMs).toEqual([970, 980, 990])
})

describe('what is out of range is refused, with its place', () => {
  test.each<[string, () => RestartPolicy]>([
    ['fixedDelay.delayMs', () => fixedDelay({ delayMs: -1, attemptsMax: 1 })],
    ['fixedDelay.attemptsMax', () => fixedDelay({ delayMs: 1, attemptsMax: 0 })],
    ['exponentialDelay.initialMs', () => exponentialDelay({ ...backoff, initialMs: 0 })],
    ['exponentialDelay.maxMs', () => exponentialDelay({ ...backoff, maxMs: 99 })],
    ['exponentialDelay.multiplier', () => exponentialDelay({ ...backoff, multiplier: 0.5 })],
    ['exponentialDelay.jitterFraction', () => exponentialDelay({ ...backoff, jitterFraction: 1.1 })],
    ['exponentialDelay.resetAfterMs', () => exponentialDelay({ ...backoff, resetAfterMs: Number.NaN })],
    ['exponentialDelay.attemptsMax', () => exponentialDelay({ ...backoff, attemptsMax: 1.5 })],
    ['failureRate.failuresMax', () => failureRate({ failuresMax: 0, intervalMs: 1, delayMs: 1 })],
    ['failureRate.intervalMs', () => failureRate({ failuresMax: 1, intervalMs: 0, delayMs: 1 })],
    ['failureRate.delayMs', () => failureRate({ failuresMax: 1, intervalMs: 1, delayMs: Number.POSITIVE_INFINITY })],
  ])('%s', (place, make) => {
    expect(make).toThrow(expect.objectContaining({ code: 'INVALID_OPTION', place }))
  })
})
