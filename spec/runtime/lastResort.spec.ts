import * as t from 'io-ts'
import { EMPTY, map as mapped, Subject } from 'rxjs'
import {
  type JobStatus,
  keyedOperator,
  memoryStore,
  named,
  type Pipeline,
  type RunOptions,
  type Sink,
  type Store,
  stream,
} from 'spillway'
import { fromArray, into, keyBy, map } from 'spillway/operators'
import { runIn } from 'spillway/testing'
import { expect, test } from 'vitest'
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

  constructor(halves: boolean) {
    this.#halves = halves
  }

  /** Two jobs in one: the second has ended when the checkpoint is taken. */
  pipelines(): readonly Pipeline[] {
    const first = stream(fromArray(numbers)).pipe(
      keyBy(keyOf),
      counted,
      keyBy(({ n }) => n),
      map(of => of),
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

/** The store with a bit turned in every such object. */
const damaged = (store: Store, isDamaged: (object: string) => boolean): Store => ({
  ...store,
  get: (object, range) =>
    store.get(object, range).pipe(
      mapped(bytes => {
        const at = bytes.length >> 1
        return isDamaged(object) ? bytes.with(at, (bytes[at] as number) ^ 1) : bytes
      }),
    ),
})

const isInFlight = (object: string) => object.includes('in-flight')

test.each([
  { parallelism: 2, halves: false },
  { parallelism: 2, halves: true },
  { parallelism: 3, halves: false },
  { parallelism: 1, halves: true },
])(
  'a checkpoint whose in-flight data is damaged is started from without it, with parallelism $parallelism (halves: $halves)',
  async ({ parallelism, halves }) => {
    const scene = new Scene(halves)
    const checkpoint = await scene.stopped(0)
    const store = damaged(scene.store, isInFlight)
    await expect(scene.finished({ store, parallelism })).rejects.toMatchObject({
      code: 'DAMAGED',
      place: expect.stringContaining('in-flight'),
      remedy: expect.stringContaining(`restore: { checkpoint: ${checkpoint}, withoutInFlightData: true }`),
    })
    const from = await scene.finished({
      store,
      parallelism,
      restore: { checkpoint, withoutInFlightData: true },
    })
    const leftOut = from?.leftOut ?? []
    const lost = leftOut.reduce((sum, { records }) => sum + records, 0)
    expect(lost).toBeGreaterThan(200)
    expect(from?.message).toContain(
      `resumed from checkpoint ${checkpoint} without its in-flight data: ${lost} records left out: `,
    )
    // The source goes on from where it was, and nothing else is missing.
    const numbersOf = scene.results.records.map(({ n }) => n)
    expect(new Set(numbersOf).size).toBe(numbersOf.length)
    expect(numbersOf.length).toBe(numbers.length - lost)
    // State stays: each key's count goes up to all of its records that have come to it.
    const isBehind = ({ to }: { readonly to?: string }) => to?.startsWith('2:') === true
    const behind = leftOut.filter(of => of.kind === 'channel' && isBehind(of)).reduce((sum, of) => sum + of.records, 0)
    const largest = new Map<number, number>()
    for (const { n, count } of scene.results.records) {
      largest.set(keyOf(n), Math.max(count, largest.get(keyOf(n)) ?? 0))
    }
    expect([...largest.values()].reduce((sum, count) => sum + count, 0)).toBe(numbers.length - (lost - behind))
    // What had ended stays so.
    expect(scene.few.records).toEqual([1, 2, 3])
  },
)
