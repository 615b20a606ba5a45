import { VirtualTimeScheduler } from 'rxjs'
import { expect, test } from 'vitest'
import { inPieces } from '../../lib/control/inPieces.ts'

/** `done` after steps of 400 kB. */
const work = (steps: number, taken: number[]) =>
  function* (): Generator<number, string> {
    for (let step = 1; step <= steps; step++) {
      taken.push(step)
      yield 400_000
    }
    return 'done'
  }

const observed = (steps: number) => {
  const [taken, heard]: [number[], unknown[]] = [[], []]
  const scheduler = new VirtualTimeScheduler()
  const working = inPieces(work(steps, taken), scheduler).subscribe({
    next: result => heard.push(result),
    error: error => heard.push(error),
    complete: () => heard.push('complete'),
  })
  /** What has been taken, and heard, after each action. */
  const next = () => {
    const action = scheduler.actions.shift()
    action?.execute(action.state, action.delay)
    return [taken.length, ...heard]
  }
  return { working, begun: [taken.length, ...heard], next }
}

test('what is small is there at once, what is large a megabyte an action', () => {
  expect(observed(2).begun).toEqual([2, 'done', 'complete'])
  const { begun, next } = observed(8)
  expect([begun, next(), next(), next()]).toEqual([[3], [6], [8, 'done', 'complete'], [8, 'done', 'complete']])
})

test('unsubscribed, it goes no further', () => {
  const { working, next } = observed(100)
  expect(next()).toEqual([6])
  working.unsubscribe()
  expect([next(), next()]).toEqual([[6], [6]])
})

test('what a step throws is the error', () => {
  const heard: unknown[] = []
  const failing = function* (): Generator<number, never> {
    yield 2_000_000
    throw new Error('a step')
  }
  const scheduler = new VirtualTimeScheduler()
  inPieces(failing, scheduler).subscribe({ error: error => heard.push(error) })
  scheduler.flush()
  expect(heard).toEqual([new Error('a step')])
})
