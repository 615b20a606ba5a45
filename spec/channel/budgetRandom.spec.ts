import { expect, test } from 'vitest'
import { BufferBudget, type BufferPool } from '../../lib/channel/budget.ts'
import { type Random, seeded } from '../../lib/testing/simulation/random.ts'

const firstSeed = Math.floor(Math.random() * 1e9)

test('pools keep what they promise through any requests and releases', () => {
  let served = 0
  for (let seed = firstSeed; seed < firstSeed + 100; seed++) {
    try {
      served += played(seeded(seed))
    } catch (error) {
      throw new Error(`seed ${seed}`, { cause: error })
    }
  }
  expect(served).toBeGreaterThan(50)
})

/** A pool beside what is known of it without it: what its channels hold. */
interface Watched {
  readonly pool: BufferPool
  readonly max: number
  readonly perChannelMax: number
  readonly overdraftMax: number
  readonly held: number[]
  told: number
  /** Times that it has become available. */
  became: number
}

/** How often a pool was served by another's release. */
function played(random: Random): number {
  const drawn = random.below(4)
  const shapes = Array.from({ length: 2 + random.below(3) }, () => {
    const guaranteed = 1 + random.below(2)
    return { guaranteed, max: guaranteed + 1 + random.below(4), overdraftMax: random.below(3) }
  })
  const guaranteed = shapes.reduce((sum, shape) => sum + shape.guaranteed, 0)
  const budget = new BufferBudget({ buffersMax: guaranteed + drawn, guaranteed })
  // Without a limit of channels, whether a pool waits can be seen from outside, and so in which order.
  const perChannelMax = random.chance(0.5) ? Number.POSITIVE_INFINITY : 1 + random.below(3)
  const pools = shapes.map(shape => {
    const watched: Watched = {
      pool: budget.pool({ ...shape, perChannelMax, onAvailable: () => watched.told++ }),
      ...shape,
      perChannelMax,
      held: [0, 0, 0],
      told: 0,
      became: 0,
    }
    return watched
  })
  let waiting: readonly Watched[] = []
  let served = 0
  const step = (actor: Watched, change: () => void) => {
    const before = pools.map(({ pool }) => ({ available: pool.available, ordinary: pool.held - pool.overdraft }))
    change()
    for (const [i, watched] of pools.entries()) {
      const { pool } = watched
      const was = before[i]!
      if (pool.available && !was.available) watched.became++
      const isServed = watched !== actor && (pool.available !== was.available || ordinaryOf(pool) !== was.ordinary)
      if (isServed) served++
      if (isServed && perChannelMax === Number.POSITIVE_INFINITY) {
        expect(pools.indexOf(watched)).toBe(pools.indexOf(waiting[0]!))
        waiting = waiting.slice(1)
      }
    }
    const wanting = pools.filter(isWanting)
    waiting = [...waiting.filter(isWanting), ...wanting.filter(watched => !waiting.includes(watched))]
    for (const watched of pools) kept(watched, budget)
    const ordinary = pools.reduce((sum, { pool }) => sum + ordinaryOf(pool), 0)
    expect(ordinary + budget.free).toBeLessThanOrEqual(guaranteed + drawn)
    expect(budget.free).toBeGreaterThanOrEqual(0)
  }

  for (let i = 0; i < 60; i++) {
    const watched = random.pick(pools)
    const channel = random.below(3)
    const channelHeld = watched.held[channel]!
    if (random.chance(0.6)) step(watched, () => request(watched, channel))
    else if (channelHeld > 0) step(watched, () => release(watched, channel))
  }
  for (const watched of pools) {
    for (const channel of watched.held.keys()) {
      while (watched.held[channel]! > 0) step(watched, () => release(watched, channel))
    }
  }
  expect(budget.free).toBe(drawn)
  expect(pools.map(({ pool }) => pool.available)).toEqual(pools.map(() => true))
  return served
}

function request({ pool, held, overdraftMax }: Watched, channel: number): void {
  const { available, overdraft } = pool
  const isGranted = pool.request(held[channel]!)
  if (available) expect(isGranted).toBe(true)
  if (!isGranted) expect(overdraft).toBe(overdraftMax)
  if (isGranted) held[channel]!++
}

function release({ pool, held }: Watched, channel: number): void {
  pool.release(held[channel]!)
  held[channel]!--
}

/** What holds of a pool at any time. */
function kept({ pool, max, perChannelMax, overdraftMax, held, told, became }: Watched, budget: BufferBudget): void {
  const sum = held.reduce((a, b) => a + b)
  const isAtLimit = held.some(count => count >= perChannelMax)
  expect(pool.held).toBe(sum)
  expect(pool.overdraft).toBeLessThanOrEqual(overdraftMax)
  expect(ordinaryOf(pool)).toBeLessThanOrEqual(max)
  if (isAtLimit || pool.overdraft > 0) expect(pool.available).toBe(false)
  // No buffer lies unused while a pool could go on with it.
  if (budget.free > 0 && !isAtLimit && sum < max) expect(pool.available).toBe(true)
  expect(told).toBe(became)
}

const ordinaryOf = (pool: BufferPool): number => pool.held - pool.overdraft

const isWanting = ({ pool, max }: Watched): boolean => !pool.available && ordinaryOf(pool) < max
