import { type Pipeline, type RunOptions, run, stream } from 'spillway'
import { into, keyBy, map, scan } from 'spillway/operators'
import type { Bench } from './bench.ts'
import { countingSink } from './countingSink.ts'
import { keyedRecords } from './keyedRecords.ts'
import { quantile } from './measure.ts'
import { repeating } from './repeating.ts'
import { whileRunning } from './whileRunning.ts'
import { withFileStore } from './withFileStore.ts'

interface Latency {
  readonly lateMs: readonly number[]
  readonly recordsPerSecond: number
  readonly checkpoints: number
}

/** How late the host's timers are while a job has as much to do as it can. */
export const hostLatency: Bench<'idle' | 'busy' | 'slowFunction' | 'manyTasks'> = {
  about: 'lateness of the host’s timers beside a busy job; with a slow function; with 5,000 tasks',
  parts: {
    idle: async () => {
      const timers = lateTimers()
      await sleep(durationMs)
      return { lateMs: timers.stop(), recordsPerSecond: 0, checkpoints: 0 } satisfies Latency
    },

    busy: () =>
      latencyBeside(
        sink =>
          stream(repeating(records(), { splits: 4 })).pipe(
            map(({ key, value }) => ({ key, value: value + 1 })),
            keyBy(record => record.key),
            scan((sum, record) => sum + record.value, 0),
            into(sink),
          ),
        { parallelism: 4 },
      ),

    slowFunction: () =>
      latencyBeside(
        sink =>
          stream(repeating(records(), { splits: 4 })).pipe(
            map(record => {
              const untilMs = performance.now() + 1
              while (performance.now() < untilMs);
              return record
            }),
            keyBy(record => record.key),
            scan((sum, record) => sum + record.value, 0),
            into(sink),
          ),
        { parallelism: 4 },
      ),

    manyTasks: () =>
      latencyBeside(
        sink =>
          stream(repeating(records(), { splits: taskCount })).pipe(
            map(({ key, value }) => ({ key, value: value + 1 })),
            into(sink),
          ),
        { parallelism: taskCount },
      ),
  },

  async measure(part) {
    const p99 = async (name: 'idle' | 'busy' | 'slowFunction' | 'manyTasks'): Promise<number> => {
      const { lateMs, recordsPerSecond, checkpoints }: Latency = await part(name)
      const [p50Ms, p99Ms, worstMs] = [0.5, 0.99, 1].map(q => quantile(lateMs, q)) as [number, number, number]
      const late = `late by p50 ${p50Ms.toFixed(1)}, p99 ${p99Ms.toFixed(1)}, at most ${worstMs.toFixed(1)} ms`
      const did = `${Math.round(recordsPerSecond)} records/s, ${checkpoints} checkpoints`
      console.log(`${name.padEnd(14)}${late} of ${lateMs.length} timers; ${did}`)
      return p99Ms
    }
    await p99('idle')
    const figures = {
      p99Ms: await p99('busy'),
      p99SlowFunctionMs: await p99('slowFunction'),
      p99ManyTasksMs: await p99('manyTasks'),
    }
    console.log('p99 below 25 ms wanted')
    return figures
  },
}

/** Counts from before the job's start, and to the end of its cancellation. */
const latencyBeside = (
  make: (sink: ReturnType<typeof countingSink>) => Pipeline,
  options: RunOptions,
): Promise<Latency> =>
  withFileStore(async store => {
    const sink = countingSink()
    const pipeline = make(sink)
    const timers = lateTimers()
    const job = run(pipeline, { ...options, store, checkpoints: { everyMs: 1_000 } })
    const { checkpoints } = await whileRunning(job, () => sleep(durationMs))
    return { lateMs: timers.stop(), recordsPerSecond: sink.records / (durationMs / 1_000), checkpoints }
  })

/** Sets a timer, and each time it goes off the next. */
const lateTimers = (): { stop(): readonly number[] } => {
  const lateMs: number[] = []
  let timer: NodeJS.Timeout
  const set = () => {
    const dueMs = performance.now() + everyMs
    timer = setTimeout(() => {
      lateMs.push(Math.max(0, performance.now() - dueMs))
      set()
    }, everyMs)
  }
  set()
  return {
    stop() {
      clearTimeout(timer)
      return lateMs
    },
  }
}

const sleep = (ms: number) => new Promise(resolve => setTimeout(resolve, ms))

const records = () => keyedRecords(500_000, { keys: 10_007 })
const taskCount = 5_000
const everyMs = 10
const durationMs = 10_000
