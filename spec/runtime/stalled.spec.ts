import * as t from 'io-ts'
import { EMPTY, Subject, VirtualTimeScheduler } from 'rxjs'
import { type Pipeline, type RunOptions, type Sink, stream } from 'spillway'
import { fromArray, into, rebalance } from 'spillway/operators'
import { afterEach, describe, expect, test, vi } from 'vitest'
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

/** Takes nothing until `opened$` says so; a defective one does not tell its task then. */
const closed = (name: string, opened$: Subject<void>, { tells = true } = {}): Sink<number> => {
  let isOpen = false
  return {
    name,
    transaction: t.null,
    open: () => {
      const ready$ = new Subject<void>()
      opened$.subscribe(() => {
        isOpen = true
        if (tells) ready$.next()
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

const branch = (name: string, sink: Sink<number>) =>
  stream(
    fromArray(
      Array.from({ length: 100 }, (_, n) => n),
      { name },
    ),
  ).pipe(rebalance(), into(sink))

/** Runs until all sinks are full, acts, and runs until there is nothing to do; gives what the job has been. */
const statuses = (
  branches: readonly Pipeline[],
  { act, ...options }: RunOptions & { readonly act: () => void },
): readonly string[] => {
  const scheduler = new VirtualTimeScheduler()
  const environment = {
    scheduler,
    clock: () => scheduler.now(),
    nextSlice: (slice: () => void) => void scheduler.schedule(slice),
    choose: () => 0,
    sliceTurnsMax: 4,
  }
  const job = runIn(environment, branches, options)
  const seen: string[] = []
  job.status$.subscribe(status => seen.push(status.kind === 'failed' ? String(status.error) : status.kind))
  job.done.catch(() => {})
  scheduler.flush()
  act()
  scheduler.flush()
  return seen
}

test('what one branch gives back to the budget goes to the writers that another, whose sink is full, has waiting', () => {
  const [opened$, never$] = [new Subject<void>(), new Subject<void>()]
  expect(
    statuses([branch('goesOn', closed('opened', opened$)), branch('waits', closed('full', never$))], {
      act: () => opened$.next(),
      parallelism: 2,
      channels: { buffersMax: 2, bufferRecordsMax: 1, budgetBuffers: 9 },
    }),
  ).toEqual(['running'])
})

describe('a job that is stalled fails, and says why, where each task stands, and which pools wait for the budget', () => {
  afterEach(() => {
    vi.restoreAllMocks()
  })
  const claim = 'Error: Spillway has a bug: it does not hold that an idle job waits for the world outside.'
  const ended = (source: string, sink: string) => [
    ...[0, 1].flatMap(index => [
      `task ${source}/${index}: ended`,
      '  output 0: 0 of 2 buffers held, 0 channels at their limit, available',
    ]),
    ...[0, 1].flatMap(index => [`task ${sink}/${index}: ended`, '  sink 0: available']),
  ]
  /** Its first task has the only split. */
  const waiting = (source: string) => [
    `task ${source}/0: running`,
    '  output 0: 2 of 2 buffers held, 0 channels at their limit, waits for the budget',
    `task ${source}/1: ended`,
    '  output 0: 0 of 2 buffers held, 0 channels at their limit, available',
  ]

  test('a sink takes records again, but does not tell its task', () => {
    const opened$ = new Subject<void>()
    const sinks = [closed('opened', opened$), closed('silent', opened$, { tells: false })] as const
    const [, failure, ...others] = statuses([branch('goesOn', sinks[0]), branch('waits', sinks[1])], {
      act: () => opened$.next(),
      parallelism: 2,
      // Just what the four writers are guaranteed.
      channels: { buffersMax: 2, bufferRecordsMax: 1, budgetBuffers: 8 },
    })
    expect(others).toEqual([])
    expect(failure?.split('\n')).toEqual([
      `${claim} STALLED: 3:silent/0, 3:silent/1 could take an element`,
      'budget: 0 free',
      ...ended('0:goesOn', '1:opened'),
      ...waiting('2:waits'),
      ...[0, 1].flatMap(index => [
        `task 3:silent/${index}: running, has work`,
        '  input 0 from 0: buffer next, 1 buffers',
        '  sink 0: available',
      ]),
    ])
  })

  test('a pool waits for a buffer that the budget has', () => {
    const free = vi.spyOn(BufferBudget.prototype, 'free', 'get').mockReturnValue(0)
    const [opened$, never$] = [new Subject<void>(), new Subject<void>()]
    const sinks = [closed('opened', opened$), closed('full', never$)] as const
    const [, failure, ...others] = statuses([branch('goesOn', sinks[0]), branch('waits', sinks[1])], {
      act: () => {
        free.mockRestore()
        opened$.next()
      },
      parallelism: 2,
      channels: { buffersMax: 2, bufferRecordsMax: 1, budgetBuffers: 9 },
    })
    expect(others).toEqual([])
    expect(failure?.split('\n')).toEqual([
      `${claim} STALLED: the budget has a buffer that a pool waits for`,
      'budget: 1 free',
      ...ended('0:goesOn', '1:opened'),
      ...waiting('2:waits'),
      ...[0, 1].flatMap(index => [
        `task 3:full/${index}: running`,
        '  input 0 from 0: buffer next, 1 buffers',
        '  sink 0: full',
      ]),
    ])
  })
})
