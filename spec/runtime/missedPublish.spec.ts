import * as t from 'io-ts'
import { asyncScheduler, EMPTY, NEVER } from 'rxjs'
import { type Sink, stream } from 'spillway'
import { fromArray, into } from 'spillway/operators'
import { expect, test } from 'vitest'
import { BufferBudget } from '../../lib/channel/budget.ts'
import { CaptureBudget } from '../../lib/channel/captureBudget.ts'
import { barrier } from '../../lib/element.ts'
import { plan } from '../../lib/graph/plan.ts'
import { Executor } from '../../lib/runtime/executor.ts'
import { settings } from '../../lib/runtime/options.ts'
import type { RunningTask, TaskEvent } from '../../lib/runtime/task.ts'
import { wired } from '../../lib/runtime/wiring.ts'
import { msgpackEncoding } from '../../lib/snapshot/encoding.ts'

/** One task that reads and writes; its slices are run by hand. */
const started = () => {
  const visible: number[] = []
  let cuts = 0
  const sink: Sink<number> = {
    name: 'remote',
    transaction: t.any,
    open: () => {
      let open: number[] = []
      return {
        mayWrite: () => true,
        ready$: NEVER,
        write: batch => void open.push(...batch),
        cut: () => {
          const tx = { id: cuts++, records: open }
          open = []
          return { tx, durable: EMPTY }
        },
        publish: transactions => {
          for (const { records } of transactions) visible.push(...records)
          return EMPTY
        },
        recover: () => EMPTY,
        close() {},
      }
    },
  }
  const planned = plan([stream(fromArray([1, 2, 3, 4], { splits: 1 })).pipe(into(sink))], { parallelism: 1 })
  const slices: (() => void)[] = []
  const clock = () => 0
  const events: TaskEvent[] = []
  const environment = {
    ...{ scheduler: asyncScheduler, clock, choose: () => 0, sliceTurnsMax: 1 },
    nextSlice: (slice: () => void) => void slices.push(slice),
  }
  const executor = new Executor({ ...environment, sliceMs: 2, flushMs: 100, onIdle: () => {} })
  const [task] = wired({
    ...{ plan: planned, settings: settings({}), environment, executor, epoch: 1, restored: undefined },
    budget: new BufferBudget({ buffersMax: 1, guaranteed: 0 }),
    captures: new CaptureBudget(1),
    encoding: msgpackEncoding(),
    splits: new Map(planned.stages.map(stage => [stage, ['0/1']])),
    report: event => events.push(event),
    isWanted: () => true,
  }) as readonly [RunningTask]
  task.recovered().subscribe()
  task.start()
  const turn = () => slices.shift()?.()
  return { task, events, visible, turn }
}

test('an abort makes a task publish what it has not been told to: the part that is finished, and nothing newer', () => {
  const { task, events, visible, turn } = started()
  for (let i = 0; i < 3; i++) turn()
  task.trigger(barrier(1))
  turn()
  expect(events.map(({ kind }) => kind)).toEqual(['snapshot'])
  task.trigger(barrier(2))
  turn()
  expect(visible).toEqual([])
  task.abort(2, undefined)
  expect(visible).toEqual([])
  task.abort(2, 1)
  expect(visible).toEqual([1, 2, 3, 4])
  task.abort(2, 1)
  expect(visible).toEqual([1, 2, 3, 4])
  task.stop()
})
