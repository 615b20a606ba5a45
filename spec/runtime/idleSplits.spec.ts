import * as t from 'io-ts'
import { defer, EMPTY, NEVER, of, tap, timer, VirtualTimeScheduler } from 'rxjs'
import { type CheckpointReport, memoryStore, type Sink, type Source, type Store, stream } from 'spillway'
import { count, eventTime, into, keyBy, tumblingWindow } from 'spillway/operators'
import type { Environment } from 'spillway/testing'
import { expect, test } from 'vitest'
import { runIn } from '../run.ts'

const idleAfterMs = 50

/** When a split is as split a from then on; default never. */
interface Later {
  readonly b?: number
  readonly c?: number
}

/** Split a has a record each ms, ten later by event time than the one before; b has one at first, c has not begun. */
const source = (scheduler: VirtualTimeScheduler, later: Later): Source<number, number> => ({
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
      ready$: defer(() => {
        const asAFromMs = split === 'a' ? 0 : (later[split as keyof Later] ?? Number.POSITIVE_INFINITY)
        const waitMs = Math.max(1, asAFromMs - scheduler.now())
        return waitMs === Number.POSITIVE_INFINITY ? NEVER : timer(waitMs, scheduler).pipe(tap(again))
      }),
      position: () => position,
      close() {},
    }
  },
})

interface Fired {
  readonly endMs: number
  /** Its records. */
  readonly value: number
}

const collecting = (fired: Fired[]): Sink<Fired, number> => ({
  name: 'collecting',
  transaction: t.number,
  open: () => ({
    mayWrite: () => true,
    ready$: EMPTY,
    write: batch => void fired.push(...batch),
    cut: () => undefined,
    publish: () => EMPTY,
    recover: () => EMPTY,
    close() {},
  }),
})

type Alignment = 'aligned' | 'unaligned'

interface Ran {
  readonly parallelism: number
  readonly forMs: number
  /** Splits become idle. */
  readonly idle: boolean
  /** Default unaligned. */
  readonly alignment?: Alignment
  readonly later?: Later
}

/** Runs for so long, takes a checkpoint, and gives the windows that have fired, and how many before the checkpoint. */
const ran = (store: Store, { parallelism, forMs, idle, alignment = 'unaligned', later = {} }: Ran) => {
  const scheduler = new VirtualTimeScheduler(undefined, 0)
  const environment: Environment = {
    scheduler,
    clock: () => scheduler.now(),
    nextSlice: slice => void scheduler.schedule(slice, 0.01),
    choose: () => 0,
    sliceTurnsMax: 8,
  }
  const fired: Fired[] = []
  const job = runIn(
    environment,
    stream(source(scheduler, later), idle ? { idleAfterMs } : {}).pipe(
      eventTime({ timeMs: n => n, outOfOrderMs: 0 }),
      keyBy(() => 'all'),
      tumblingWindow({ sizeMs: 100, late: 'drop' }, count()),
      into(collecting(fired)),
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
  const before = fired.length
  const reports: CheckpointReport[] = []
  job.checkpoints$.subscribe(report => reports.push(report))
  job.triggerCheckpoint({ alignment }).catch(() => {})
  until(forMs + 5)
  job.cancel().catch(() => {})
  expect(reports).toMatchObject([{ outcome: 'completed', alignment }])
  return { windows: before, fired, ends: fired.map(({ endMs }) => endMs) }
}

test('a split that has not begun holds the watermark back, and so does one that has nothing; idle ones do not count', () => {
  expect(ran(memoryStore(), { parallelism: 3, forMs: 200, idle: false }).windows).toBe(0)
  expect(ran(memoryStore(), { parallelism: 3, forMs: 200, idle: true }).windows).toBeGreaterThan(10)
})

const restarts = (['unaligned', 'aligned'] as const).flatMap(alignment =>
  (
    [
      [3, 3],
      [3, 1],
      [1, 3],
      [2, 3],
      [3, 2],
    ] as const
  ).map(([from, to]) => ({ alignment, from, to })),
)

test.each(restarts)(
  'idle splits stay idle from parallelism $from to $to, $alignment: nobody waits for them again',
  ({ alignment, from, to }) => {
    const store = memoryStore()
    const first = ran(store, { parallelism: from, forMs: 200, idle: true, alignment })
    expect(first.windows).toBeGreaterThan(10)
    // Before the idle ones could have become idle a second time.
    const second = ran(store, { parallelism: to, forMs: idleAfterMs - 10, idle: true, alignment })
    expect(second.windows).toBeGreaterThan(1)
    // And no window fires again, or is left out: one each 100 ms, from the last of the first run on.
    const all = [...first.ends, ...second.ends.filter(end => end > Math.max(...first.ends))]
    expect(all).toEqual(all.map((_, i) => 100 * (i + 1)))
  },
)

test.each(restarts)(
  'splits that have not begun hold the watermark back from parallelism $from to $to, $alignment, and nothing else does',
  ({ alignment, from, to }) => {
    const store = memoryStore()
    const of = { idle: false, alignment }
    expect(ran(store, { ...of, parallelism: from, forMs: 200 }).windows).toBe(0)
    expect(ran(store, { ...of, parallelism: to, forMs: 200, later: { b: 0 } }).fired).toEqual([])
    const { fired } = ran(store, { ...of, parallelism: from, forMs: 150, later: { b: 0, c: 50 } })
    // Split c comes to 1,000 or so, and a window has ten records of each split, those of all runs.
    expect(fired.length).toBeGreaterThan(8)
    expect(fired.map(({ endMs, value }) => [endMs, value])).toEqual(fired.map((_, i) => [100 * (i + 1), 30]))
  },
)

test.each(restarts)(
  'idle splits are waited for again from parallelism $from to $to, $alignment, if splits do not become idle any more',
  ({ alignment, from, to }) => {
    const store = memoryStore()
    const first = ran(store, { parallelism: from, forMs: 200, idle: true, alignment })
    expect(first.windows).toBeGreaterThan(10)
    const second = ran(store, { parallelism: to, forMs: 200, idle: false, alignment })
    expect(second.ends.filter(end => end > Math.max(...first.ends))).toEqual([])
  },
)
