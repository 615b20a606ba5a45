import { expect, test } from 'vitest'
import { BufferBudget, type BufferPool } from '../../lib/channel/budget.ts'

const unlimited = Number.POSITIVE_INFINITY

const poolOf = (
  budget: BufferBudget,
  options: {
    guaranteed?: number
    max?: number
    perChannelMax?: number
    overdraftMax?: number
    onAvailable?: () => void
  },
): BufferPool =>
  budget.pool({
    guaranteed: options.guaranteed ?? 1,
    max: options.max ?? 10,
    perChannelMax: options.perChannelMax ?? unlimited,
    overdraftMax: options.overdraftMax ?? 0,
    onAvailable: options.onAvailable ?? (() => {}),
  })

/** Requests of channels that hold nothing yet. */
const requested = (of: BufferPool, count: number): number => {
  let granted = 0
  for (let i = 0; i < count; i++) if (of.request(0)) granted++
  return granted
}

test('a pool draws what it needs beyond its guarantee, and gives it back', () => {
  const budget = new BufferBudget({ buffersMax: 6, guaranteed: 2 })
  const one = poolOf(budget, { guaranteed: 1, max: 4 })
  poolOf(budget, { guaranteed: 1 })
  expect(requested(one, 4)).toBe(4)
  expect([one.available, budget.free]).toEqual([false, 1])
  for (let i = 0; i < 4; i++) one.release(1)
  expect([one.available, one.held, budget.free]).toEqual([true, 0, 4])
})

test('the guarantee of one pool cannot be drawn by another', () => {
  const budget = new BufferBudget({ buffersMax: 4, guaranteed: 3 })
  const [one, other] = [poolOf(budget, { guaranteed: 1 }), poolOf(budget, { guaranteed: 2 })]
  expect(requested(one, 5)).toBe(2)
  expect(requested(other, 5)).toBe(2)
})

test('overdraft is beyond what a pool has, and none of the budget', () => {
  const budget = new BufferBudget({ buffersMax: 3, guaranteed: 1 })
  const one = poolOf(budget, { guaranteed: 1, max: 2, overdraftMax: 2 })
  expect(requested(one, 5)).toBe(4)
  expect([one.overdraft, budget.free, one.available]).toEqual([2, 1, false])
})

test('pools that want a buffer get one in the order in which they began to want it', () => {
  const budget = new BufferBudget({ buffersMax: 4, guaranteed: 3 })
  const told: string[] = []
  const [first, second, third] = ['first', 'second', 'third'].map(name =>
    poolOf(budget, { guaranteed: 1, onAvailable: () => told.push(name) }),
  ) as [BufferPool, BufferPool, BufferPool]
  requested(first, 2)
  requested(third, 1)
  requested(second, 1)
  expect([third.available, second.available]).toEqual([false, false])
  first.release(1)
  expect(told).toEqual(['first'])
  first.release(1)
  expect([told, third.available, second.available]).toEqual([['first', 'third'], true, false])
})

test('a pool with a channel at its limit is not available, and is told when the channel is below it', () => {
  let told = 0
  const one = poolOf(new BufferBudget({ buffersMax: 9, guaranteed: 9 }), {
    guaranteed: 9,
    perChannelMax: 2,
    onAvailable: () => told++,
  })
  one.request(0)
  one.request(1)
  expect(one.available).toBe(false)
  one.request(2)
  one.release(3)
  expect([one.available, told]).toEqual([false, 0])
  one.release(2)
  expect([one.available, told]).toEqual([true, 1])
})

test('what a restore puts into the first pool leaves the guarantees of those that are made after it', () => {
  const budget = new BufferBudget({ buffersMax: 4, guaranteed: 3 })
  const first = poolOf(budget, { guaranteed: 1 })
  for (let held = 0; held < 4; held++) first.restore(held)
  expect([first.overdraft, budget.free]).toEqual([2, 0])
  const second = poolOf(budget, { guaranteed: 2 })
  expect([requested(second, 5), budget.free]).toEqual([2, 0])
})

test('pools are not promised more than is kept for them', () => {
  expect(() => new BufferBudget({ buffersMax: 2, guaranteed: 3 })).toThrow(/not below the guarantees, 3/)
  const budget = new BufferBudget({ buffersMax: 9, guaranteed: 3 })
  poolOf(budget, { guaranteed: 2 })
  expect(() => poolOf(budget, { guaranteed: 2 })).toThrow(/within the 3 kept/)
})

