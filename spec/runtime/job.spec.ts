import * as t from 'io-ts'
import * as rx from 'rxjs'
import { keyedOperator, memoryStore, SpillwayError, type Store, stream } from 'spillway'
import { collect, fromArray, into, keyBy, map, scan } from 'spillway/operators'
import { expect, test } from 'vitest'
import { run } from '../run.ts'

const numbers = (length: number) => Array.from({ length }, (_, n) => n)
const counted = (records: readonly number[], options: { splits?: number } = {}) => {
  const sink = collect<number>()
  const pipeline = stream(fromArray(records, options)).pipe(
    keyBy(n => n % 3),
    scan(total => total + 1, 0, t.number),
    into(sink),
  )
  return { sink, pipeline }
}

test('a job says what it does, and what it resumed from', async () => {
  const store = memoryStore()
  const { pipeline, sink } = counted(numbers(100_000))
  const first = run(pipeline, { store })
  const kinds: unknown[] = []
  first.status$.subscribe(status => kinds.push(status.kind))
  await rx.firstValueFrom(first.status$.pipe(rx.filter(({ kind }) => kind === 'running')))
  const report = await first.triggerCheckpoint({ alignment: 'unaligned' })
  expect(report).toMatchObject({ outcome: 'completed', alignment: 'unaligned', kind: 'checkpoint' })
  expect(report.summary).toContain(`checkpoint ${report.id} (unaligned) took`)
  expect(report.tasks).toHaveLength(2)
  await first.cancel()
  expect(kinds.slice(-2)).toEqual(['running', 'cancelled'])
  await expect(first.done).rejects.toMatchObject({ code: 'CANCELLED' })
  await expect(first.triggerCheckpoint()).rejects.toMatchObject({ code: 'NOT_RUNNING' })

  const second = run(pipeline, { store })
  const running = await rx.firstValueFrom(second.status$.pipe(rx.filter(status => status.kind === 'running')))
  expect(running.kind === 'running' && running.resumedFrom).toMatchObject({ checkpoint: report.id })
  expect(running.kind === 'running' && running.resumedFrom?.message).toContain(`resumed from checkpoint ${report.id}`)
  await second.done
  expect(sink.records).toHaveLength(100_000)
})

test('checkpoint ids are never used again, and restore: "none" begins anew', async () => {
  const store = memoryStore()
  const ids: number[] = []
  const published: number[] = []
  for (const restore of ['latest', 'none', 'latest'] as const) {
    const { pipeline, sink } = counted(numbers(10))
    const job = run(pipeline, { store, restore })
    job.checkpoints$.subscribe(({ id }) => ids.push(id))
    await job.done
    published.push(sink.records.length)
  }
  expect(ids).toEqual([1, 2])
  // The last one goes on from what is done, and published.
  expect(published).toEqual([10, 10, 0])
})

test('an older run of the same store is fenced off by a newer one', async () => {
  const store = memoryStore()
  const older = run(counted(numbers(3_000_000)).pipeline, { store })
  await rx.firstValueFrom(older.status$.pipe(rx.filter(({ kind }) => kind === 'running')))
  const newer = run(counted(numbers(10)).pipeline, { store })
  const failure = older.done.catch((error: SpillwayError) => error)
  await newer.done
  older.triggerCheckpoint().catch(() => {})
  expect(await failure).toMatchObject({ code: 'FENCED' })
})

/** A store whose puts fail while `fails` says so. */
const failing = (fails: (object: string) => boolean): Store => {
  const inner = memoryStore()
  const error = () => new SpillwayError('STORE_FAILED', { place: 'test', problem: 'no space.', remedy: 'Make room.' })
  return {
    ...inner,
    put: (object, bytes) => rx.defer(() => (fails(object) ? rx.throwError(error) : inner.put(object, bytes))),
  }
}

test('a checkpoint that cannot be written fails, the job goes on, and the next one succeeds', async () => {
  let full = true
  const { pipeline, sink } = counted(numbers(200_000))
  const job = run(pipeline, { store: failing(() => full), checkpoints: { inlineBytesMax: 0 } })
  await rx.firstValueFrom(job.status$.pipe(rx.filter(({ kind }) => kind === 'running')))
  const failed = await job.triggerCheckpoint()
  expect(failed).toMatchObject({ outcome: 'failed' })
  expect(failed.reason).toContain('no space')
  full = false
  expect(await job.triggerCheckpoint()).toMatchObject({ outcome: 'completed' })
  await job.done
  expect(sink.records).toHaveLength(200_000)
})

test('a last snapshot that cannot be written for a moment does not hold the job up', async () => {
  let failures = 0
  const { pipeline, sink } = counted(numbers(10))
  const store = failing(object => object.includes('/ended/') && failures++ < 1)
  await run(pipeline, { store, checkpoints: { inlineBytesMax: 0 } }).done
  expect(failures).toBeGreaterThan(1)
  expect(sink.records).toHaveLength(10)
})

