import * as t from 'io-ts'
import { EMPTY, firstValueFrom, map as mapped, Subject } from 'rxjs'
import {
  fixedDelay,
  type JobStatus,
  keyedOperator,
  keyedWithBroadcast,
  type LeftOut,
  memoryStore,
  named,
  type Pipeline,
  type RunOptions,
  type Sink,
  type Store,
  stream,
} from 'spillway'
import { broadcast, fromArray, into, keyBy, map } from 'spillway/operators'
import { expect, test } from 'vitest'
import { runIn } from '../run.ts'
import { stepped } from './restored.ts'

interface Counted {
  readonly n: number
  /** How many of its key have come so far. */
  readonly count: number
}

/** Takes nothing while it is closed; what it publishes outlives the runs. */
class Outside<T> {
  isOpen = true
  readonly records: T[] = []
  readonly #published = new Set<string>()

  sink(): Sink<T> {
    const publish = (transactions: readonly { id: string; all: readonly T[] }[]) => {
      for (const { id, all } of transactions) {
        if (!this.#published.has(id)) this.records.push(...all)
        this.#published.add(id)
      }
      return EMPTY
    }
    return {
      name: 'outside',
      transaction: t.type({ id: t.string, all: t.readonlyArray(t.any) }),
      open: ({ epoch, subtask }) => {
        let all: T[] = []
        return {
          mayWrite: () => this.isOpen,
          ready$: new Subject<void>(),
          write: batch => void all.push(...batch),
          cut(checkpoint) {
            if (all.length === 0) return undefined
            const tx = { id: `${epoch} ${subtask.index} ${checkpoint}`, all }
            all = []
            return { tx, durable: EMPTY }
          },
          publish,
          recover: ({ publish: left }) => publish(left),
          close: () => {},
        }
      },
    }
  }
}

const numbers = Array.from({ length: 900 }, (_, n) => n)
const keyOf = (n: number) => n % 7

const counted = keyedOperator<number, number, Counted>('counted', ({ state }) => {
  const count = state.value('count', t.number, 0)
  return { record: (n, out) => out.emit({ n, count: count.update(before => before + 1) }) }
})

class Scene {
  readonly results = new Outside<Counted>()
  readonly few = new Outside<number>()
  readonly store = memoryStore()
  readonly #halves: boolean
  onResult = () => {}

  constructor(halves: boolean) {
    this.#halves = halves
  }

  /** Two jobs in one: the second has ended when the checkpoint is taken. */
  pipelines(): readonly Pipeline[] {
    const first = stream(fromArray(numbers)).pipe(
      keyBy(keyOf),
      counted,
      keyBy(({ n }) => n),
      map(of => {
        this.onResult()
        return of
      }),
      named('results', into(this.results.sink())),
    )
    return [first, stream(fromArray([1, 2, 3], { name: 'few' })).pipe(named('published few', into(this.few.sink())))]
  }

