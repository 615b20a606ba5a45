import { filter, map, Subject, VirtualTimeScheduler } from 'rxjs'
import { TestScheduler } from 'rxjs/testing'
import { expect, test } from 'vitest'
import { coordinate } from '../../lib/control/coordinate.ts'
import type { CheckpointOrder, CoordinateEvent } from '../../lib/coordination/events.ts'
import { storedAs } from '../storedAs.ts'

const limits = { minPauseMs: 0, tolerableFailures: Number.POSITIVE_INFINITY }

/** `every 5`: triggered every 5 ms from now on, unaligned, with a timeout of 4 ms. Of one task: `ack 1`, `end 1`, `committed 1`, `published 1`, `user 7`, `fail`. */
const event = (line: string): CoordinateEvent => {
  const [kind, number] = line.split(' ')
  const checkpoint = Number(number)
  switch (kind) {
    case 'ack':
    case 'end':
      return {
        kind: 'acknowledged',
        checkpoint,
        snapshot: storedAs(line, { task: 'a', ended: kind === 'end' }),
        sizes: { stateBytes: 0, inFlightBytes: 0, inFlightRecords: 0 },
        times: {
          startDelayMs: 0,
          alignmentMs: 0,
          processedDuringAlignment: 0,
          syncMs: 0,
          begunAtMs: 0,
          wholeAtMs: 0,
          asyncMs: 0,
        },
      }
    case 'committed':
      return { kind, checkpoint, entry: checkpoint }
    case 'published':
      return { kind, tasks: ['a'], checkpoint }
    case 'every': {
      const everyMs = number === 'never' ? undefined : checkpoint
      return { kind: 'configured', schedule: { everyMs, timeoutMs: 4, alignment: 'unaligned', ...limits } }
    }
    case 'user':
      return { kind: 'requested', request: checkpoint, alignment: 'unaligned' }
    default:
      return { kind: 'failed', task: 'a', error: 'broken' }
  }
}

/** Reports, releases and publications are looked at elsewhere. */
const order = (of: CheckpointOrder, nowMs: number): string => {
  switch (of.kind) {
    case 'trigger':
      // The barrier is dated with the moment it is said in.
      expect(of.barrier.timestampMs).toBe(nowMs)
      return `trigger ${of.barrier.checkpoint}`
    case 'commit':
    case 'notify':
    case 'abort':
      return `${of.kind} ${of.checkpoint}`
    default:
      return of.kind
  }
}

interface Case {
  readonly everyMs?: number
  readonly timeoutMs: number
  /** Letters are events and capitals orders, all of them in `means`. */
  readonly in: string
  readonly out: string
  readonly means: Readonly<Record<string, string>>
}

