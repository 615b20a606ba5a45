import { delay, merge, NEVER, of, VirtualTimeScheduler } from 'rxjs'
import {
  type Alignment,
  type CheckpointReport,
  fixedDelay,
  type Job,
  type JobEvent,
  memoryStore,
  type RunOptions,
  type Store,
  stageReports,
  stream,
  type TaskReport,
} from 'spillway'
import { collect, fromArray, fromObservable, into, map, rebalance, union } from 'spillway/operators'
import type { Environment } from 'spillway/testing'
import { describe, expect, test } from 'vitest'
import { criticalPath } from '../../lib/coordination/criticalPath.ts'
import { runIn } from '../run.ts'
import { type ChannelForm, channelForms } from './channelForms.ts'
import { nothingPublished, runThrottled } from './throttled.ts'

/** Time passes by a ms a slice, and by what user functions spend. */
class Clock {
  readonly scheduler = new VirtualTimeScheduler(undefined, 20_000)
  readonly environment: Environment = {
    scheduler: this.scheduler,
    clock: () => this.scheduler.frame + this.#spentMs,
    nextSlice: slice => {
      const delayMs = 1 + this.#spentMs
      this.#spentMs = 0
      this.scheduler.schedule(slice, delayMs)
    },
    choose: () => 0,
    sliceTurnsMax: 1,
  }
  #spentMs = 0

  spend(ms: number): void {
    this.#spentMs += ms
  }
}

const numbers = Array.from({ length: 400 }, (_, n) => n)

/** source -> cart, where each record takes 5 ms. */
const started = (clock: Clock, options: RunOptions, perRecord: (n: number) => number = n => n): Job =>
  runIn(
    clock.environment,
    stream(fromArray(numbers, { name: 'source' })).pipe(
      rebalance(),
      map(n => {
        clock.spend(5)
        return perRecord(n)
      }),
      into(collect<number>()),
    ),
    { channels: { buffersMax: 8, bufferRecordsMax: 4 }, ...options },
  )

/** All that is said of a job's checkpoints, in virtual time. */
const ran = (checkpoints: RunOptions['checkpoints'], storeOf: (clock: Clock) => Store = () => memoryStore()) => {
  const clock = new Clock()
  const job = started(clock, { checkpoints: { everyMs: 300, ...checkpoints }, store: storeOf(clock) })
  const reports: CheckpointReport[] = []
  job.checkpoints$.subscribe(report => reports.push(report))
  job.done.catch(() => {})
  clock.scheduler.flush()
  return { job, reports }
}

/** Puts and appends take so long. */
const slowStore =
  (ms: { readonly put?: number; readonly append?: number }) =>
  (clock: Clock): Store => {
    const inner = memoryStore()
    return {
      ...inner,
      put: (object, bytes) => inner.put(object, bytes).pipe(delay(ms.put ?? 0, clock.scheduler)),
      append: (n, bytes) => inner.append(n, bytes).pipe(delay(ms.append ?? 0, clock.scheduler)),
    }
  }

const said = ({ summary }: CheckpointReport | { summary: string }) => summary.slice(summary.indexOf(': ') + 2)

test.each<[string, RegExp, RunOptions['checkpoints'], ((clock: Clock) => Store)?]>([
  [
    'an aligned barrier that waits for a slow task',
    /^9\d % of it was the barrier waiting behind 8 buffers between source\/0 and map\/0/,
    {},
  ],
  [
    'a store that is slow to write, when the barrier overtakes',
    /^\d+ % of it was writing the snapshot of (source|map)\/0/,
    { alignment: 'unaligned', inlineBytesMax: 0 },
    slowStore({ put: 200 }),
  ],
  ['a log that is slow', /^\d+ % of it was making it durable/, { alignment: 'unaligned' }, slowStore({ append: 400 })],
])('the sentence finds: %s', (_, sentence, checkpoints, storeOf) => {
  const { reports } = ran(checkpoints, storeOf)
  expect(said(reports[0] as CheckpointReport)).toMatch(sentence)
})

test('the legs explain at least 95 % of each checkpoint, aligned, unaligned and in between', () => {
  let count = 0
  for (const alignment of ['aligned', 'unaligned', { alignedTimeoutMs: 30 }] as const) {
    for (const storeOf of [() => memoryStore(), slowStore({ put: 70, append: 20 })]) {
      for (const report of ran({ alignment, inlineBytesMax: 0 }, storeOf).reports) {
        if (report.durationMs === 0) continue
        const known = criticalPath(report).reduce((sum, { ms }) => sum + ms, 0)
        expect([report.summary, known / report.durationMs >= 0.95]).toEqual([report.summary, true])
        expect(report.summary).not.toContain('not explained')
        count++
      }
    }
  }
  expect(count).toBeGreaterThan(12)
})

/**
 * In virtual time two sources, each with its channel: that of `busy` is full of buffers of 64 records, that of `quiet` is empty. At
 * 1,000 ms a checkpoint is triggered, and at 1,100 ms quiet has a record, -1. What the report says of the task behind both, and what
 * that task handles when.
 */
