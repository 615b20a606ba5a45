import * as t from 'io-ts'
import { EMPTY, of, Subject } from 'rxjs'
import { type Alignment, memoryStore, run, type Sink, type Source, stream } from 'spillway'
import { into, keyBy, scan } from 'spillway/operators'
import type { Bench, Options } from './bench.ts'
import { collectGarbage, quantile } from './measure.ts'
import { whileRunning } from './whileRunning.ts'

interface Measured {
  readonly bytesPerChannel: number
  readonly peakRssBytes: number
  readonly alignedMs: readonly number[]
  readonly unalignedMs: readonly number[]
  readonly lost: number
  readonly duplicated: number
}

/** A keyed exchange of n x n channels in one process: what it holds, and what a checkpoint takes. */
export const exchange: Bench<'exchange'> = {
  about: 'a keyed exchange of 1,000 x 1,000 channels in one process, with checkpoints',
  options: '[--tasks 1000] [--count 5]',
  parts: { exchange: options => measured(options) },

  async measure(part) {
    const { alignedMs, unalignedMs, ...found }: Measured = await part('exchange')
    const figures = {
      ...found,
      alignedP50Ms: quantile(alignedMs, 0.5),
      unalignedP50Ms: quantile(unalignedMs, 0.5),
    }
    console.log(
      `${found.bytesPerChannel.toFixed(0)} bytes a channel, at most ${(found.peakRssBytes / 2 ** 20).toFixed(0)} MiB resident; ` +
        `a checkpoint takes ${figures.alignedP50Ms.toFixed(0)} ms aligned, ${figures.unalignedP50Ms.toFixed(0)} ms unaligned; ` +
        `${found.lost} records lost, ${found.duplicated} twice`,
    )
    return figures
  },
}

const measured = async (options: Options): Promise<Measured> => {
  const tasks = Number(options.get('tasks') ?? 1_000)
  const count = Number(options.get('count') ?? 5)
  const before = live()
  const fed$ = new Subject<number>()
  const sums = new Map<number, number>()
  const pipeline = stream(fed(fed$, tasks)).pipe(
    keyBy(n => n % (10 * tasks)),
    scan((seen: KeyCount, _: number, key: number) => ({ key, value: seen.value + 1 }), { key: -1, value: 0 }),
    into(latest(sums)),
  )
  const job = run(pipeline, {
    parallelism: tasks,
    keyGroups: Math.max(128, tasks),
    store: memoryStore(),
    checkpoints: { timeoutMs: 60_000 },
  })
  const { result } = await whileRunning(job, async () => {
    await new Promise<void>(resolve => job.status$.subscribe(({ kind }) => kind === 'running' && resolve()))
    const bytesPerChannel = (live() - before) / tasks ** 2
    let fedRecords = 0
    const checkpoints = async (alignment: Alignment): Promise<readonly number[]> => {
      job.configure({ checkpoints: { alignment } })
      const tookMs: number[] = []
      for (let n = 0; n < count; n++) {
        fed$.next(recordsPerTask)
        fedRecords += recordsPerTask * tasks
        const begunMs = performance.now()
        const { outcome, reason } = await job.triggerCheckpoint()
        if (outcome === 'failed') throw new Error(`a checkpoint failed: ${reason}`)
        tookMs.push(performance.now() - begunMs)
      }
      return tookMs
    }
    const alignedMs = await checkpoints('aligned')
    const unalignedMs = await checkpoints('unaligned')
    await settled(() => [...sums.values()].reduce((a, b) => a + b, 0))
    const seen = [...sums.values()].reduce((a, b) => a + b, 0)
    return {
      bytesPerChannel,
      peakRssBytes: process.resourceUsage().maxRSS * 1_024,
      alignedMs,
      unalignedMs,
      lost: Math.max(0, fedRecords - seen),
      duplicated: Math.max(0, seen - fedRecords),
    }
  })
  return result
}

/** Task i reads i, i + tasks, ..., as many as it is fed. */
const fed = (fed$: Subject<number>, tasks: number): Source<number, number> => ({
  name: 'fed',
  position: t.number,
  splits: () => of(Array.from({ length: tasks }, (_, i) => String(i))),
  open(split, from = 0) {
    const ready$ = new Subject<void>()
    let [position, left] = [from, 0]
    const feeding = fed$.subscribe(records => {
      left += records
      ready$.next()
    })
    return {
      next(recordsMax) {
        if (left === 0) return 'wait'
        const count = Math.min(recordsMax, left)
        const first = position
        left -= count
        position += count
        return Array.from({ length: count }, (_, i) => (first + i) * tasks + Number(split) * 7_919)
      },
      ready$,
      position: () => position,
      close: () => feeding.unsubscribe(),
    }
  },
})

interface KeyCount {
  readonly key: number
  readonly value: number
}

/** Keeps each key's last count, as it is written: nothing restarts here. */
const latest = (sums: Map<number, number>): Sink<KeyCount, number> => ({
  name: 'latest',
  transaction: t.number,
  open: () => ({
    mayWrite: () => true,
    ready$: EMPTY,
    write(batch) {
      for (const { key, value } of batch) sums.set(key, Math.max(value, sums.get(key) ?? 0))
    },
    cut: () => undefined,
    publish: () => EMPTY,
    recover: () => EMPTY,
    close() {},
  }),
})

const settled = async (figure: () => number): Promise<void> => {
  for (let before = -1; figure() !== before; await sleep(500)) before = figure()
}

const live = (): number => {
  collectGarbage()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

const sleep = (ms: number) => new Promise(resolve => setTimeout(resolve, ms))

const recordsPerTask = 20
