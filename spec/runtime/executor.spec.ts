import { VirtualTimeScheduler } from 'rxjs'
import { beforeEach, expect, test } from 'vitest'
import { Executor, type Member } from '../../lib/runtime/executor.ts'

/** Everything that happens, in order. */
let log: string[]
let nowMs: number
let slices: (() => void)[]
let scheduler: VirtualTimeScheduler
let executor: Executor

interface Options {
  readonly sliceTurnsMax?: number
  readonly choose?: (ready: number) => number
}

const made = ({ sliceTurnsMax = 100, choose = () => 0 }: Options = {}): Executor =>
  new Executor({
    onIdle: () => {},
    clock: () => nowMs,
    nextSlice: slice => slices.push(slice),
    scheduler,
    sliceMs: 5,
    sliceTurnsMax,
    flushMs: 10,
    choose,
  })

beforeEach(() => {
  log = []
  nowMs = 0
  slices = []
  scheduler = new VirtualTimeScheduler()
  executor = made()
})

/** A task that has so many turns to do, of so many ms each, and does something in each. */
class Working implements Member {
  queued = false
  urgent = false
  turns: number
  /** Of its turns so many are to take barriers. */
  barriers = 0
  readonly #name: string
  readonly #turnMs: number
  readonly #act: () => void

  constructor(
    name: string,
    { turns = 1, turnMs = 2, act = () => {} }: { turns?: number; turnMs?: number; act?: () => void } = {},
  ) {
    this.#name = name
    this.turns = turns
    this.#turnMs = turnMs
    this.#act = act
  }

  get hasWork(): boolean {
    return this.turns > 0
  }

  get hasUrgentWork(): boolean {
    return this.barriers > 0
  }