test('state that cannot be encoded, which no sample has seen, fails the checkpoint, and in the end the job, naming operator and path', async () => {
  const odd = keyedOperator<number, number, number>('odd', ({ state }) => {
    const value = state.value<unknown>('value', t.unknown, undefined)
    return { record: n => value.set(n === 4 ? { since: () => n } : n) }
  })
  const pipeline = stream(fromArray(numbers(10))).pipe(
    keyBy(n => n),
    odd,
    into(collect<number>()),
  )
  await expect(run(pipeline).done).rejects.toMatchObject({
    code: 'CHECKPOINT_FAILED',
    message: expect.stringMatching(/odd, state value at \[\d\]\[2\]\.since/),
  })
})

test('a source that has other splits than the store says is refused', async () => {
  const store = memoryStore()
  const job = run(counted(numbers(300_000), { splits: 2 }).pipeline, { store })
  await rx.firstValueFrom(job.status$.pipe(rx.filter(({ kind }) => kind === 'running')))
  await job.triggerCheckpoint()
  await job.cancel()
  const other = run(counted(numbers(300_000), { splits: 3 }).pipeline, { store })
  await expect(other.done).rejects.toMatchObject({ code: 'STATE_WOULD_BE_DROPPED' })
})

test('state of another type is refused before anything is written', async () => {
  const store = memoryStore()
  const job = run(counted(numbers(300_000)).pipeline, { store })
  await rx.firstValueFrom(job.status$.pipe(rx.filter(({ kind }) => kind === 'running')))
  await rx.lastValueFrom(rx.timer(20))
  await job.triggerCheckpoint()
  await job.cancel()
  const entries = await rx.lastValueFrom(store.entries())
  const pipeline = stream(fromArray(numbers(300_000))).pipe(
    keyBy(n => n % 3),
    scan(text => `${text}.`, '', t.string),
    into(collect<string>()),
  )
  await expect(run(pipeline, { store }).done).rejects.toMatchObject({
    code: 'STATE_NOT_MATCHED',
    message: expect.stringContaining('accumulator'),
  })
  expect(await rx.lastValueFrom(store.entries())).toEqual(entries)
})

test('a stream that is consumed twice runs its operator once in a task', async () => {
  let calls = 0
  const doubled = stream(fromArray(numbers(10))).pipe(
    map(n => {
      calls++
      return 2 * n
    }),
  )
  const [left, right] = [collect<number>(), { ...collect<number>(), name: 'right' }]
  await run([doubled.pipe(into(left)), doubled.pipe(into(right))]).done
  expect(calls).toBe(10)
  expect(left.records).toEqual(right.records)
})

test('a deep value of state may be changed by an Immer recipe', async () => {
  const sink = collect<unknown>()
  const visits = keyedOperator<number, string, unknown>('visits', ({ state }) => {
    const seen = state.value<{ readonly last: { readonly n: number }; readonly all: readonly number[] }>(
      'seen',
      t.any,
      {
        last: { n: -1 },
        all: [],
      },
    )
    return {
      record: (n, out) => {
        out.emit(
          seen.produce(draft => {
            draft.last.n = n
            draft.all.push(n)
          }),
        )
      },
    }
  })
  await run(
    stream(fromArray([1, 2])).pipe(
      keyBy(() => 'k'),
      visits,
      into(sink),
    ),
    { checks: true },
  ).done
  expect(sink.records).toEqual([
    { last: { n: 1 }, all: [1] },
    { last: { n: 2 }, all: [1, 2] },
  ])
})

test('with checks a record that is changed after it was emitted throws where it is changed', async () => {
  const kept: { n: number }[] = []
  const pipeline = stream(fromArray([1, 2])).pipe(
    map(n => {
      const record = { n }
      kept.push(record)
      if (n === 2) (kept[0] as { n: number }).n = 7
      return record
    }),
    into(collect<{ n: number }>()),
  )
  await expect(run(pipeline, { checks: true, channels: { bufferRecordsMax: 1 } }).done).rejects.toMatchObject({
    code: 'USER_FUNCTION_FAILED',
  })
})

test('a start does not fail over what an earlier one has left behind', async () => {
  const inner = memoryStore()
  const store: Store = {
    ...inner,
    delete: () =>
      rx.throwError(() => new SpillwayError('STORE_FAILED', { place: 'test', problem: 'read only.', remedy: 'Wait.' })),
  }
  await rx.lastValueFrom(inner.put('e000001/c000001/leftover', new Uint8Array(1)), { defaultValue: undefined })
  const { pipeline, sink } = counted(numbers(10))
  await run(pipeline, { store }).done
  expect(sink.records).toHaveLength(10)
})

test('a checkpoint asked for before the job runs is refused', async () => {
  const inner = memoryStore()
  const store: Store = { ...inner, entries: () => inner.entries().pipe(rx.delay(1)) }
  const job = run(counted(numbers(10)).pipeline, { store })
  await expect(job.triggerCheckpoint()).rejects.toMatchObject({ code: 'NOT_RUNNING' })
  await job.done
})
