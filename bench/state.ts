import * as t from 'io-ts'
import { type Job, keyedOperator, run, stream } from 'spillway'
import { into, keyBy } from 'spillway/operators'
import type { Bench, Options } from './bench.ts'
import { countingSink } from './countingSink.ts'
import { anyOf, eachOnce, keysSource } from './keysSource.ts'
import { collectGarbage, median, spread } from './measure.ts'
import { stopwatch } from './stopwatch.ts'
import { whileRunning } from './whileRunning.ts'
import { withFileStore } from './withFileStore.ts'

interface Writing {
  /** Of each checkpoint. */
  readonly syncMs: readonly number[]
  /** Updates a ms before each checkpoint, and while it is written. */
  readonly before: readonly number[]
  readonly during: readonly number[]
  readonly fullBytes: number
  /** After one key in a hundred has changed. */
  readonly changedBytes: readonly number[]
}

interface Changing {
  /** Updates a ms, in turns of several seconds without and with a checkpoint a second. */
  readonly without: readonly number[]
  readonly with: readonly number[]
  /** Of the checkpoints. */
  readonly durationsMs: readonly number[]
}

/** Checkpoints of a large keyed state: a value and a timer for each of a million keys, in one task. */
export const state: Bench<'writing' | 'changing'> = {
  about: 'a million keys and timers: the pause, updates while writing, bytes of what has changed',
  options: '[--keys N]',
  parts: {
    writing: options =>
      withState(keysIn(options), async ({ job, keys, updates, change, changeEach }) => {
        const syncMs: number[] = []
        const before: number[] = []
        const during: number[] = []
        const taken = async () => {
          const report = await job.triggerCheckpoint()
          syncMs.push(Math.max(...report.tasks.map(task => task.syncMs)))
          return report
        }
        const { stateBytes: fullBytes } = await taken()
        const changedBytes: number[] = []
        for (let round = 0; round < rounds; round++) {
          await changeEach({ from: round * (keys / 100), to: (round + 1) * (keys / 100) })
          changedBytes.push((await taken()).stateBytes)
        }
        change(anyOf({ from: () => 0, count: keys }))
        await sleep(warmUpMs)
        for (let round = 0; round < rounds; round++) {
          collectGarbage()
          before.push(await rate(updates, () => sleep(normalMs)))
          during.push(await rate(updates, taken))
        }
        return { syncMs, before, during, fullBytes, changedBytes } satisfies Writing
      }),

    changing: options =>
      withState(keysIn(options), async ({ job, keys, updates, change }) => {
        await job.triggerCheckpoint()
        const begunMs = performance.now()
        // Whenever a second begins, a tenth of the keys change in it.
        const count = keys / 100
        const from = () => Math.floor(((performance.now() - begunMs) / 10_000) * keys) % (keys - count)
        change(anyOf({ from, count }))
        await sleep(warmUpMs)
        const figures = { without: [] as number[], with: [] as number[], durationsMs: [] as number[] }
        const secondWithCheckpoint = async () => {
          const [{ outcome, reason, durationMs }] = await Promise.all([job.triggerCheckpoint(), sleep(1_000)])
          if (outcome === 'failed') throw new Error(reason)
          return durationMs
        }
        for (let round = 0; round < pairs; round++) {
          figures.without.push(await rate(updates, () => sleep(stretchMs)))
          await settled(secondWithCheckpoint)
          figures.with.push(
            await rate(updates, async () => {
              for (let second = 0; second < stretchMs / 1_000; second++) {
                figures.durationsMs.push(await secondWithCheckpoint())
              }
            }),
          )
        }
        return figures satisfies Changing
      }),
  },

  async measure(part) {
    const { syncMs, before, during, fullBytes, changedBytes }: Writing = await part('writing')
    const ratios = during.map((updates, round) => updates / (before[round] as number))
    const percents = changedBytes.map(bytes => (100 * bytes) / fullBytes)
    console.log(`synchronous phase ${spread(syncMs, 2)} ms; at most 5 wanted`)
    console.log(
      `updates a ms ${spread(before)}, while writing ${spread(during)}: ${spread(ratios, 2)}; at least 0.7 wanted`,
    )
    console.log(`1 % changed: ${spread(percents, 2)} % of ${fullBytes} bytes; at most 5 wanted`)
    const { without, with: beside, durationsMs }: Changing = await part('changing')
    const slower = without.map((updates, round) => 100 * (1 - (beside[round] as number) / updates))
    console.log(
      `10 % changed a second, checkpoints of ${spread(durationsMs)} ms: ${spread(slower, 1)} % slower; at most 15 wanted`,
    )
    return {
      syncMs: Math.max(...syncMs),
      updateRatioWhileWriting: median(ratios),
      incrementalBytesPercent: Math.max(...percents),
      checkpointCostPercent: median(slower),
    }
  },
}

