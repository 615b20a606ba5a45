import * as t from 'io-ts'
import { concatMap, defer, finalize, lastValueFrom, NEVER, timer } from 'rxjs'
import {
  type Job,
  memoryStore,
  operator,
  type Pipeline,
  run,
  type Source,
  type SplitReader,
  type Store,
  stream,
} from 'spillway'
import { collect, into } from 'spillway/operators'
import type { Bench, Options } from './bench.ts'
import { collectGarbage } from './measure.ts'
import { stopwatch } from './stopwatch.ts'
import { whileRunning } from './whileRunning.ts'

interface Started {
  readonly gets: number
  /** Until the job runs, and until one runs that begins anew. */
  readonly startMs: number
  readonly anewMs: number
  /** What the store's latency takes, as many gets at a time as there were. */
  readonly limitMs: number
  readonly peakBytes: number
}

/** Union state of 10,000 tasks, each in a file of its own, restored into 1,000 tasks of which each has to know all. */
export const unionBench: Bench<'time' | 'memory'> = {
  about: 'union state in 10,000 files restored into 1,000 tasks, from a store that takes 5 ms to answer',
  options: '[--files 10000] [--tasks 1000] [--latency 5] [--bytes 6000]',
  parts: {
    time: options => started(options, false),
    /** Collects garbage now and then, so its time does not count. */
    memory: options => started(options, true),
  },

  async measure(part, options) {
    const { gets, startMs, anewMs, limitMs }: Started = await part('time')
    const restoreMs = startMs - anewMs
    const { peakBytes }: Started = await part('memory')
    const stateBytes = numberOf(options, 'files') * numberOf(options, 'bytes')
    console.log(
      `${gets} gets; ${restoreMs.toFixed(0)} ms (and ${anewMs.toFixed(0)} to start without) where latency and concurrency take ${limitMs.toFixed(0)}; ` +
        `${(peakBytes / 2 ** 20).toFixed(0)} MiB for ${(stateBytes / 2 ** 20).toFixed(0)} MiB of state`,
    )
    return { gets, ratioToLimit: restoreMs / limitMs, ratioOfMemory: peakBytes / stateBytes }
  },
}

const started = async (options: Options, looks: boolean): Promise<Started> => {
  const [files, tasks, latency] = [numberOf(options, 'files'), numberOf(options, 'tasks'), numberOf(options, 'latency')]
  const bytes = numberOf(options, 'bytes')
  const inner = memoryStore()
  const writing = run(knowing({ files, bytes }), { ...inFiles, parallelism: files, store: inner })
  await whileRunning(writing, async () => {
    await running(writing)
    const { outcome } = await writing.triggerCheckpoint()
    if (outcome !== 'completed') throw new Error('the state is not written')
  })
  const before = live()
  const counted = new SlowStore(inner, { latencyMs: latency, looks })
  const startOf = async (store: Store): Promise<number> => {
    const elapsedMs = stopwatch()
    const job = run(knowing({ files, bytes: 0 }), { ...inFiles, parallelism: tasks, store })
    let startMs = 0
    await whileRunning(job, async () => {
      await running(job)
      startMs = elapsedMs()
      if (looks) counted.look()
    })
    return startMs
  }
  const anewMs = await startOf(memoryStore())
  const latencyMs = await latencyOf(latency)
  return {
    startMs: await startOf(counted.store),
    gets: counted.gets,
    anewMs,
    limitMs: (counted.gets / counted.atOnce) * latencyMs,
    peakBytes: counted.peak - before,
  }
}

const inFiles = { checkpoints: { inlineBytesMax: 0, timeoutMs: 600_000 }, channels: { budgetBuffers: 1_000_000 } }

/** What a timer of so many ms takes when there is nothing else to do: always more. */
const latencyOf = async (ms: number): Promise<number> => {
  const begunMs = performance.now()
  for (let n = 0; n < 100; n++) await lastValueFrom(timer(ms))
  return (performance.now() - begunMs) / 100
}

/** Each task begins with so many bytes more, as strings of 100. */
const knowing = ({ files, bytes }: { readonly files: number; readonly bytes: number }): Pipeline =>
  stream(waiting(files)).pipe(
    operator<never, never>(
      'knowing',
      ({ state, subtask }) => {
        const all = state.union('all', t.string)
        for (let n = 0; n < bytes / 100; n++) all.add(`${subtask.index}/${n}`.padEnd(98, '.'))
        return { record: () => {} }
      },
      { unionStates: ['all'] },
    ),
    into(collect()),
  )

/** Splits of which no record ever comes. */
const waiting = (splits: number): Source<never, null> => ({
  name: 'waiting',
  position: t.null,
  splits: () => [Array.from({ length: splits }, (_, split) => String(split))],
  open: () => nothingYet,
})

/** One for all splits: each function that tsx gives a name takes 300 bytes more, which are not the library's. */
const nothingYet: SplitReader<never, null> = {
  next: () => 'wait',
  ready$: NEVER,
  position: () => null,
  close: () => {},
}

const running = (job: Job) =>
  new Promise<void>(resolve => job.status$.subscribe(({ kind }) => kind === 'running' && resolve()))

/** What it holds at each thousandth get, if it looks. */
class SlowStore {
  readonly store: Store
  gets = 0
  /** Gets at the same time at the most. */
  atOnce = 0
  peak = 0
  #underWay = 0

  constructor(inner: Store, { latencyMs, looks }: { readonly latencyMs: number; readonly looks: boolean }) {
    this.store = {
      ...inner,
      get: (object, range) =>
        defer(() => {
          this.atOnce = Math.max(this.atOnce, ++this.#underWay)
          if (++this.gets % 1_000 === 0 && looks) this.look()
          return timer(latencyMs).pipe(
            concatMap(() => inner.get(object, range)),
            finalize(() => this.#underWay--),
          )
        }),
    }
  }

  look(): void {
    this.peak = Math.max(this.peak, live())
  }
}

/**
 * A collection that was under way may leave what has died since it began; and what the next one frees outside the heap, up to half of
 * the state's bytes, is counted until it has been swept, for which the third waits.
 */
const live = (): number => {
  for (let n = 0; n < 3; n++) collectGarbage()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

const defaults = { files: 10_000, tasks: 1_000, latency: 5, bytes: 6_000 } as const
const numberOf = (options: Options, name: keyof typeof defaults) => Number(options.get(name) ?? defaults[name])
