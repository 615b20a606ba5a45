import { defer, EMPTY, NEVER, type Observable, throwError, timer, VirtualTimeScheduler } from 'rxjs'
import { SpillwayError } from 'spillway'
import { expect, test } from 'vitest'
import { retried } from '../../lib/runtime/retried.ts'

/** Tries in virtual time; `attempt` says what becomes of the nth, from 1. */
const tried = (
  attempt: (nth: number, scheduler: VirtualTimeScheduler) => Observable<unknown>,
  { seed = 1, timeoutMs = 60_000 } = {},
) => {
  const scheduler = new VirtualTimeScheduler()
  const attemptsAtMs: number[] = []
  const failures: string[] = []
  let outcome: unknown = 'none'
  let endedAtMs: number | undefined
  const each = defer(() => attempt(attemptsAtMs.push(scheduler.now()), scheduler))
  const onFailure = (error: unknown) => failures.push((error as Error).message)
  retried(each, { scheduler, timeoutMs, seed, place: 'into', onFailure }).subscribe({
    error: error => {
      outcome = error
      endedAtMs = scheduler.now()
    },
    complete: () => {
      outcome = 'published'
      endedAtMs = scheduler.now()
    },
  })
  scheduler.flush()
  return { attemptsAtMs, failures, outcome, endedAtMs, left: scheduler.actions.length }
}

const down = () => throwError(() => new Error('nobody answers'))

test('what succeeds is tried once, and leaves no timer', () => {
  expect(tried(() => EMPTY)).toEqual({
    attemptsAtMs: [0],
    failures: [],
    outcome: 'published',
    endedAtMs: 0,
    left: 0,
  })
})

test('it is tried again after pauses that double, up to 10 s, each longer or shorter by up to a fifth', () => {
  const { attemptsAtMs, failures, outcome } = tried(nth => (nth < 11 ? down() : EMPTY))
  const pausesMs = attemptsAtMs.slice(1).map((atMs, i) => atMs - (attemptsAtMs[i] as number))
  const meansMs = [100, 200, 400, 800, 1_600, 3_200, 6_400, 10_000, 10_000, 10_000]
  expect(pausesMs).toHaveLength(meansMs.length)
  for (const [i, meanMs] of meansMs.entries()) {
    expect(pausesMs[i]).toBeGreaterThanOrEqual(0.8 * meanMs)
    expect(pausesMs[i]).toBeLessThanOrEqual(Math.min(10_000, 1.2 * meanMs))
  }
  expect(outcome).toBe('published')
  expect(failures).toEqual(Array(10).fill('nobody answers'))
})

test('the same seed pauses as long, another one not', () => {
  const attempt = (nth: number) => (nth < 5 ? down() : EMPTY)
  expect(tried(attempt, { seed: 7 })).toEqual(tried(attempt, { seed: 7 }))
  expect(tried(attempt, { seed: 7 }).attemptsAtMs).not.toEqual(tried(attempt, { seed: 8 }).attemptsAtMs)
})

test.each<[string, (nth: number, scheduler: VirtualTimeScheduler) => Observable<unknown>, string]>([
  ['between two attempts', down, 'the last: nobody answers'],
  ['in the midst of the first attempt', () => NEVER, 'in 1 attempts; the last: it has not answered'],
  ['in the midst of a later one', (nth, scheduler) => (nth === 1 ? down() : timer(2_000, scheduler)), 'in 2 attempts'],
])('when the time is up it fails %s', (_, attempt, says) => {
  const { outcome, endedAtMs, left } = tried(attempt, { timeoutMs: 1_000 })
  expect(outcome).toMatchObject({ code: 'PUBLISH_FAILED', place: 'into', message: expect.stringContaining(says) })
  expect({ endedAtMs, left }).toEqual({ endedAtMs: 1_000, left: 0 })
})

test('what no other attempt can mend fails at once; PUBLISH_FAILED may pass', () => {
  const lost = new SpillwayError('TRANSACTION_LOST', { place: 'orders 7 to 9', problem: 'gone.', remedy: 'Find them.' })
  expect(tried(() => throwError(() => lost))).toMatchObject({ attemptsAtMs: [0], failures: [], outcome: lost })
  const failed = new SpillwayError('PUBLISH_FAILED', { place: 'a file', problem: 'busy.', remedy: 'Wait.' })
  expect(tried(nth => (nth === 1 ? throwError(() => failed) : EMPTY))).toMatchObject({ outcome: 'published' })
})

test('whoever unsubscribes is left with no timer, in an attempt and between two', () => {
  for (const attempt of [NEVER, down()]) {
    const scheduler = new VirtualTimeScheduler()
    const options = { scheduler, timeoutMs: 1_000, seed: 1, place: 'into', onFailure: () => {} }
    retried(attempt, options).subscribe().unsubscribe()
    scheduler.flush()
    expect(scheduler.now()).toBe(0)
  }
})
