import { filter, firstValueFrom } from 'rxjs'
import { type Job, memoryStore, named, type Pipeline, type RunOptions, type Store, stream } from 'spillway'
import { fromArray, into, map } from 'spillway/operators'
import { expect, test } from 'vitest'
import { run } from '../run.ts'
import { slowCollect } from './restored.ts'

const numbers = Array.from({ length: 3_000 }, (_, n) => n)
const pipeline = (records: number[]): Pipeline =>
  stream(fromArray(numbers)).pipe(
    map(n => n),
    named('out', into(slowCollect(records, { macrotasks: 1 }))),
  )

const options = { checks: true, checkpoints: { retainedCount: 3 }, channels: { bufferRecordsMax: 4, buffersMax: 2 } }
const running = (job: Job) => firstValueFrom(job.status$.pipe(filter(({ kind }) => kind === 'running')))

/** Runs from `restore` until so many checkpoints are completed; `records` has what has been published by then. */
const ran = async (store: Store, checkpoints: number, restore: RunOptions['restore'] = 'latest') => {
  const records: number[] = []
  const ids: number[] = []
  const job = run(pipeline(records), { ...options, store, restore })
  const status = await running(job)
  for (let i = 0; i < checkpoints; i++) ids.push((await job.triggerCheckpoint()).id)
  await job.cancel()
  await job.done.catch(() => {})
  return { ids, records, resumedFrom: status.kind === 'running' ? status.resumedFrom?.checkpoint : undefined }
}

/** Runs to the end. */
const finished = async (store: Store, restore: RunOptions['restore'] = 'latest') => {
  const records: number[] = []
  await run(pipeline(records), { ...options, store, restore }).done
  return records
}

const isContiguous = (records: readonly number[]) =>
  records.every((n, i) => i === 0 || n === (records[i - 1] as number) + 1)

test('what sinks have published since an older checkpoint is not published again unasked', async () => {
  const store = memoryStore()
  const { ids } = await ran(store, 3)
  expect(ids).toEqual([1, 2, 3])
  await expect(finished(store, { checkpoint: 2 })).rejects.toMatchObject({
    code: 'WOULD_DUPLICATE',
    message: expect.stringMatching(/checkpoint 2: out may have published .* up to checkpoint 3/),
  })
  // Nothing has been written: the newest is where it was.
  expect((await ran(store, 0)).resumedFrom).toBe(3)
})

test('accepted, the job goes on from there, and every later start too, also one after a crash before any checkpoint', async () => {
  const store = memoryStore()
  const first = await ran(store, 3)
  const older = { checkpoint: 1, acceptDuplicates: true }
  expect((await ran(store, 0, older)).resumedFrom).toBe(1)
  const again = await ran(store, 1)
  expect(again.resumedFrom).toBe(1)
  // The newer ones are gone, but not their numbers.
  expect(again.ids).toEqual([4])
  const rest = await finished(store)
  const since = [...again.records, ...rest]
  expect(isContiguous(since)).toBe(true)
  expect(since.at(-1)).toBe(numbers.at(-1))
  expect((since[0] as number) <= (first.records.at(-1) as number)).toBe(true)
  await expect(finished(store, { checkpoint: 3, acceptDuplicates: true })).rejects.toMatchObject({
    code: 'CHECKPOINT_NOT_FOUND',
  })
})

test('the newest is no older one: it is restored without a word', async () => {
  const store = memoryStore()
  await ran(store, 2)
  expect((await ran(store, 0, { checkpoint: 2 })).resumedFrom).toBe(2)
})

test('a checkpoint that is not there is refused, with those that are', async () => {
  const store = memoryStore()
  await ran(store, 4)
  await expect(finished(store, { checkpoint: 1, acceptDuplicates: true })).rejects.toMatchObject({
    code: 'CHECKPOINT_NOT_FOUND',
    message: expect.stringContaining('It has 2, 3, 4.'),
  })
  await expect(finished(memoryStore(), { checkpoint: 1 })).rejects.toMatchObject({
    code: 'CHECKPOINT_NOT_FOUND',
    message: expect.stringContaining('It has none.'),
  })
})

test('a start that began anew is gone on from, not from what was before it', async () => {
  const store = memoryStore()
  await ran(store, 2)
  expect((await ran(store, 0, 'none')).resumedFrom).toBeUndefined()
  expect((await ran(store, 0)).resumedFrom).toBeUndefined()
  expect((await ran(store, 1)).ids).toEqual([3])
  expect(await finished(store)).toHaveLength(numbers.length)
})

test('a job that is done is not published again, wherever its output has been moved', async () => {
  const store = memoryStore()
  const records = await finished(store)
  expect(records).toEqual(numbers)
  expect(await finished(store)).toEqual([])
  expect(await finished(store)).toEqual([])
})
