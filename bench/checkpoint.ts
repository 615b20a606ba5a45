import { firstValueFrom } from 'rxjs'
import { type Alignment, type CheckpointReport, SpillwayError, type Store } from 'spillway'
import type { Bench, Figures, Options } from './bench.ts'
import { bytesPerRecord, encodeAndPut } from './encodeAndPut.ts'
import { quantile } from './measure.ts'
import { recordsPerSecond, type SlowJob, slowJob } from './slowJob.ts'
import { whileRunning } from './whileRunning.ts'
import { withFileStore } from './withFileStore.ts'

interface Mode {
  readonly count: number
  readonly alignment: Alignment
  readonly debloatTargetMs?: number
  /** The barrier overtakes records, so that some are in flight. */
  readonly overtakes: boolean
}

interface Taken {
  readonly wholeMs: number
  readonly barrierMs: number
  /** In flight: stored, or where nothing is overtaken in the channels when it was triggered. */
  readonly records: number
  readonly bytes: number
  /** Encoding and putting as many records alone, directly after it; only where records are in flight. */
  readonly aloneMs: number | undefined
}

/** `skipped` says why. */
type Measured =
  | { readonly kind: 'skipped'; readonly why: string }
  | { readonly kind: 'measured'; readonly taken: readonly Taken[]; readonly throughput: number }

/** The shape of Flink's CheckpointingTimeBenchmark: how long a checkpoint takes of a job that is seconds behind. */
export const checkpoint: Bench<string> = {
  about: 'checkpoints of a job that is 5 s and 20 s behind, with each alignment',
  options: '[--modes aligned,debloat,unaligned,timeout50] [--backlogs 5,20] [--burning no|yes|both] [--count N]',

  parts: Object.fromEntries(
    ['backlog', 'burningBacklog'].flatMap(load =>
      [5, 20].flatMap(backlogSeconds =>
        ['aligned', 'debloat', 'unaligned', 'timeout50'].map(mode => [
          partName({ load, backlogSeconds, mode }),
          (options: Options) => measured({ load, backlogSeconds, mode }, options),
        ]),
      ),
    ),
  ),

  async measure(part, options) {
    const figures: Record<string, Record<string, Figures>> = {}
    for (const load of loadsOf(options)) {
      for (const backlogSeconds of list(options, 'backlogs', '5,20').map(Number)) {
        const backlog = `${load}${backlogSeconds}s`
        for (const mode of list(options, 'modes', Object.keys(modes).join())) {
          console.error(`${backlog} ${mode} ...`)
          const result: Measured = await part(partName({ load, backlogSeconds, mode }))
          if (result.kind === 'skipped') {
            console.log(`${backlog} ${mode}: skipped, ${result.why}`)
            continue
          }
          const found = { ...figuresOf(result), ...toAligned(figures[backlog]?.aligned, mode, result) }
          figures[backlog] = { ...figures[backlog], [mode]: found }
          console.log(`${backlog} ${mode}: ${inWords(found)}`)
        }
      }
    }
    return figures
  },
}

interface Part {
  /** `burningBacklog`: the sinks burn half a millisecond a record. */
  readonly load: string
  readonly backlogSeconds: number
  readonly mode: string
}

function partName({ load, backlogSeconds, mode }: Part): string {
  return `${load}${backlogSeconds}s.${mode}`
}

const measured = ({ load, backlogSeconds, mode: name }: Part, options: Options): Promise<Measured> =>
  withFileStore(async store => {
    const mode: Mode = modes[name as keyof typeof modes]
    const job = started({ store, mode, load, backlogSeconds })
    if (job === undefined) return { kind: 'skipped', why: 'there is no such option yet' }
    const count = Number(options.get('count') ?? mode.count)
    const { result } = await whileRunning(job.job, async () => {
      if (mode.debloatTargetMs === undefined) await filled(job, backlogSeconds)
      else await loadChanged(job, { load, backlogSeconds })
      if (mode.overtakes) await checkpoints(job, { mode, store, count: warmUps })
      const [begunMs, writtenBefore] = [performance.now(), job.written()]
      const taken = await checkpoints(job, { mode, store, count })
      const throughput = ((job.written() - writtenBefore) * 1_000) / (performance.now() - begunMs)
      return { kind: 'measured' as const, taken, throughput }
    })
    return result
  })

/** Undefined if this build has no such option. */
const started = (of: { store: Store; mode: Mode; load: string; backlogSeconds: number }): SlowJob | undefined => {
  const { alignment, debloatTargetMs } = of.mode
  try {
    return slowJob({
      store: of.store,
      backlogSeconds: of.backlogSeconds,
      burnMsPerRecord: burnMsOf(of.load),
      alignment,
      ...(debloatTargetMs === undefined ? {} : { debloatTargetMs }),
    })
  } catch (error) {
    if (error instanceof SpillwayError && error.code === 'UNKNOWN_OPTION') return undefined
    throw error
  }
}

