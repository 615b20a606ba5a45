import { setImmediate as turn } from 'node:timers/promises'
import { queryObjects } from 'node:v8'
import * as t from 'io-ts'
import { EMPTY, firstValueFrom, NEVER, Subject, filter as where } from 'rxjs'
import { memoryStore, type Sink, type Source, stream } from 'spillway'
import { eventTime, filter, into, keyBy, map } from 'spillway/operators'
import { describe, expect, it } from 'vitest'
import { run } from '../run.ts'

const tasks = 200
const channels = tasks ** 2

/** One split a task, which never has a record. */
const silent: Source<number, number> = {
  name: 'silent',
  position: t.number,
  splits: () => [Array.from({ length: tasks }, (_, i) => String(i))],
  open: () => ({ next: () => 'wait', ready$: NEVER, position: () => 0, close() {} }),
}

const unread: Sink<number, number> = {
  name: 'unread',
  transaction: t.number,
  open: () => ({
    mayWrite: () => true,
    ready$: EMPTY,
    write() {},
    cut: () => undefined,
    publish: () => EMPTY,
    recover: () => EMPTY,
    close() {},
  }),
}

const arrays = (): number => queryObjects(Array, { format: 'count' }) as unknown as number

describe(`a keyed exchange of ${tasks} x ${tasks} that carries no data`, () => {
  it('has no queue before a checkpoint, and gives back those of its barriers', { timeout: 120_000 }, async () => {
    const before = arrays()
    const job = run(
      stream(silent).pipe(
        keyBy(n => n),
        map(n => n),
        into(unread),
      ),
      {
        parallelism: tasks,
        keyGroups: tasks,
        store: memoryStore(),
      },
    )
    await firstValueFrom(job.status$.pipe(where(({ kind }) => kind === 'running')))
    expect(arrays() - before).toBeLessThan(channels / 2)

    for (const alignment of ['aligned', 'unaligned'] as const) {
      job.configure({ checkpoints: { alignment } })
      expect((await job.triggerCheckpoint()).outcome).toBe('completed')
    }
    // What a channel remembers of barriers is one list for all: a list or a queue that each had would be as many.
    expect(arrays() - before).toBeLessThan(channels / 2)
    await job.cancel()
  })
})

describe(`a keyed exchange of ${tasks} x ${tasks} that carries watermarks alone, which nobody takes`, () => {
  const advances$ = new Subject<void>()
  const taken$ = new Subject<void>()
  let [rounds, given, full] = [0, 0, true]

  /** Each split has a record a round. */
  const timed: Source<number, number> = {
    ...silent,
    open: () => {
      let round = 0
      return { next: () => (round < rounds ? [++round] : 'wait'), ready$: advances$, position: () => round, close() {} }
    },
  }

  const sink: Sink<number, number> = {
    ...unread,
    open: () => ({
      mayWrite: () => !full,
      ready$: taken$,
      write() {},
      cut: () => undefined,
      publish: () => EMPTY,
      recover: () => EMPTY,
      close() {},
    }),
  }

  const advance = async (): Promise<void> => {
    rounds++
    advances$.next()
    while (given < rounds * tasks) await turn()
    for (let turns = 0; turns < 10; turns++) await turn()
  }

  it('keeps a queue a task, with barriers too', { timeout: 120_000 }, async () => {
    const before = arrays()
    const job = run(
      stream(timed).pipe(
        eventTime({ timeMs: n => n, outOfOrderMs: 0 }),
        filter(() => ++given < 0),
        keyBy(n => n),
        map(n => n),
        into(sink),
      ),
      { parallelism: tasks, keyGroups: tasks, store: memoryStore() },
    )
    await firstValueFrom(job.status$.pipe(where(({ kind }) => kind === 'running')))
    const grown = () => arrays() - before

    await advance()
    await advance()
    expect(grown()).toBeLessThan(channels / 2)

    job.configure({ checkpoints: { alignment: 'unaligned' } })
    expect((await job.triggerCheckpoint()).outcome).toBe('completed')
    await advance()
    expect(grown()).toBeLessThan(channels / 2)

    job.configure({ checkpoints: { alignment: 'aligned' } })
    const first = job.triggerCheckpoint()
    await advance()
    const second = job.savepoint(memoryStore())
    await advance()
    expect(grown()).toBeLessThan(channels / 2)

    full = false
    taken$.next()
    expect((await first).outcome).toBe('completed')
    await second
    await advance()
    expect(grown()).toBeLessThan(channels / 2)
    await job.cancel()
  })
})
