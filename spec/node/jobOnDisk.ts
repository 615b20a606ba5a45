import * as t from 'io-ts'
import { defer, EMPTY, Subject } from 'rxjs'
import { type Job, type Pipeline, type RunOptions, run, type Sink, stream } from 'spillway'
import { fileStore } from 'spillway/node'
import { fromArray, into, keyBy, map, scan } from 'spillway/operators'
import type { LosingDisk, Process, Running } from '../store/losingDisk.ts'

/** What is behind the sink: it has power of its own. */
export class Outside {
  readonly records: string[] = []
  readonly #published = new Set<string>()

  publish({ id, records }: Transaction): void {
    if (this.#published.has(id)) return
    this.#published.add(id)
    this.records.push(...records)
  }
}

interface Transaction {
  readonly id: string
  readonly records: readonly string[]
}

/** Takes some records a macrotask, so that a job has time for some checkpoints. */
const slowly = (outside: Outside): Sink<string, Transaction> => ({
  name: 'slowly',
  transaction: t.type({ id: t.string, records: t.readonlyArray(t.string) }),
  open: ({ epoch, subtask }) => {
    const ready$ = new Subject<void>()
    let [open, isBusy] = [[] as string[], false]
    const publish = (transactions: readonly Transaction[]) =>
      defer(() => {
        for (const of of transactions) outside.publish(of)
        return EMPTY
      })
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
      cut(checkpoint) {
        if (open.length === 0) return undefined
        const tx = { id: `${epoch}.${subtask.index}.${checkpoint}`, records: open }
        open = []
        return { tx, durable: EMPTY }
      },
      publish,
      recover: ({ publish: left }) => publish(left),
      close() {},
    }
  },
})

const numbers = Array.from({ length: 32 }, (_, n) => n)
/** Each key is in one split, so that its records come in order. */
const keyOf = (n: number) => (n % 4) + 4 * Math.floor(n / 16)

/** Of each number how many of its key there have been: what the job publishes, sorted. */
export const counted = numbers.map(n => `${n} is ${1 + Math.floor((n % 16) / 4)}`).sort()

const pipeline = (outside: Outside): Pipeline =>
  stream(fromArray(numbers, { splits: 2 })).pipe(
    keyBy(keyOf),
    scan(({ count }, n) => ({ count: count + 1, n }), { count: 0, n: 0 }),
    map(({ count, n }) => `${n} is ${count}`),
    into(slowly(outside)),
  )

export const directory = '/mnt/jobs/checkpoints'

/** A job in little whose checkpoints are objects and entries. */
export const started = (
  disk: LosingDisk,
  { outside, options = {}, ...process }: Process & { readonly outside: Outside; readonly options?: RunOptions },
): Running & { readonly job: Job } => {
  const running = disk.process(process)
  const job = run(pipeline(outside), {
    checks: true,
    parallelism: 2,
    store: fileStore(directory, { files: running.files }),
    channels: { bufferRecordsMax: 4, buffersMax: 2 },
    ...options,
    checkpoints: { inlineBytesMax: 100, ...options.checkpoints },
  })
  return { ...running, job }
}
