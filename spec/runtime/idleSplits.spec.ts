import * as t from 'io-ts'
import { EMPTY, NEVER, of, tap, timer, VirtualTimeScheduler } from 'rxjs'
import { memoryStore, type Sink, type Source, type Store, stream } from 'spillway'
import { count, eventTime, into, keyBy, tumblingWindow } from 'spillway/operators'
import type { Environment } from 'spillway/testing'
import { expect, test } from 'vitest'
import { runIn } from '../run.ts'

const idleAfterMs = 50

/** Split a has a record each ms, ten later by event time than the one before; b has one at first, c has not begun. */
const source = (scheduler: VirtualTimeScheduler): Source<number, number> => ({
  name: 'abc',
  position: t.number,
  splits: () => of(['a', 'b', 'c']),
  open(split, from = 0) {
    let position = from
    let due = split === 'a' || (split === 'b' && from === 0)
    const again = () => {
      due = true
    }
    return {
      next() {
        if (!due) return 'wait'
        due = false
        return [10 * position++]
      },
      ready$: split === 'a' ? timer(1, scheduler).pipe(tap(again)) : NEVER,
      position: () => position,
      close() {},
    }
  },
})

const collecting = (ends: number[]): Sink<{ readonly endMs: number }, number> => ({
  name: 'collecting',
  transaction: t.number,
  open: () => ({
    mayWrite: () => true,
    ready$: EMPTY,
    write: batch => void ends.push(...batch.map(({ endMs }) => endMs)),
    cut: () => undefined,
    publish: () => EMPTY,
    recover: () => EMPTY,
    close() {},
  }),
})

/** Runs for so long, takes a checkpoint, and gives the ends of the windows that have fired. */
const ran = (store: Store, { parallelism, forMs, idle }: { parallelism: number; forMs: number; idle: boolean }) => {
  const scheduler = new VirtualTimeScheduler(undefined, 0)
  const environment: Environment = {
    scheduler,
    clock: () => scheduler.now(),
    nextSlice: slice => void scheduler.schedule(slice, 0.01),
    choose: () => 0,
    sliceTurnsMax: 8,
  }
  const ends: number[] = []
  const job = runIn(
    environment,
    stream(source(scheduler), idle ? { idleAfterMs } : {}).pipe(
      eventTime({ timeMs: n => n, outOfOrderMs: 0 }),
      keyBy(() => 'all'),
      tumblingWindow({ sizeMs: 100, late: 'drop' }, count()),
      into(collecting(ends)),
    ),
    { parallelism, store, checks: true },
  )
  job.done.catch(() => {})
  const until = (ms: number) => {
    scheduler.maxFrames = ms
    scheduler.flush()
    scheduler.frame = ms
  }
  until(forMs)
  const before = ends.length
  job.triggerCheckpoint({ alignment: 'unaligned' }).catch(() => {})
  until(forMs + 5)
  job.cancel().catch(() => {})
  return { windows: before, ends }
}

test('a split that has not begun holds the watermark back, and so does one that has nothing; idle ones do not count', () => {
  expect(ran(memoryStore(), { parallelism: 3, forMs: 200, idle: false }).windows).toBe(0)
  expect(ran(memoryStore(), { parallelism: 3, forMs: 200, idle: true }).windows).toBeGreaterThan(10)
})

test.each([
  [3, 3],
  [3, 1],
  [1, 3],
  [2, 3],
  [3, 2],
])('idle splits stay idle from parallelism %i to %i: nobody waits for them again', (from, to) => {
  const store = memoryStore()
  const first = ran(store, { parallelism: from, forMs: 200, idle: true })
  expect(first.windows).toBeGreaterThan(10)
  // Before the idle ones could have become idle a second time.
  const second = ran(store, { parallelism: to, forMs: idleAfterMs - 10, idle: true })
  expect(second.windows).toBeGreaterThan(1)
  // And no window fires again, or is left out: one each 100 ms, from the last of the first run on.
  const all = [...first.ends, ...second.ends.filter(end => end > Math.max(...first.ends))]
  expect(all).toEqual(all.map((_, i) => 100 * (i + 1)))
})