  turn(): void {
    log.push(this.#name)
    this.turns--
    this.barriers--
    nowMs += this.#turnMs
    this.#act()
  }
}

const slice = () => {
  const next = slices.shift()
  if (next === undefined) throw new Error('no slice is scheduled')
  log.push('|')
  next()
}

const allSlices = (max = 1_000) => {
  for (let i = 0; i < max && slices.length > 0; i++) slice()
}

/** Without the last slice where that found nothing to do. */
const happened = () => log.join(' ').replace(/ \|$/, '')

const flushable = (name: string) => ({ flush: () => void log.push(`flush ${name}`) })

/** Encodes in so many pieces, of so many ms each. */
const background = (pieces: number, pieceMs: number, name = 'e') =>
  executor.background.schedule<number>(
    function (left) {
      log.push(name)
      nowMs += pieceMs
      if ((left as number) > 1) this.schedule((left as number) - 1)
    },
    0,
    pieces,
  )

test('with nothing to do no slice is scheduled', () => {
  expect(slices).toHaveLength(0)
  executor.wake(new Working('a'))
  expect(slices).toHaveLength(1)
  executor.wake(new Working('b'))
  expect(slices).toHaveLength(1)
  slice()
  expect([happened(), slices.length]).toEqual(['| a b', 0])
})

test('a slice ends after sliceMs, and the next goes on', () => {
  executor.wake(new Working('a', { turns: 4 }))
  allSlices()
  expect(happened()).toBe('| a a a | a')
})

test('under a clock that stands still a slice ends after sliceTurnsMax', () => {
  executor = made({ sliceTurnsMax: 2 })
  executor.wake(new Working('a', { turns: 3, turnMs: 0 }))
  allSlices()
  expect(happened()).toBe('| a a | a')
})

test('ready tasks take turns, the one that has waited longest first', () => {
  for (const name of 'abc') executor.wake(new Working(name, { turns: 2, turnMs: 0 }))
  allSlices()
  expect(happened()).toBe('| a b c a b c')
})

test('a task that is woken twice is ready once', () => {
  const a = new Working('a', { turns: 1 })
  executor.wake(a)
  executor.wake(a)
  allSlices()
  expect(happened()).toBe('| a')
  a.turns = 1
  executor.wake(a)
  allSlices()
  expect(happened()).toBe('| a | a')
})

test('a task that is woken in its own turn gets another', () => {
  const a: Working = new Working('a', { act: () => log.length < 4 && executor.wake(a) })
  executor.wake(a)
  allSlices()
  expect(happened()).toBe('| a a a')
})

test('which ready task is next is a choice', () => {
  executor = made({ choose: ready => ready - 1 })
  for (const name of 'abc') executor.wake(new Working(name))
  allSlices()
  expect(happened()).toBe('| c b a')
})

test('a task with a barrier to take comes first', () => {
  const b = new Working('b')
  executor.wake(new Working('a', { turns: 3, turnMs: 0, act: () => log.length === 2 && executor.wakeFirst(b) }))
  executor.wake(new Working('c', { turns: 2, turnMs: 0 }))
  allSlices()
  expect(happened()).toBe('| a b c a c a')
})

test('what is partly filled is flushed when there is nothing else to do', () => {
  executor.wake(new Working('a', { turns: 2 }))
  executor.flushLater(flushable('w'))
  executor.flushLater(flushable('v'))
  allSlices()
  expect(happened()).toBe('| a a flush w flush v')
})

test('a flush that makes work is followed by it', () => {
  executor.flushLater({ flush: () => executor.wake(new Working('a')) })
  allSlices()
  expect(happened()).toBe('| | a')
})

test('what is partly filled is flushed after flushMs at the latest, while there is work', () => {
  executor.wake(new Working('a', { turns: 9 }))
  executor.flushLater(flushable('w'))
  allSlices()
  expect(happened()).toBe('| a a a | a a a | flush w a a a')
})

test('what is flushed meanwhile and filled again waits anew', () => {
  const w = flushable('w')
  executor.wake(new Working('a', { turns: 12, act: () => nowMs === 14 && executor.flushLater(w) }))
  executor.flushLater(w)
  allSlices()
  expect(happened()).toBe('| a a a | a a a | flush w a a a | a a a | flush w')
})

test('a task with several barriers is first until it has taken them, however often it is told', () => {
  const b = new Working('b', { turns: 3 })
  b.barriers = 2
  executor.wake(new Working('a', { turns: 2 }))
  for (let i = 0; i < 5; i++) executor.wakeFirst(b)
  allSlices()
  expect(log.filter(line => line !== '|').join(' ')).toBe('b b a b a')
})

test('who waits longest is next, however many wait', () => {
  const names = Array.from({ length: 100 }, (_, i) => `t${i}`)
  for (const name of names) executor.wake(new Working(name, { turns: 2, turnMs: 0 }))
  allSlices()
  expect(log.filter(line => line !== '|')).toEqual([...names, ...names])
})

test('background work is done when no task is ready', () => {
  background(3, 1)
  allSlices()
  expect(happened()).toBe('| e e e')
})

test('background work gets its share while tasks have work, and no more', () => {
  executor.wake(new Working('a', { turns: 500, turnMs: 1 }))
  background(500, 1)
  for (let i = 0; i < 60; i++) slice()
  const count = (name: string) => log.filter(line => line === name).length
  const share = count('e') / (count('e') + count('a'))
  expect(count('a')).toBeGreaterThan(100)
  expect(share).toBeGreaterThan(0.21)
  expect(share).toBeLessThan(0.25)
})

test('a barrier comes before background work', () => {
  background(2, 1)
  executor.wakeFirst(new Working('a'))
  allSlices()
  expect(happened()).toBe('| a e e')
})

test('background work that has begun is finished before other work begins', () => {
  background(2, 1, 'e')
  background(2, 1, 'f')
  allSlices()
  expect(happened()).toBe('| e e f f')
})

test('background work that is unsubscribed is not done', () => {
  const first = background(3, 1, 'e')
  background(2, 1, 'f')
  executor.wake(new Working('a', { act: () => first.unsubscribe() }))
  first.unsubscribe()
  allSlices()
  expect(happened()).toBe('| f a f')
})

test('background work that is to come later comes on the job’s scheduler', () => {
  executor.background.schedule(() => log.push(`e at ${scheduler.now()}`), 30)
  expect(slices).toHaveLength(0)
  scheduler.flush()
  allSlices()
  expect(happened()).toBe('| e at 30')
  expect(executor.background.now()).toBe(30)
})

test('once stopped it does nothing more', () => {
  executor.wake(new Working('a', { turns: 3, act: () => executor.stop() }))
  executor.wake(new Working('b'))
  executor.flushLater(flushable('w'))
  background(2, 1)
  log.length = 0
  allSlices()
  executor.wake(new Working('c'))
  executor.wakeFirst(new Working('c'))
  executor.flushLater(flushable('w'))
  background(1, 1)
  expect(slices).toHaveLength(0)
  expect(log.filter(line => line !== '|' && line !== 'e')).toEqual(['a'])
})
