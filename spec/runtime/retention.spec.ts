import * as t from 'io-ts'
import { defer, EMPTY, filter, firstValueFrom, Subject } from 'rxjs'
import { type Job, memoryStore, named, type Pipeline, type RunOptions, type Sink, type Store, stream } from 'spillway'
import { fromArray, into, keyBy, scan } from 'spillway/operators'
import { expect, test } from 'vitest'
import { msgpackEncoding } from '../../lib/snapshot/encoding.ts'
import { readEntry } from '../../lib/snapshot/log.ts'
import { objectsOf } from '../../lib/snapshot/snapshot.ts'
import { run, runIn } from '../run.ts'
import { slowCollect, stepped } from './restored.ts'

const numbers = Array.from({ length: 3_000 }, (_, n) => n)
const pipeline = (): Pipeline =>
  stream(fromArray(numbers)).pipe(
    keyBy(n => n % 3),
    scan((sum: number, n) => sum + n, 0),
    named('out', into(slowCollect<number>([], { macrotasks: 1 }))),
  )

const started = (store: Store, options: RunOptions = {}): Job => {
  const job = run(pipeline(), {
    ...{ store, checks: true, channels: { bufferRecordsMax: 4, buffersMax: 2 } },
    ...options,
    checkpoints: { retainedCount: 3, inlineBytesMax: 0, incremental: false, ...options.checkpoints },
  })
  job.done.catch(() => {})
  return job
}

/** Or failed: then it rejects. */
const running = (job: Job): Promise<unknown> =>
  Promise.race([job.done, firstValueFrom(job.status$.pipe(filter(({ kind }) => kind === 'running')))])

/** Takes so many checkpoints in a run of its own. */
const taken = async (store: Store, count: number, options?: RunOptions): Promise<void> => {
  const job = started(store, options)
  await running(job)
  for (let i = 0; i < count; i++) await job.triggerCheckpoint()
  await job.cancel()
}

const objectsIn = (store: Store) => firstValueFrom(store.list(''))