  run(options: RunOptions) {
    const job = runIn(
      stepped(() => {}, this.#halves),
      this.pipelines(),
      {
        store: this.store,
        parallelism: 2,
        checks: true,
        channels: { buffersMax: 3, bufferRecordsMax: 32 },
        ...options,
      },
    )
    job.done.catch(() => {})
    return job
  }

  /** A checkpoint with records in all channels, which stand in files of their own, or in the entry; gives its id. */
  async stopped(inlineBytesMax: number): Promise<number> {
    this.results.isOpen = false
    const job = this.run({ checkpoints: { inlineBytesMax } })
    for (let macrotask = 0; macrotask < 60; macrotask++) await new Promise(resolve => setImmediate(resolve))
    const { id, inFlightRecords } = await job.triggerCheckpoint({ alignment: 'unaligned' })
    expect(inFlightRecords).toBeGreaterThan(200)
    await job.cancel()
    this.results.isOpen = true
    return id
  }

  async finished(options: RunOptions) {
    const statuses: JobStatus[] = []
    const job = this.run(options)
    job.status$.subscribe(status => statuses.push(status))
    await job.done
    return statuses.flatMap(status => (status.kind === 'running' ? (status.resumedFrom ?? []) : []))[0]
  }
}

/** With a bit turned. */
const spoilt = (bytes: Uint8Array, at: number): Uint8Array => bytes.with(at, (bytes[at] as number) ^ 1)

/** In which in-flight data is damaged: that in files of its own, or the last chunk in an entry, which stands before its index. */
const damaged = (store: Store): Store => ({
  ...store,
  get: (object, range) =>
    store
      .get(object, range)
      .pipe(mapped(bytes => (object.includes('in-flight') ? spoilt(bytes, bytes.length >> 1) : bytes))),
  entry: n =>
    store.entry(n).pipe(
      mapped(bytes => {
        const trailer = bytes.length - 12
        const index = trailer - new DataView(bytes.buffer, bytes.byteOffset).getUint32(trailer)
        const isThere = new TextDecoder().decode(bytes.subarray(index)).includes('in flight')
        return isThere ? spoilt(bytes, index - 1) : bytes
      }),
    ),
})

test.each([
  { parallelism: 2, halves: false, inlineBytesMax: 0, place: 'in-flight.' },
  { parallelism: 2, halves: true, inlineBytesMax: 0, place: 'in-flight.' },
  { parallelism: 3, halves: false, inlineBytesMax: 0, place: 'in-flight.' },
  { parallelism: 1, halves: true, inlineBytesMax: 0, place: 'in-flight.' },
  { parallelism: 2, halves: false, inlineBytesMax: 1_000_000, place: 'log entry 2' },
  { parallelism: 3, halves: true, inlineBytesMax: 1_000_000, place: 'log entry 2' },
])(
  'a checkpoint whose in-flight data is damaged is started from without it ($place, parallelism $parallelism, halves: $halves)',
  async ({ parallelism, halves, inlineBytesMax, place }) => {
    const scene = new Scene(halves)
    const checkpoint = await scene.stopped(inlineBytesMax)
    const store = damaged(scene.store)
    await expect(scene.finished({ store, parallelism })).rejects.toMatchObject({
      code: 'DAMAGED',
      place: expect.stringContaining(place),
      remedy: expect.stringContaining(`restore: { checkpoint: ${checkpoint}, withoutInFlightData: true }`),
    })
    const restore = { checkpoint, withoutInFlightData: true }
    const from = await scene.finished({ store, parallelism, restore })
    const leftOut = from?.leftOut ?? []
    const lost = leftOut.reduce((sum, { records }) => sum + records, 0)
    expect(lost).toBeGreaterThan(200)
    expect(from?.message).toMatch(
      `resumed from checkpoint ${checkpoint} without its in-flight data: ${lost} records left out: `,
    )
    // The source goes on from where it was, and nothing else is missing.
    const published = scene.results.records
    expect(new Set(published.map(({ n }) => n)).size).toBe(numbers.length - lost)
    expect(published).toHaveLength(numbers.length - lost)
    // State stays: each key's count goes up to all of its records that have come to it.
    const behind = leftOut.reduce(
      (sum, of) => sum + (of.kind === 'channel' && of.to.startsWith('2:') ? of.records : 0),
      0,
    )
    const counts = new Map<number, number>()
    for (const { n, count } of published) counts.set(keyOf(n), Math.max(count, counts.get(keyOf(n)) ?? 0))
    expect([...counts.values()].reduce((sum, count) => sum + count, 0)).toBe(numbers.length - (lost - behind))
    // What had ended stays so.
    expect(scene.few.records).toEqual([1, 2, 3])
  },
)

test('in-flight data that is gone is no more than damaged', async () => {
  const scene = new Scene(false)
  const checkpoint = await scene.stopped(0)
  for (const object of await firstValueFrom(scene.store.list(''))) {
    if (object.includes('in-flight')) await firstValueFrom(scene.store.delete(object))
  }
  await expect(scene.finished({})).rejects.toMatchObject({ code: 'OBJECT_NOT_FOUND' })
  await expect(scene.finished({ restore: { checkpoint } })).rejects.toMatchObject({ code: 'CHECKPOINT_NOT_FOUND' })
  const from = await scene.finished({ restore: { checkpoint, withoutInFlightData: true } })
  expect(from?.leftOut?.length).toBeGreaterThan(0)
})

test('what was left out is so too if the tasks are restarted before their first checkpoint', async () => {
  const scene = new Scene(false)
  const checkpoint = await scene.stopped(0)
  let failures = 1
  scene.onResult = () => {
    if (failures-- > 0) throw new Error('once')
  }
  const options = { store: damaged(scene.store), restart: fixedDelay({ delayMs: 1, attemptsMax: 1 }) }
  const from = await scene.finished({ ...options, restore: { checkpoint, withoutInFlightData: true } })
  const lost = from?.leftOut?.reduce((sum, { records }) => sum + records, 0) ?? 0
  expect(failures).toBeLessThan(1)
  expect(new Set(scene.results.records.map(({ n }) => n)).size).toBe(numbers.length - lost)
})

/** Records and broadcast rules of which each has many results, so that calls are suspended, and each task has had other rules. */
const ruled = (results: Outside<string>): Pipeline =>
  keyedWithBroadcast<number, number, number, string>(
    'ruled',
    stream(fromArray(numbers.slice(0, 120), { name: 'records', splits: 2 })).pipe(keyBy(keyOf)),
    stream(fromArray([1, 2, 3, 4, 5], { name: 'rules' }), { parallelism: 1 }).pipe(broadcast()),
    ({ state, broadcastState }) => {
      const met = state.value('met', t.number, 0)
      const known = broadcastState.value('known', t.number, 0)
      return {
        *record(n) {
          met.update(count => count + 1)
          for (let part = 0; part < 4; part++) yield `${n}, ${part}`
        },
        *broadcast(rule) {
          known.set(rule)
          for (const key of met.keys()) yield `rule ${rule} for ${key}`
        },
      }
    },
    { effect: 'keysAndResults' },
  ).pipe(
    keyBy(result => result),
    map(result => result),
    named('results', into(results.sink())),
  )

/** Runs until a checkpoint that is asked for in this turn; its id, unless the job ended before. */
const stoppedIn = async (turn: number, results: Outside<string>, options: RunOptions): Promise<number | undefined> => {
  let taken: Promise<number> | undefined
  const job = runIn(
    stepped(at => {
      if (at === turn) taken = job.triggerCheckpoint({ alignment: 'unaligned' }).then(({ id }) => id)
      taken?.then(() => job.cancel()).catch(() => {})
    }),
    ruled(results),
    options,
  )
  await job.done.catch(() => {})
  return taken?.catch(() => undefined)
}

test('also with calls under way, lines of broadcast state and generations of another parallelism: the job ends, and nothing comes twice', async () => {
  const leftOut = new Set<LeftOut['kind']>()
  let tried = 0
  for (let turn = 10; turn < 100; turn += 20) {
    for (const parallelism of [2, 3]) {
      const results = new Outside<string>()
      const options = { store: memoryStore(), checks: true, channels: { buffersMax: 2, bufferRecordsMax: 4 } }
      await stoppedIn(turn, results, { ...options, parallelism: 2 })
      const checkpoint = await stoppedIn(turn, results, { ...options, parallelism: 3 })
      if (checkpoint === undefined) continue
      const restore = { checkpoint, withoutInFlightData: true }
      const job = runIn(
        stepped(() => {}),
        ruled(results),
        { ...options, parallelism, restore },
      )
      job.status$.subscribe(status => {
        for (const { kind } of (status.kind === 'running' && status.resumedFrom?.leftOut) || []) leftOut.add(kind)
      })
      await job.done
      const records = results.records.filter(result => !result.startsWith('rule'))
      expect(new Set(records).size, `turn ${turn}, parallelism ${parallelism}`).toBe(records.length)
      tried++
    }
  }
  expect(tried).toBeGreaterThan(5)
  expect([...leftOut].sort()).toEqual(['channel', 'operator'])
})

test.each([
  [{ withoutInFlightData: true }, 'INVALID_OPTION', 'checkpoint'],
  [{ checkpoint: 1, withoutInFlightData: 'yes' }, 'INVALID_OPTION', 'withoutInFlightData'],
  [{ checkpoint: 1, withoutInflightData: true }, 'UNKNOWN_OPTION', 'run options.restore.withoutInflightData'],
])('only a checkpoint by its id is restored without its in-flight data: %j is %s', (restore, code, said) => {
  // The types refuse each of these.
  const options = { restore } as RunOptions
  expect(() =>
    runIn(
      stepped(() => {}),
      new Scene(false).pipelines(),
      options,
    ),
  ).toThrow(expect.objectContaining({ code, message: expect.stringContaining(said) }))
})