const cases: Readonly<Record<string, Case>> = {
  'the schedule triggers every so many ms, and not while one is under way': {
    everyMs: 3,
    timeoutMs: 100,
    in: ' ----a--b---|',
    out: '---TC--N-U-|',
    means: { a: 'ack 1', b: 'committed 1', T: 'trigger 1', C: 'commit 1', N: 'notify 1', U: 'trigger 2' },
  },
  'without a schedule only requests trigger': {
    timeoutMs: 100,
    in: ' ---u---|',
    out: '---T---|',
    means: { u: 'user 7', T: 'trigger 1' },
  },
  'a checkpoint that takes too long is aborted': {
    timeoutMs: 4,
    in: ' -u------u----|',
    out: '-T---X--U---Y|',
    means: { u: 'user 7', T: 'trigger 1', X: 'abort 1', U: 'trigger 2', Y: 'abort 2' },
  },
  'a checkpoint that is complete does not expire': {
    timeoutMs: 4,
    in: ' -uab-----|',
    out: '-TCN-----|',
    means: { u: 'user 7', a: 'ack 1', b: 'committed 1', T: 'trigger 1', C: 'commit 1', N: 'notify 1' },
  },
  'the time of each counts from its own trigger': {
    timeoutMs: 4,
    in: ' -uabu-----|',
    out: '-TCNU---X-|',
    means: {
      u: 'user 7',
      a: 'ack 1',
      b: 'committed 1',
      T: 'trigger 1',
      C: 'commit 1',
      N: 'notify 1',
      U: 'trigger 2',
      X: 'abort 2',
    },
  },
  'a request that waited is triggered when the one under way has expired': {
    timeoutMs: 4,
    in: ' -uv---------|',
    out: '-T---(XU)Y--|',
    means: { u: 'user 7', v: 'user 8', T: 'trigger 1', X: 'abort 1', U: 'trigger 2', Y: 'abort 2' },
  },
  'a checkpoint being committed does not expire': {
    timeoutMs: 4,
    in: ' -ua-----b-|',
    out: '-TC-----N-|',
    means: { u: 'user 7', a: 'ack 1', b: 'committed 1', T: 'trigger 1', C: 'commit 1', N: 'notify 1' },
  },
  'when the job is finished its timers stop; it completes with its source': {
    everyMs: 6,
    timeoutMs: 4,
    in: ' -abc------|',
    out: '-CNF------|',
    means: { a: 'end 1', b: 'committed 1', c: 'published 1', C: 'commit 1', N: 'notify 1', F: 'finished' },
  },
  'it completes with its source, and its timers stop': {
    everyMs: 3,
    timeoutMs: 4,
    in: ' ----|',
    out: '---T|',
    means: { T: 'trigger 1' },
  },
  'another interval counts from the last trigger of the schedule': {
    everyMs: 5,
    timeoutMs: 100,
    in: ' ------ab-e-----|',
    out: '-----TCN-----U-|',
    means: { a: 'ack 1', b: 'committed 1', e: 'every 8', T: 'trigger 1', C: 'commit 1', N: 'notify 1', U: 'trigger 2' },
  },
  'an interval that is over already triggers at once': {
    everyMs: 50,
    timeoutMs: 100,
    in: ' -----e--|',
    out: '-----T--|',
    means: { e: 'every 2', T: 'trigger 1' },
  },
  'the schedule may begin, and end, while the job runs': {
    timeoutMs: 100,
    in: ' -e--abn------|',
    out: '---TCN-------|',
    means: {
      e: 'every 3',
      n: 'every never',
      a: 'ack 1',
      b: 'committed 1',
      T: 'trigger 1',
      C: 'commit 1',
      N: 'notify 1',
    },
  },
  'another timeout is that of the next checkpoint': {
    timeoutMs: 100,
    in: ' -ue-----ab-u---|',
    out: '-T------CN-U---|',
    means: {
      u: 'user 7',
      e: 'every never',
      a: 'ack 1',
      b: 'committed 1',
      T: 'trigger 1',
      C: 'commit 1',
      N: 'notify 1',
      U: 'trigger 2',
    },
  },
  'a failure of a task fails the job': {
    timeoutMs: 100,
    in: ' -uf---|',
    out: '-T(AF)|',
    means: { u: 'user 7', f: 'fail', T: 'trigger 1', A: 'abort 1', F: 'failJob' },
  },
}

test.each(Object.entries(cases))('%s', (_, { everyMs, timeoutMs, in: marbles, out, means }) => {
  const scheduler = new TestScheduler((actual, expected) => expect(actual).toEqual(expected))
  scheduler.run(({ hot, expectObservable }) => {
    const orders$ = hot(marbles.trim(), means).pipe(
      map(event),
      coordinate({ connected: [['a']], scheduler, timeoutMs, everyMs }),
      filter(({ kind }) => kind !== 'report' && kind !== 'release' && kind !== 'publish'),
      map(of => order(of, scheduler.now())),
    )
    expectObservable(orders$).toBe(out, means)
  })
})

test('an error of its source is one of its own', () => {
  const scheduler = new TestScheduler((actual, expected) => expect(actual).toEqual(expected))
  scheduler.run(({ hot, expectObservable }) => {
    const options = { connected: [['a']], scheduler, timeoutMs: 1, everyMs: 5 }
    expectObservable(hot<CoordinateEvent>('--#').pipe(coordinate(options))).toBe('--#')
  })
})

test('what an order leads to at once is heard after all orders of its event', () => {
  const events$ = new Subject<CoordinateEvent>()
  const given: string[] = []
  const scheduler = new VirtualTimeScheduler()
  events$.pipe(coordinate({ connected: [['a']], scheduler, timeoutMs: 100 })).subscribe(({ kind }) => {
    given.push(kind)
    if (kind === 'publish') events$.next(event('published 1'))
  })
  events$.next(event('end 1'))
  events$.next(event('committed 1'))
  expect(given).toEqual(['commit', 'publish', 'notify', 'report', 'finished'])
})