/** The checkpoints that have objects in the store. */
const keptIn = async (store: Store): Promise<readonly number[]> => {
  const ids = (await objectsIn(store)).flatMap(object => /c(\d+)\//.exec(object)?.[1] ?? [])
  return [...new Set(ids.map(Number))]
}

/** Those that a start may be given by their ids. */
const restorable = async (store: Store): Promise<string> => {
  const error = await running(started(store, { restore: { checkpoint: 1_000 } })).then(
    () => undefined,
    error => error,
  )
  return /It has (.*?)\./.exec(error.message)?.[1] ?? ''
}

test('so many completed checkpoints are kept, also from one run to the next', async () => {
  const store = memoryStore()
  await taken(store, 5)
  expect([await keptIn(store), await restorable(store)]).toEqual([[3, 4, 5], '3, 4, 5'])
  await taken(store, 0)
  expect([await keptIn(store), await restorable(store)]).toEqual([[3, 4, 5], '3, 4, 5'])
  await taken(store, 1)
  expect([await keptIn(store), await restorable(store)]).toEqual([[4, 5, 6], '4, 5, 6'])
  // Fewer are kept from the next start on.
  await taken(store, 0, { checkpoints: { retainedCount: 2 } })
  expect([await keptIn(store), await restorable(store)]).toEqual([[5, 6], '5, 6'])
})

test('at another parallelism too, and one of the older parallelism may be gone back to', async () => {
  const store = memoryStore()
  await taken(store, 3)
  await taken(store, 1, { parallelism: 2 })
  expect([await keptIn(store), await restorable(store)]).toEqual([[2, 3, 4], '2, 3, 4'])
  await taken(store, 0, { parallelism: 2, restore: { checkpoint: 3, acceptDuplicates: true } })
  expect([await keptIn(store), await restorable(store)]).toEqual([[2, 3], '2, 3'])
  await taken(store, 1)
  expect([await keptIn(store), await restorable(store)]).toEqual([[2, 3, 5], '2, 3, 5'])
})

test('checkpoints go on while the store is still deleting, and what is deleted is no longer needed', async () => {
  const inner = memoryStore()
  const asked: string[] = []
  const store: Store = {
    ...inner,
    delete: object => {
      asked.push(object)
      return new Subject<void>()
    },
  }
  const job = started(store, { checkpoints: { retainedCount: 1 } })
  await running(job)
  for (let i = 0; i < 4; i++) expect((await job.triggerCheckpoint()).outcome).toBe('completed')
  await job.cancel()
  expect(asked.length).toBeGreaterThan(0)
  expect(await keptIn(inner)).toEqual([1, 2, 3, 4])
  await taken(inner, 0, { checkpoints: { retainedCount: 1 } })
  expect(await keptIn(inner)).toEqual([4])
})

/** A store whose process is gone as it is about to carry out that many deletions. */
const dyingAt = (inner: Store, deletions: number): Store & { readonly died: Promise<void> } => {
  let [left, die] = [deletions, () => {}]
  const died = new Promise<void>(resolve => {
    die = resolve
  })
  const dying = <T>(deletion: T): T => {
    if (left-- > 0) return deletion
    die()
    return new Subject<void>() as T
  }
  return { ...inner, died, delete: of => dying(inner.delete(of)), deleteEntry: n => dying(inner.deleteEntry(n)) }
}

test('a crash between any two deletions leaves only entries whose objects are all there, and the next start deletes the rest', async () => {
  for (let deletions = 0; deletions <= 6; deletions++) {
    const inner = memoryStore()
    await taken(inner, 2, { checkpoints: { retainedCount: 2 } })
    const store = dyingAt(inner, deletions)
    const job = started(store, { checkpoints: { retainedCount: 1 } })
    await Promise.race([running(job), store.died])
    for (let i = 0; i < 4; i++) await Promise.race([job.triggerCheckpoint().catch(() => {}), store.died])
    await job.cancel()
    expect(await objectsIn(inner), `${deletions} deletions`).toEqual(
      expect.arrayContaining([...(await namedIn(inner))]),
    )
    await taken(inner, 0, { checkpoints: { retainedCount: 1 } })
    expect(await keptIn(inner), `${deletions} deletions`).toHaveLength(1)
  }
})

/** What the log's entries name. */
const namedIn = async (store: Store): Promise<readonly string[]> => {
  const named: string[] = []
  for (const n of await firstValueFrom(store.entries())) {
    const entry = readEntry(n, await firstValueFrom(store.entry(n)), msgpackEncoding())
    if (entry.kind === 'commit') named.push(...entry.parts.flatMap(({ tasks }) => tasks.flatMap(objectsOf)))
  }
  return named
}

test('orphans of any earlier run are removed at the start, and what it goes on from stays', async () => {
  const store = memoryStore()
  await taken(store, 1)
  const before = await objectsIn(store)
  // A part whose entry never came, of the run before the last; a task's last snapshot; in-flight data.
  for (const object of ['e000001/c000002/0%3Aa%2F0', 'e000002/ended/a.1', 'e000002/c000003/in-flight.1']) {
    await firstValueFrom(store.put(object, new Uint8Array(3)))
  }
  await taken(store, 0)
  expect(await objectsIn(store)).toEqual(before)
})

test('an entry that is back after a power failure, without its objects, is not offered', async () => {
  const store = memoryStore()
  await taken(store, 3)
  const entries = await firstValueFrom(store.entries())
  const [first] = entries.slice(1)
  const bytes = await firstValueFrom(store.entry(first as number))
  await taken(store, 2)
  await firstValueFrom(store.append(first as number, bytes))
  expect(await restorable(store)).toBe('3, 4, 5')
  await taken(store, 0)
  expect(await keptIn(store)).toEqual([3, 4, 5])
})

/** What is behind a sink: it holds transactions until they are published, or until a start names them no more. */
class Remote {
  readonly visible: number[] = []
  readonly held = new Map<string, readonly number[]>()
  isDown = true

  sink(): Sink<number, string> {
    const publish = (ids: readonly string[]) =>
      defer(() => {
        if (this.isDown && ids.length > 0) throw new Error('nobody answers')
        for (const id of ids) {
          this.visible.push(...(this.held.get(id) ?? []))
          this.held.delete(id)
        }
        return EMPTY
      })
    return {
      name: 'remote',
      transaction: t.string,
      open: ({ epoch }) => {
        let [open, isBusy] = [[] as number[], false]
        const ready$ = new Subject<void>()
        return {
          mayWrite: () => !isBusy,
          ready$,
          write(batch) {
            open.push(...batch)
            isBusy = true
            setImmediate(() => {
              isBusy = false
              ready$.next()
            })
          },
          cut: checkpoint => {
            const id = `${epoch}.${checkpoint}`
            this.held.set(id, open)
            open = []
            return { tx: id, durable: EMPTY }
          },
          publish,
          recover: ({ publish: ids }) => {
            for (const id of this.held.keys()) if (!ids.includes(id)) this.held.delete(id)
            return publish(ids)
          },
          close() {},
        }
      },
    }
  }
}

test('transactions that are not published yet outlive the checkpoints that they were of', async () => {
  const store = memoryStore()
  const remote = new Remote()
  const job = () =>
    runIn(
      stepped(() => {}),
      stream(fromArray(numbers)).pipe(into(remote.sink())),
      {
        ...{ store, checks: true, channels: { bufferRecordsMax: 4, buffersMax: 2 } },
        checkpoints: { retainedCount: 1, inlineBytesMax: 0, incremental: false },
      },
    )
  const first = job()
  first.done.catch(() => {})
  await running(first)
  for (let i = 0; i < 4; i++) await first.triggerCheckpoint()
  await first.cancel()
  expect(await keptIn(store)).toHaveLength(1)
  expect(remote.held.size).toBe(4)
  expect(remote.visible).toEqual([])
  remote.isDown = false
  await job().done
  expect(remote.visible).toEqual(numbers)
})