interface Filled {
  readonly job: Job
  readonly keys: number
  /** So far. */
  readonly updates: () => number
  /** Goes on without end. */
  readonly change: (next: (recordsMax: number) => readonly number[]) => void
  /** Each of these once, then nothing. */
  readonly changeEach: (range: { readonly from: number; readonly to: number }) => Promise<void>
}

/** A job whose one keyed task has a value and a timer for each key. */
const withState = <R>(keys: number, measure: (filled: Filled) => Promise<R>): Promise<R> =>
  withFileStore(async store => {
    const source = keysSource()
    const sink = countingSink()
    const names = Array.from({ length: keys }, (_, i) => `key-${i}`)
    const counted = stream(source).pipe(
      keyBy(n => names[n] as string),
      keyedOperator<number, string, number>('count', ({ state, timers }) => {
        const count = state.value('count', Counted, none)
        return {
          record(n, out, at) {
            const { times } = count.get()
            if (times === 0) timers.at(laterMs + n)
            count.set({ times: times + 1, key: at.key })
            out.emit(n)
          },
          timer() {},
        }
      }),
      into(sink),
    )
    const updates = () => sink.records
    const changeEach = async ({ from, to }: { readonly from: number; readonly to: number }) => {
      const until = sink.records + to - from
      source.give(eachOnce({ from, to }))
      while (sink.records < until) await sleep(10)
    }
    const job = run(counted, { store, checkpoints: { timeoutMs: 60_000 } })
    const { result } = await whileRunning(job, async () => {
      await changeEach({ from: 0, to: keys })
      collectGarbage()
      return measure({ job, keys, updates, change: next => source.give(next), changeEach })
    })
    return result
  })

/** What was changed without checkpoints has been written once a checkpoint takes less than its second. */
const settled = async (secondWithCheckpoint: () => Promise<number>): Promise<void> => {
  for (let seconds = 0; seconds < settlingMax; seconds++) if ((await secondWithCheckpoint()) < 1_000) return
  throw new Error(`after ${settlingMax} checkpoints they still take longer than a second`)
}

/** Updates a ms while `act` does its work. */
const rate = async (updates: () => number, act: () => Promise<unknown>): Promise<number> => {
  const elapsedMs = stopwatch()
  const before = updates()
  await act()
  return (updates() - before) / elapsedMs()
}

const sleep = (ms: number): Promise<unknown> => new Promise(resolve => setTimeout(resolve, ms))

const Counted = t.type({ times: t.number, key: t.string })
const none: t.TypeOf<typeof Counted> = { times: 0, key: '' }
const keysIn = (options: Options): number => Number(options.get('keys') ?? 1_000_000)
/** No watermark comes that far. */
const laterMs = 4_000_000_000_000
const rounds = 7
/** Of stretches without and with a checkpoint a second. */
const pairs = 3
const warmUpMs = 3_000
const normalMs = 1_000
const stretchMs = 20_000
const settlingMax = 30
