import { minutes, run, stream } from 'spillway'
import { count, eventTime, into, keyBy, scan, tumblingWindow } from 'spillway/operators'
import type { Bench, Options } from './bench.ts'
import { countingSink } from './countingSink.ts'
import { endlessEvents } from './endlessEvents.ts'
import { collectGarbage, median } from './measure.ts'
import { whileRunning } from './whileRunning.ts'
import { withFileStore } from './withFileStore.ts'

interface Live {
  readonly atMs: number
  readonly bytes: number
}

interface Soaked {
  readonly samples: readonly Live[]
  readonly records: number
  readonly checkpoints: number
}

/** What is live, garbage collected, in the last minute against the second: a job that runs for months must not grow. */
export const soak: Bench<'soak'> = {
  about: 'live heap + external at full backpressure, the last minute against the second',
  options: '[--minutes 10]',
  parts: {
    soak: options =>
      withFileStore(async store => {
        const sinks = [countingSink({ recordsPerSecond }), countingSink({ name: 'windows' })] as const
        const events = stream(endlessEvents({ splits: parallelism, keys: 1_009 })).pipe(
          eventTime({ timeMs: event => event.atMs, outOfOrderMs: 1_000 }),
          keyBy(event => event.key),
        )
        const job = run(
          [
            events.pipe(
              scan((seen, event) => seen + event.value, 0),
              into(sinks[0]),
            ),
            events.pipe(tumblingWindow({ sizeMs: minutes(1), late: 'drop' }, count()), into(sinks[1])),
          ],
          { parallelism, store, checkpoints: { everyMs: 1_000 } },
        )
        const { result: samples, checkpoints } = await whileRunning(job, () => liveDuring(durationMs(options)))
        return { samples, checkpoints, records: sinks[0].records } satisfies Soaked
      }),
  },

  async measure(part, options) {
    const { samples, records, checkpoints }: Soaked = await part('soak')
    const forMs = durationMs(options)
    const spanMs = Math.min(minutes(1), forMs / 5)
    const medianBetween = (beginMs: number, endMs: number) =>
      median(samples.filter(({ atMs }) => atMs >= beginMs && atMs <= endMs).map(({ bytes }) => bytes))
    const [early, late] = [medianBetween(spanMs, 2 * spanMs), medianBetween(forMs - spanMs, forMs)]
    const figures = { liveGrowthPercent: 100 * (late / early - 1) }
    const spans = [early, late].map(bytes => `${(bytes / 1e6).toFixed(2)} MB`)
    console.log(
      `live ${spans.join(', then ')}; ${records} records, ${checkpoints} checkpoints in ${forMs / 60_000} minutes`,
    )
    console.log(`grown by ${figures.liveGrowthPercent.toFixed(2)} % (below 5 wanted)`)
    return figures
  },
}

const liveDuring = async (forMs: number): Promise<readonly Live[]> => {
  const beginMs = performance.now()
  const samples: Live[] = []
  for (let n = 1; n <= samplesTaken; n++) {
    const dueMs = beginMs + (n * forMs) / samplesTaken
    await new Promise(resolve => setTimeout(resolve, Math.max(0, dueMs - performance.now())))
    collectGarbage()
    const { heapUsed, external } = process.memoryUsage()
    samples.push({ atMs: performance.now() - beginMs, bytes: heapUsed + external })
  }
  return samples
}

const durationMs = (options: Options): number => {
  const given = Number(options.get('minutes') ?? 10)
  if (!(given > 0)) throw new Error('--minutes is a number above 0')
  return minutes(given)
}

const parallelism = 4
/** Far below what the job could do. */
const recordsPerSecond = 20_000
const samplesTaken = 200
