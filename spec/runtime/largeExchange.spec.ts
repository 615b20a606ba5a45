import { queryObjects } from 'node:v8'
import * as t from 'io-ts'
import { EMPTY, filter, firstValueFrom, NEVER } from 'rxjs'
import { memoryStore, type Sink, type Source, stream } from 'spillway'
import { into, keyBy, map } from 'spillway/operators'
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
    await firstValueFrom(job.status$.pipe(filter(({ kind }) => kind === 'running')))
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