/** The channels must hold what they are made for. */
const filled = async (job: SlowJob, backlogSeconds: number) => {
  await firstRunning(job)
  for (let polls = 0; job.held() < 0.9 * backlogSeconds * 1_000; polls++) {
    if (polls === 200) throw new Error(`the channels hold ${job.held()} records, not ${backlogSeconds} s of work`)
    await sleep(50)
  }
  await sleep(500)
}

/**
 * Debloating has 5 s to find its sizes, once the load has changed: the sinks have taken four times as much until then, for as long as it
 * takes to work off what was sent at first, as buffers that are sent stay as large as they are, and to settle.
 */
const loadChanged = async (job: SlowJob, { load, backlogSeconds }: Omit<Part, 'mode'>) => {
  await firstRunning(job)
  job.load(4 * recordsPerSecond, 0)
  await sleep((backlogSeconds * 1_000) / 4 + settlingMs)
  job.load(recordsPerSecond, burnMsOf(load))
  await sleep(5_000)
}

const firstRunning = (job: SlowJob) =>
  new Promise<void>(resolve => {
    job.job.status$.subscribe(({ kind }) => {
      if (kind === 'running') resolve()
    })
  })

const checkpoints = async (
  job: SlowJob,
  { mode, store, count }: { mode: Mode; store: Store; count: number },
): Promise<readonly Taken[]> => {
  const taken: Taken[] = []
  for (let n = 0; n < count; n++) {
    const begunMs = performance.now()
    const held = job.held()
    const report = await job.job.triggerCheckpoint()
    const wholeMs = performance.now() - begunMs
    const { outcome, reason, id } = report
    if (outcome === 'failed') throw new Error(`checkpoint ${id} failed: ${reason}`)
    const { records, bytes } = mode.overtakes ? storedIn(report) : { records: held, bytes: held * bytesPerRecord }
    if (records === 0 || bytes === 0) throw new Error(`checkpoint ${id} has nothing in flight`)
    const aloneMs = mode.overtakes
      ? await encodeAndPut(store, { name: `alone/${id}`, records, bufferRecords: job.bufferRecords })
      : undefined
    taken.push({ wholeMs, barrierMs: job.lastBegunMs() - begunMs, records, bytes, aloneMs })
    await firstValueFrom(store.delete(`alone/${id}`))
    await sleep(betweenMs)
  }
  return taken
}

const storedIn = ({ inFlightRecords: records, inFlightBytes: bytes }: CheckpointReport) => ({ records, bytes })

const figuresOf = ({ taken, throughput }: Measured & { kind: 'measured' }): Record<string, number> => {
  const at = (q: number, of: (one: Taken) => number) => quantile(taken.map(of), q)
  const p50Ms = at(0.5, one => one.wholeMs)
  const alone = taken.flatMap(({ aloneMs }) => aloneMs ?? [])
  const aloneP50Ms = alone.length === 0 ? undefined : quantile(alone, 0.5)
  return {
    p50Ms,
    p99Ms: at(0.99, one => one.wholeMs),
    barrierP50Ms: at(0.5, one => one.barrierMs),
    barrierP99Ms: at(0.99, one => one.barrierMs),
    recordsInFlight: at(0.5, one => one.records),
    bytesInFlight: at(0.5, one => one.bytes),
    recordsPerSecond: throughput,
    ...(aloneP50Ms === undefined ? {} : { aloneP50Ms, ratioToAlone: p50Ms / aloneP50Ms }),
  }
}

/** The share of its records/s that debloating leaves the job, if it was measured without before. */
const toAligned = (
  aligned: Figures | undefined,
  mode: string,
  { throughput }: Measured & { kind: 'measured' },
): Record<string, number> => {
  if (mode !== 'debloat' || typeof aligned?.recordsPerSecond !== 'number') return {}
  return { throughputToAligned: throughput / aligned.recordsPerSecond }
}

const inWords = (figures: Record<string, number>): string =>
  Object.entries(figures)
    .map(([name, value]) => `${name} ${value.toFixed(value < 10 ? 3 : 1)}`)
    .join(', ')

const loadsOf = (options: Options): readonly string[] => {
  const burning = options.get('burning') ?? 'both'
  return burning === 'both' ? ['backlog', 'burningBacklog'] : [burning === 'yes' ? 'burningBacklog' : 'backlog']
}

const list = (options: Options, name: string, otherwise: string): readonly string[] =>
  (options.get(name) ?? otherwise).split(',')

const sleep = (ms: number) => new Promise(resolve => setTimeout(resolve, ms))

const modes = {
  aligned: { count: 10, alignment: 'aligned', overtakes: false },
  debloat: { count: 20, alignment: 'aligned', debloatTargetMs: 400, overtakes: false },
  unaligned: { count: 300, alignment: 'unaligned', overtakes: true },
  timeout50: { count: 100, alignment: { alignedTimeoutMs: 50 }, overtakes: true },
} as const satisfies Record<string, Mode>

const burnMsOf = (load: string): number => (load === 'backlog' ? 0 : 0.5)

const warmUps = 20
const settlingMs = 10_000
/** So that what a checkpoint has left to do (deleting the one before) is not the next one's. */
const betweenMs = 50
