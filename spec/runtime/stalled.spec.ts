import * as t from 'io-ts'
import { EMPTY, Subject, VirtualTimeScheduler } from 'rxjs'
import { type Sink, stream } from 'spillway'
import { fromArray, into, rebalance } from 'spillway/operators'
import { expect, test } from 'vitest'
import { BufferBudget } from '../../lib/channel/budget.ts'
import { dump, stalled, type TaskStand } from '../../lib/runtime/stalled.ts'
import { runIn } from '../run.ts'

const [idle, ready] = [
  { id: 'source/0', hasWork: false },
  { id: 'map/0', hasWork: true },
]

test('a job in which no task could do anything, and no pool waits for what is there, is not stalled', () => {
  expect(stalled([idle], { hasGrantableWaiter: false })).toBe(undefined)
})

test('a job is stalled while a task could take an element, or the budget has what a pool waits for', () => {
  expect(stalled([idle, ready], { hasGrantableWaiter: false })).toBe('map/0 could take an element')
  expect(stalled([idle], { hasGrantableWaiter: true })).toBe('the budget has a buffer that a pool waits for')
})

test('no pool waits while the budget has a buffer', () => {
  const budget = new BufferBudget({ buffersMax: 3, guaranteed: 2 })
  const [one, other] = [1, 2].map(() =>
    budget.pool({ guaranteed: 1, max: 3, perChannelMax: 9, overdraftMax: 0, onAvailable: () => {} }),
  )
  for (let i = 0; i < 2; i++) one?.request(0)
  other?.request(0)
  expect([other?.stand.waits, budget.free, budget.hasGrantableWaiter]).toEqual([true, 0, false])
  one?.release(1)
  one?.release(1)
  expect([other?.stand.waits, budget.free, budget.hasGrantableWaiter]).toEqual([false, 0, false])
})

test('a dump says of each task what it has to take, where it may send it, and who waits for the budget', () => {
  const source: TaskStand = {
    ...{ task: 'source/0', state: 'running', hasWork: false, suspended: true, full: false, inputs: [], sinks: [] },
    outputs: [{ available: false, held: 8, size: 8, channelsAtLimit: 1, waits: true }],
  }
  const sink: TaskStand = {
    ...{ task: 'sink/0', state: 'running', hasWork: true, suspended: false, full: true, outputs: [], sinks: [true] },
    inputs: [
      { input: 0, from: 0, buffers: 8, head: 'buffer', blocked: true },
      { input: 0, from: 1, buffers: 0, head: undefined, blocked: false },
    ],
  }
  expect(dump([source, sink], { free: 3 }).split('\n')).toEqual([
    'budget: 3 free',
    'task source/0: running, suspended',
    '  output 0: 8 of 8 buffers held, 1 channels at their limit, waits for the budget',
    'task sink/0: running, has work, full',
    '  input 0 from 0: buffer next, 8 buffers, blocked',
    '  sink 0: available',
  ])
})

/** Takes nothing until `opened$` says so. */
const closed = (name: string, opened$: Subject<void>): Sink<number> => {
  let isOpen = false
  return {
    name,
    transaction: t.null,
    open: () => {
      const ready$ = new Subject<void>()
      opened$.subscribe(() => {
        isOpen = true
        ready$.next()
      })
      return {
        mayWrite: () => isOpen,
        ready$,
        write: () => {},
        cut: () => undefined,
        publish: () => EMPTY,
        recover: () => EMPTY,
        close() {},
      }
    },
  }
}

test('what one branch gives back to the budget goes to the writers that another, whose sink is full, has waiting', () => {
  const scheduler = new VirtualTimeScheduler()
  const [opened$, never$] = [new Subject<void>(), new Subject<void>()]
  const records = Array.from({ length: 100 }, (_, n) => n)
  const branch = (name: string, sink: Sink<number>) =>
    stream(fromArray(records, { name })).pipe(rebalance(), into(sink))
  const environment = {
    scheduler,
    clock: () => scheduler.now(),
    nextSlice: (slice: () => void) => void scheduler.schedule(slice),
    choose: () => 0,
    sliceTurnsMax: 4,
  }
  const job = runIn(
    environment,
    [branch('goesOn', closed('opened', opened$)), branch('waits', closed('full', never$))],
    {
      parallelism: 2,
      checks: true,
      channels: { buffersMax: 2, bufferRecordsMax: 1, budgetBuffers: 9 },
    },
  )
  const statuses: string[] = []
  job.status$.subscribe(status => statuses.push(status.kind === 'failed' ? String(status.error) : status.kind))
  job.done.catch(() => {})
  scheduler.flush()
  opened$.next()
  scheduler.flush()
  expect(statuses).toEqual(['running'])
})
