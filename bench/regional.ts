import { type CheckpointReport, global, memoryStore, type Policy, regional } from 'spillway'
import type { Bench, Options } from './bench.ts'
import { collectGarbage, quantile } from './measure.ts'
import { type RegionsJob, regionsJob } from './regionsJob.ts'
import { whileRunning } from './whileRunning.ts'
import { withFileStore } from './withFileStore.ts'

interface Counted {
  readonly completed: number
  /** Checkpoints, from the first complete one on. */
  readonly taken: number
  readonly failedParts: number
  readonly tookMs: readonly number[]
  readonly bytesPerIdleTask: number
  readonly lost: number
  readonly duplicated: number
  /** By the first word of their reasons. */
  readonly reasons: Readonly<Record<string, number>>
}

/** What becomes of 5,000 regions whose snapshots fail now and then, with a global policy and with a regional one. */
export const regionalBench: Bench<'global' | 'regional' | 'files' | 'correlated' | 'always'> = {
  about: '5,000 regions whose snapshots fail with probability 1/10,000: global and regional checkpoints',
  options: '[--regions 5000] [--global 2000] [--regional 3000] [--files 100] [--seed 1]',
  parts: {
    global: options => counted(options, { policy: global(), count: countOf(options, 'global', 2_000) }),
    regional: options => counted(options, { policy: policy(), count: countOf(options, 'regional', 3_000) }),
    files: options =>
      withFileStore(store => counted(options, { policy: policy(), count: countOf(options, 'files', 100), store })),
    /** A tenth of all regions fails together, now and then. */
    correlated: options => counted(options, { policy: policy(), count: 50, together: 0.1 }),
    /** One region never succeeds again. */
    always: options => counted(options, { policy: policy(), count: 6, always: true }),
  },

  async measure(part, options) {
    const ofAll: Counted = await part('global')
    const ofRegions: Counted = await part('regional')
    const onFiles: Counted = await part('files')
    const together: Counted = await part('correlated')
    const stale: Counted = await part('always')
    const regions = regionsOf(options)
    const theory = (1 - probability) ** regions
    const all = [ofAll, ofRegions, onFiles, together, stale]
    const figures = {
      globalRate: ofAll.completed / ofAll.taken,
      globalRateInTheory: theory,
      regionalRate: ofRegions.completed / ofRegions.taken,
      partRate: 1 - ofRegions.failedParts / (ofRegions.taken * regions),
      partRateInTheory: 1 - probability,
      checkpointP50Ms: quantile(ofRegions.tookMs, 0.5),
      checkpointOnFilesP50Ms: quantile(onFiles.tookMs, 0.5),
      bytesPerIdleTask: ofRegions.bytesPerIdleTask,
      correlatedRate: together.completed / together.taken,
      lost: all.reduce((sum, { lost }) => sum + lost, 0),
      duplicated: all.reduce((sum, { duplicated }) => sum + duplicated, 0),
    }
    console.log(`global: ${percent(figures.globalRate)} of ${ofAll.taken} complete (${percent(theory)} in theory)`)
    console.log(
      `regional: ${percent(figures.regionalRate)} of ${ofRegions.taken} complete, ${ofRegions.failedParts} parts failed`,
    )
    console.log(
      `correlated: ${percent(figures.correlatedRate)} complete; one region that always fails: ${JSON.stringify(stale.reasons)}`,
    )
    if (stale.reasons['region-stale'] === undefined) throw new Error('a region that always fails has not been stopped')
    return figures
  },
}

interface Counting {
  readonly policy: Policy
  readonly count: number
  readonly store?: ReturnType<typeof memoryStore>
  /** So large a share fails together, in every tenth checkpoint. */
  readonly together?: number
  readonly always?: boolean
}

const counted = async (
  options: Options,
  { policy: of, count, store = memoryStore(), together, always }: Counting,
): Promise<Counted> => {
  const regions = regionsOf(options)
  const random = seeded(Number(options.get('seed') ?? 1))
  let [storm, begun] = [false, false]
  const fails = (region: number): boolean => {
    if (!begun) return false
    if (always === true) return region === 0
    if (together !== undefined) return storm && region < together * regions
    return random() < probability
  }
  const before = live()
  const job = regionsJob({ regions, fails, run: { store, checkpoints: { policy: of, timeoutMs: 120_000 } } })
  const { result } = await whileRunning(job.job, async () => {
    await new Promise<void>(resolve => job.job.status$.subscribe(({ kind }) => kind === 'running' && resolve()))
    await oneCheckpoint(job)
    const bytesPerIdleTask = (live() - before) / (2 * regions)
    begun = true
    const reports: CheckpointReport[] = []
    const tookMs: number[] = []
    for (let n = 0; n < count; n++) {
      storm = n % 10 === 9
      const begunMs = performance.now()
      const report = await oneCheckpoint(job)
      tookMs.push(performance.now() - begunMs)
      reports.push(report)
      if (n % 100 === 99) console.error(`${n + 1} of ${count}, ${quantile(tookMs.slice(-100), 0.5).toFixed(0)} ms`)
    }
    begun = false
    // What has been fed is read before the last one.
    await oneCheckpoint(job)
    await job.job.triggerCheckpoint()
    const reasons: Record<string, number> = {}
    for (const { reason } of reports) {
      const word = reason?.split(/[: ]/)[0]
      if (word !== undefined) reasons[word] = (reasons[word] ?? 0) + 1
    }
    return {
      completed: reports.filter(({ outcome }) => outcome === 'completed').length,
      taken: reports.length,
      failedParts: reports.reduce((sum, { failedRegions }) => sum + failedRegions.length, 0),
      tookMs,
      bytesPerIdleTask,
      reasons,
      lost: job.lost() + (job.fed() - job.published()),
      duplicated: job.duplicated(),
    }
  })
  return result
}

/** With a record on its way in every region. */
const oneCheckpoint = async (job: RegionsJob): Promise<CheckpointReport> => {
  job.feed(1)
  return job.job.triggerCheckpoint()
}

const policy = () => regional({ failedRatioMax: 0.5, consecutiveFailuresMax: 2 })
const regionsOf = (options: Options) => Number(options.get('regions') ?? 5_000)
const countOf = (options: Options, name: string, otherwise: number) => Number(options.get(name) ?? otherwise)
const percent = (share: number) => `${(100 * share).toFixed(2)} %`

const live = (): number => {
  collectGarbage()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

/** Source: mulberry32 by Tommy Ettinger. */
const seeded = (seed: number) => {
  let a = seed >>> 0
  return (): number => {
    a = (a + 0x6d2b79f5) >>> 0
    let t = Math.imul(a ^ (a >>> 15), a | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

const probability = 1 / 10_000
