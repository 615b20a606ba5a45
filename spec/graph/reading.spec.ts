import * as t from 'io-ts'
import { NEVER, of, VirtualTimeScheduler } from 'rxjs'
import type { Source } from 'spillway'
import { expect, test } from 'vitest'
import { Reading } from '../../lib/graph/reading.ts'
import { OperatorState } from '../../lib/state/operatorState.ts'

/** Each split gives its records, one a time, and then nothing more. */
const live = (records: Readonly<Record<string, readonly number[]>>): Source<number, number> => ({
  name: 'live',
  position: t.number,
  splits: () => of(Object.keys(records)),
  open: (split, from = 0) => {
    let at = from
    return {
      next: () => {
        const record = records[split]?.[at]
        if (record === undefined) return 'wait'
        at++
        return [record]
      },
      ready$: NEVER,
      position: () => at,
      close: () => {},
    }
  },
})

const reading = (records: Readonly<Record<string, readonly number[]>>, stored?: Record<string, unknown>) => {
  const scheduler = new VirtualTimeScheduler()
  const restored = stored && { kept: stored, tables: new Map() }
  const state = new OperatorState('live', 128, restored)
  const all = new Reading(live(records), Object.keys(records), state, { idleAfterMs: 10, scheduler })
  const takeAll = () => {
    const taken = []
    for (let next = all.take(9); next !== undefined; next = all.take(9)) taken.push(...next)
    return taken.map(element => (element.kind === 'buffer' ? element.records : element))
  }
  return { scheduler, takeAll, kept: () => state.capture()?.kept }
}

test('a split that has had nothing for so long is idle, and is so after a restore', () => {
  const { scheduler, takeAll, kept } = reading({ a: [1], b: [] })
  expect(takeAll()).toEqual([{ kind: 'splits', open: ['a', 'b'], idle: [] }, [1]])
  scheduler.maxFrames = 9
  scheduler.flush()
  expect(takeAll()).toEqual([])
  scheduler.maxFrames = 10
  scheduler.flush()
  expect(takeAll()).toEqual([{ kind: 'splits', open: ['a', 'b'], idle: ['a', 'b'] }])
  const again = reading({ a: [1, 2], b: [] }, kept())
  expect(again.takeAll()).toEqual([
    { kind: 'splits', open: ['a', 'b'], idle: ['a', 'b'] },
    { kind: 'splits', open: ['a', 'b'], idle: ['b'] },
    [2],
  ])
})