test('a pool is told once, also if an earlier listener has used it and let it go again by then', () => {
  const budget = new BufferBudget({ buffersMax: 2, guaranteed: 2 })
  let told = 0
  const second = poolOf(budget, { max: 1, onAvailable: () => told++ })
  const first = poolOf(budget, {
    max: 1,
    onAvailable: () => {
      second.release(1)
      second.request(0)
      second.release(1)
    },
  })
  first.request(0)
  second.request(0)
  first.release(1)
  expect([told, second.available]).toEqual([1, true])
})

test('a pool that becomes available inside its own listener is told again', () => {
  let told = 0
  const budget = new BufferBudget({ buffersMax: 1, guaranteed: 1 })
  const one = poolOf(budget, {
    onAvailable: () => {
      told++
      if (told > 1) return
      one.request(0)
      one.release(1)
    },
  })
  one.request(0)
  one.release(1)
  expect(told).toBe(2)
})

/** A writer with waiters, each of which wants to hold one buffer, and the other writer's waiters to give to. */
class Waiters {
  readonly pool: BufferPool
  served = 0
  holding = 0
  waiting = 0
  calls = 0
  other: Waiters | undefined
  readonly #onServed: (by: Waiters) => void

  constructor(budget: BufferBudget, onServed: (by: Waiters) => void) {
    this.pool = poolOf(budget, { guaranteed: 1, max: 2, onAvailable: () => this.#serve() })
    this.#onServed = onServed
  }

  wait(): void {
    this.waiting++
    if (this.pool.available) this.#serve()
  }

  release(): void {
    if (this.holding === 0) return
    this.holding--
    this.pool.release(1)
  }

  #serve(): void {
    this.calls++
    while (this.waiting > 0 && this.pool.available) {
      this.waiting--
      expect(this.pool.request(0)).toBe(true)
      this.holding++
      this.served++
      this.#onServed(this)
    }
  }
}

const listeners: Record<string, (by: Waiters) => void> = {
  'keep what they get': () => {},
  'release it at once': by => by.release(),
  'release what the other pool holds': by => by.other?.release(),
  'release both': by => {
    by.other?.release()
    by.release()
  },
  'make the other pool wait once more': by => {
    if (by.served === 1) by.other?.wait()
  },
}

const interleavings = (a: readonly (() => void)[], b: readonly (() => void)[]): (() => void)[][] => {
  const [firstOfA, ...restOfA] = a
  const [firstOfB, ...restOfB] = b
  if (firstOfA === undefined) return [[...b]]
  if (firstOfB === undefined) return [[...a]]
  return [
    ...interleavings(restOfA, b).map(rest => [firstOfA, ...rest]),
    ...interleavings(a, restOfB).map(rest => [firstOfB, ...rest]),
  ]
}

test.each(Object.entries(listeners))(
  'two pools with two waiters each, in any order: all are served, where listeners %s',
  (_, onServed) => {
    const places = Array.from({ length: 5 }, (_, i) => i)
    let orders = 0
    const script = (of: () => Waiters) => [
      () => of().wait(),
      () => of().wait(),
      () => of().release(),
      () => of().wait(),
      () => of().release(),
    ]
    let [one, other]: Waiters[] = []
    for (const order of interleavings(
      script(() => one as Waiters),
      script(() => other as Waiters),
    )) {
      orders++
      const budget = new BufferBudget({ buffersMax: 3, guaranteed: 2 })
      one = new Waiters(budget, onServed)
      other = new Waiters(budget, onServed)
      one.other = other
      other.other = one
      for (const step of order) {
        step()
        for (const waiters of [one, other]) {
          expect(waiters.pool.held).toBe(waiters.holding)
          // A waiter that could be served has been.
          expect(waiters.waiting > 0 && waiters.pool.available).toBe(false)
        }
        expect(budget.free).toBeGreaterThanOrEqual(0)
      }
      for (const _ of places) {
        one.release()
        other.release()
      }
      expect([one.waiting, other.waiting, one.holding, other.holding]).toEqual([0, 0, 0, 0])
      expect([budget.free, one.pool.available, other.pool.available]).toEqual([1, true, true])
    }
    expect(orders).toBe(252)
  },
)