const oneBarrierLate = (alignment: Alignment, { channelIn }: Pick<ChannelForm, 'channelIn'>) => {
  const handled: { n: number; atMs: number }[] = []
  const { checkpoints } = runThrottled(
    (sink, scheduler) => {
      const quiet$ = merge(of(-1).pipe(delay(1_100, scheduler)), NEVER)
      const quiet = fromObservable(quiet$, { name: 'quiet', onFull: 'error', bufferRecordsMax: 1 })
      const busy = fromArray(Array.from({ length: 10_000 }, (_, n) => n))
      return union(stream(quiet).pipe(rebalance()), stream(busy).pipe(rebalance())).pipe(
        map(n => {
          handled.push({ n, atMs: scheduler.now() })
          return n
        }),
        into(sink),
      )
    },
    {
      ...{ store: memoryStore(), published: nothingPublished(), channelIn },
      ...{ channels: { buffersMax: 8, bufferRecordsMax: 64 } },
      ...{ alignment, checkpointsAtMs: [1_000], killedAtMs: 2_500, acceptLoss: ['quiet'] },
    },
  )
  const behind = checkpoints[0]?.tasks.find(({ task }) => task.includes('union')) as TaskReport
  return { behind, handled, quietAtMs: handled.find(({ n }) => n < 0)?.atMs }
}

describe.each(channelForms)('of two channels one is full, $form:', form => {
  test('what is processed of it while its aligned barrier is late is counted, and nothing is of the other', () => {
    const { behind, handled, quietAtMs } = oneBarrierLate('aligned', form)
    const { startDelayMs, alignmentMs, processedDuringAlignment } = behind
    const [firstAtMs, lastAtMs] = [1_000 + startDelayMs, 1_000 + startDelayMs + alignmentMs]
    const meanwhile = handled.filter(({ atMs }) => atMs >= firstAtMs && atMs <= lastAtMs)
    // Of two halves the receiving one holds another.
    expect(processedDuringAlignment).toBe(form.form === 'one queue' ? 8 : 9)
    expect(meanwhile).toHaveLength(64 * processedDuringAlignment)
    expect(meanwhile.filter(({ n }) => n < 0)).toEqual([])
    expect(quietAtMs).toBeGreaterThan(lastAtMs)
  })

  test('of unaligned barriers none is late, and the other channel waits for nothing', () => {
    const { behind, quietAtMs } = oneBarrierLate('unaligned', form)
    expect(behind).toMatchObject({ unaligned: true, alignmentMs: 0, processedDuringAlignment: 0 })
    // Behind what is being written, at most two buffers of 64 ms.
    expect(quietAtMs).toBeLessThan(1_100 + 2 * 64)
  })
})

test('one that fails keeps what is known: who had answered and when, who had not, and the cause', () => {
  const { reports, job } = ran({ timeoutMs: 60 })
  expect(reports[0]).toMatchObject({ outcome: 'failed', cause: 'expired', missing: ['1:map/0'] })
  expect(reports[0]?.summary).toMatch(
    /failed after 60 ms: .*missing: 1:map\/0; 1 of 2 tasks had acknowledged, the last of them, 0:source\/0, after [\d.]+ ms/,
  )
  expect(reports[0]?.tasks.map(({ task }) => task)).toEqual(['0:source/0'])
  const { counts, latest } = job.checkpointHistory()
  expect(counts.failed).toBeGreaterThan(1)
  expect(latest.failed?.cause).toBe('expired')
})

test('the history has so many reports as it is told to, and what they come to; also of what a job was restored from', () => {
  const store = memoryStore()
  const { job, reports } = ran({ historyCount: 2 }, () => store)
  const history = job.checkpointHistory()
  expect(history.counts).toMatchObject({ completed: reports.length, inProgress: 0, restored: 0 })
  expect(history.reports).toEqual(reports.slice(-2))
  const durations = reports.slice(-2).map(({ durationMs }) => durationMs)
  expect(history.summary.durationMs).toMatchObject({ min: Math.min(...durations), max: Math.max(...durations) })
  const [source, cart] = stageReports(reports[0] as CheckpointReport)
  expect([source?.stage, cart?.stage]).toEqual(['0:source', '1:map'])
  expect(cart?.figures.startDelayMs.max).toBeGreaterThan(source?.figures.startDelayMs.max ?? 0)

  const again = ran({}, () => store).job.checkpointHistory()
  expect(again).toMatchObject({ counts: { restored: 1 }, latest: { restored: reports.at(-1)?.id } })
})

test('events say of each task that it runs, fails, is restarted, runs again and has finished', () => {
  const clock = new Clock()
  let failures = 1
  const job = started(clock, { restart: fixedDelay({ delayMs: 40, attemptsMax: 1 }) }, n => {
    if (n === 100 && failures-- > 0) throw new Error('the line is busy')
    return n
  })
  const events: JobEvent[] = []
  let completed = false
  job.events$.subscribe({
    next: event => events.push(event),
    complete: () => {
      completed = true
    },
  })
  clock.scheduler.flush()
  const words = events.map(event => {
    const { kind, task } = event
    if (kind === 'taskRunning') return `${task} runs, attempt ${event.attempt}`
    if (kind === 'taskRestarting')
      return `${task} restarts in ${event.restartInMs} for ${event.failed}, attempt ${event.attempt}`
    return `${task} ${kind === 'taskFailed' ? 'fails' : 'has finished'}`
  })
  const ended = words.slice(6)
  expect(words.slice(0, 6)).toEqual([
    '0:source/0 runs, attempt 0',
    '1:map/0 runs, attempt 0',
    '1:map/0 fails',
    '0:source/0 restarts in 40 for 1:map/0, attempt 1',
    '1:map/0 restarts in 40 for 1:map/0, attempt 1',
    '0:source/0 runs, attempt 1',
  ])
  expect(ended).toEqual(['1:map/0 runs, attempt 1', '0:source/0 has finished', '1:map/0 has finished'])
  expect(events.every(({ atMs }, i) => i === 0 || atMs >= (events[i - 1] as JobEvent).atMs)).toBe(true)
  expect(completed).toBe(true)
})
