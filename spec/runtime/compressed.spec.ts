import * as t from 'io-ts'
import { filter, firstValueFrom } from 'rxjs'
import { type Compression, memoryStore, type RunOptions, type Store, stream } from 'spillway'
import { zlib } from 'spillway/node'
import { collect, fromArray, into, keyBy, scan } from 'spillway/operators'
import { expect, test } from 'vitest'
import { run } from '../run.ts'

const count = 200_000
const keys = 5_000

/** Two pipelines: the state of the first is large; the second ends before the first checkpoint, so its last snapshot is carried over. */
const counted = () => {
  const [sums, names] = [collect<number>(), { ...collect<string>(), name: 'names' }]
  const numbers = { ...fromArray(Array.from({ length: count }, (_, n) => n)), name: 'numbers' }
  const words = { ...fromArray(Array.from({ length: 500 }, (_, n) => `a longer word, number ${n}`)), name: 'words' }
  return {
    sums,
    pipelines: [
      stream(numbers).pipe(
        keyBy(n => `key-${n % keys}`),
        scan(total => total + 1, 0, t.number),
        into(sums),
      ),
      stream(words).pipe(into(names)),
    ],
  }
}

/** Runs until a checkpoint has been taken in the middle, or to the end; gives the bytes of state. */
const ran = async (
  { pipelines }: ReturnType<typeof counted>,
  { store, checkpoints, until }: { store: Store; until: 'checkpoint' | 'end' } & Pick<RunOptions, 'checkpoints'>,
): Promise<number> => {
  const job = run(pipelines, { store, ...(checkpoints === undefined ? {} : { checkpoints }) })
  if (until === 'end') {
    await job.done
    return 0
  }
  await firstValueFrom(job.status$.pipe(filter(({ kind }) => kind === 'running')))
  while (!job.sources().some(({ source, recordsRead }) => source === 'numbers' && recordsRead > keys)) {
    await new Promise(resolve => setImmediate(resolve))
  }
  const report = await job.triggerCheckpoint()
  expect(report.outcome).toBe('completed')
  await job.cancel()
  return report.tasks.reduce((sum, { stateBytes }) => sum + stateBytes, 0)
}

const trimming: Compression = {
  name: 'without the end',
  compress: bytes => bytes.subarray(0, -1),
  decompress: (bytes, length) => Uint8Array.from({ length }, (_, i) => bytes[i] ?? 0),
}

type Written = NonNullable<RunOptions['checkpoints']>

test.each<[string, Written, Written]>([
  ['written without, read with a compression', {}, { compression: zlib() }],
  ['written with one, read by a job that writes without', { compression: zlib() }, { oldCompressions: [zlib()] }],
  ['written with one, read with one of another level', { compression: zlib() }, { compression: zlib({ level: 9 }) }],
])('a store that is %s goes on: nothing is lost', async (_, before, after) => {
  const store = memoryStore()
  const job = counted()
  await ran(job, { store, checkpoints: before, until: 'checkpoint' })
  // Its commits carry over what the first run has written of the tasks that have ended.
  await ran(job, { store, checkpoints: after, until: 'checkpoint' })
  await ran(job, { store, checkpoints: { ...after, ...before }, until: 'end' })
  expect(job.sums.records).toHaveLength(count)
})

test('state gets smaller', async () => {
  const plain = await ran(counted(), { store: memoryStore(), until: 'checkpoint' })
  const zipped = await ran(counted(), {
    store: memoryStore(),
    checkpoints: { compression: zlib() },
    until: 'checkpoint',
  })
  expect(zipped).toBeLessThan(plain / 2)
})

test('a job without the compression is told its name and what to do, before anything is written', async () => {
  const store = memoryStore()
  await ran(counted(), { store, checkpoints: { compression: zlib() }, until: 'checkpoint' })
  const before = await firstValueFrom(store.entries())
  const failure = run(counted().pipelines, { store, checkpoints: { compression: trimming } }).done
  await expect(failure).rejects.toMatchObject({ code: 'FORMAT_UNKNOWN' })
  await expect(failure).rejects.toThrow(
    /section .*: it is compressed by "zlib", and the job has been given "without the end".*checkpoints\.oldCompressions/,
  )
  expect(await firstValueFrom(store.entries())).toEqual(before)
})
