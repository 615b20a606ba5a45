import * as t from 'io-ts'
import { EMPTY, NEVER, VirtualTimeScheduler } from 'rxjs'
import { type Alignment, memoryStore, named, operator, type RunOptions, type Sink, stream } from 'spillway'
import { flatMap, fromArray, into, keyBy, map, rebalance, scan } from 'spillway/operators'
import type { Environment } from 'spillway/testing'
import { describe, expect, test } from 'vitest'
import { run, runIn } from '../run.ts'
import { type ChannelForm, channelForms } from './channelForms.ts'

/** A sink that is never ready. */
const neverReady: Sink<number> = {
  name: 'neverReady',
  transaction: t.null,
  open: () => ({
    mayWrite: () => false,
    ready$: NEVER,
    write() {},
    cut: () => undefined,
    publish: () => EMPTY,
    recover: () => EMPTY,
    close() {},
  }),
}

test('a job whose operator emits in a loop what a suspended one does not take fails, and says where and what to do', async () => {
  const looping = operator<number, number>('looping', () => ({
    record: (_, out) => {
      for (let i = 0; i < 1_000; i++) out.emit(i)
    },
  }))
  const pipeline = stream(fromArray([0])).pipe(
    looping,
    flatMap(n => [n, -n]),
    rebalance(),
    into(neverReady),
  )
  const { done } = run(pipeline, { channels: { buffersMax: 1, bufferRecordsMax: 2 } })
  await expect(done).rejects.toMatchObject({
    code: 'OUTPUT_OVERFLOW',
    place: expect.stringContaining('flatMap'),
    message: expect.stringMatching(
      /64 buffers wait before it.*return an iterable instead of calling out\.emit in a loop/,
    ),
  })
})

const options: RunOptions = {
  parallelism: 2,
  channels: { buffersMax: 1, bufferRecordsMax: 2, flushMs: 1 },
}

interface Run extends Pick<ChannelForm, 'channelIn'> {
  readonly alignment: Alignment
  readonly untilMs: number
  /** The sources' operators are in the middle of a record. */
  readonly suspended?: boolean
  /** After so long the checkpoint is given up. */
  readonly timeoutMs?: number
}

/** How many tasks begin, and report, in a job all of whose outputs are full before the checkpoint is triggered at 100 ms. */
const begun = ({ alignment, untilMs, channelIn, suspended = false, timeoutMs = 600_000 }: Run) => {
  const scheduler = new VirtualTimeScheduler(undefined, 100)
  const tasks = { begun: 0, reported: 0 }
  const environment: Environment = {
    scheduler,
    clock: () => scheduler.now(),
    nextSlice: slice => void scheduler.schedule(slice, 0.001),
    choose: () => 0,
    sliceTurnsMax: 4,
    observe: happening => {
      if (happening.kind === 'begun') tasks.begun++
      if (happening.kind === 'snapshot') tasks.reported++
    },
    ...channelIn(scheduler),
  }
  const pipeline = stream(
    fromArray(
      Array.from({ length: 1_000 }, (_, n) => n),
      { splits: 2 },
    ),
  ).pipe(
    suspended ? flatMap((n: number) => Array.from({ length: 1_000 }, (_, i) => n + i)) : map((n: number) => n + 1),
    keyBy(n => n % 97),
    scan(total => total + 1, 0, t.number),
    keyBy(n => n % 5),
    named(
      'again',
      scan((total: number) => total + 1, 0, t.number),
    ),
    into(neverReady),
  )
  const job = runIn(environment, pipeline, { ...options, checkpoints: { timeoutMs }, store: memoryStore() })
  job.done.catch(() => {})
  scheduler.schedule(() => void job.triggerCheckpoint({ alignment }).catch(() => {}), 100)
  scheduler.maxFrames = untilMs
  scheduler.flush()
  return tasks
}

const none = { begun: 0, reported: 0 }
const all = { begun: 6, reported: 6 }

describe.each(channelForms)('channels of $form:', ({ form, channelIn }) => {
  /** An aligned barrier that may time out is no longer its producer's where it has been sent. */
  const sourcesAlone = { begun: 2, reported: form === 'one queue' ? 2 : 0 }

  test('with every output full an unaligned checkpoint begins in every task, and is whole', () => {
    expect(begun({ alignment: 'unaligned', untilMs: 101, channelIn })).toEqual(all)
  })

  test('with every output full an aligned checkpoint begins in the sources alone', () => {
    expect(begun({ alignment: 'aligned', untilMs: 1_000, channelIn })).toEqual({ begun: 2, reported: 2 })
  })

  test('with every output full a checkpoint with a timeout begins in every task, and is whole, once it is passed', () => {
    expect(begun({ alignment: { alignedTimeoutMs: 50 }, untilMs: 149, channelIn })).toEqual(sourcesAlone)
    expect(begun({ alignment: { alignedTimeoutMs: 50 }, untilMs: 151, channelIn })).toEqual(all)
  })

  test('a checkpoint that is given up before its timeout is passed begins nowhere else, and is no longer waited for', () => {
    const givenUp = { alignment: { alignedTimeoutMs: 500 }, timeoutMs: 50, untilMs: 2_000 }
    expect(begun({ ...givenUp, channelIn })).toEqual(sourcesAlone)
  })

  test('a source whose operator is suspended begins an aligned checkpoint never, one with a timeout when it is passed', () => {
    const suspended = { channelIn, suspended: true }
    expect(begun({ alignment: 'aligned', untilMs: 1_000, ...suspended })).toEqual(none)
    expect(begun({ alignment: { alignedTimeoutMs: 50 }, untilMs: 149, ...suspended })).toEqual(none)
    expect(begun({ alignment: { alignedTimeoutMs: 50 }, untilMs: 151, ...suspended })).toEqual(all)
  })
})
