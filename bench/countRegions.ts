import { type CheckpointReport, type Job, memoryStore, type Policy, SpillwayError, type Store } from 'spillway'
import { quantile } from './measure.ts'
import { RegionsWorld, regionsJob } from './regionsJob.ts'
import { stopwatch } from './stopwatch.ts'

export interface CountOptions {
  readonly regions: number
  readonly policy: Policy
  readonly checkpoints: number
  /** Whether a region's snapshot fails in a checkpoint. They count from 1, behind one that is complete. */
  readonly fails: (region: number, checkpoint: number) => boolean
  readonly store?: Store
  /** How many checkpoints may fail in a row; default any number. */
  readonly tolerableFailures?: number
  /** The first checkpoint is complete, and nothing goes on. */
  readonly onIdle?: () => void
  readonly progress?: (line: string) => void
}

export interface Counted {
  readonly taken: number
  readonly completed: number
  readonly failedParts: number
  /** Checkpoints of which the report names other regions than failed, or another outcome than the policy's. */
  readonly unexpected: readonly number[]
  readonly tookMs: readonly number[]
  /** Those that were not complete, by the first word of the reason. */
  readonly reasons: Readonly<Record<string, number>>
  /** Why it was stopped, if its checkpoints have stopped the job: then it has been started again without failures. */
  readonly stopped: string | undefined
  /** Records not published in the end, and published more than once. */
  readonly lost: number
  readonly duplicated: number
}

/** Takes checkpoints of regions in which records are on their way, and counts what becomes of both. */
export const countRegions = async (options: CountOptions): Promise<Counted> => {
  const { regions, policy, checkpoints, fails, store = memoryStore(), tolerableFailures, progress } = options
  const limits = tolerableFailures === undefined ? {} : { tolerableFailures }
  const run = { store, checkpoints: { policy, timeoutMs: 120_000, ...limits } }
  const world = new RegionsWorld(regions)
  let now = 0
  let stopped: string | undefined
  const job = regionsJob(world, { run, fails: region => now > 0 && fails(region, now) })
  job.done.catch(error => {
    stopped = String(error)
  })
  await begun(job, world)
  options.onIdle?.()
  const taken: Taken[] = []
  for (now = 1; now <= checkpoints && stopped === undefined; now++) {
    const elapsedMs = stopwatch()
    world.feed(1)
    const report = await job.triggerCheckpoint().catch(unlessStopped)
    if (report === undefined) {
      await job.done.catch(() => {})
      break
    }
    taken.push(takenOf(report, { ...options, checkpoint: now, tookMs: elapsedMs() }))
    // By then a job that it stops takes no other.
    if (report.outcome === 'failed') await new Promise(resolve => setTimeout(resolve))
    if (now % 100 === 0) progress?.(`${now} of ${checkpoints}, ${p50Ms(taken.slice(-100)).toFixed(0)} ms`)
  }
  now = 0
  const counted = { ...summed(taken), stopped }
  await published(stopped === undefined ? job : regionsJob(world, { run, fails: () => false }), world)
  return { ...counted, lost: world.missing, duplicated: world.duplicated }
}

/** A job that its last checkpoint has stopped may not have ended yet. */
const unlessStopped = (error: unknown): undefined => {
  if (error instanceof SpillwayError && error.code === 'NOT_RUNNING') return undefined
  throw error
}

/** With one checkpoint behind it. */
const begun = async (job: Job, world: RegionsWorld): Promise<void> => {
  await new Promise<void>(resolve => job.status$.subscribe(({ kind }) => kind === 'running' && resolve()))
  world.feed(1)
  await job.triggerCheckpoint()
}

/** All that has been fed, by the second checkpoint from here, or a few more where sources come late to read; then it is cancelled. */
const published = async (job: Job, world: RegionsWorld): Promise<void> => {
  await begun(job, world)
  for (let n = 0; n < 10 && world.missing > 0; n++) await job.triggerCheckpoint()
  await job.cancel()
  await job.done.catch(() => {})
}

interface Taken {
  readonly completed: boolean
  readonly failedParts: number
  readonly reason: string | undefined
  readonly tookMs: number
  readonly unexpected: boolean
}

interface Taking extends CountOptions {
  readonly checkpoint: number
  readonly tookMs: number
}

/** Without its report, of which thousands with thousands of tasks would fill the memory. */
const takenOf = (report: CheckpointReport, { regions, policy, fails, checkpoint, tookMs }: Taking): Taken => {
  const failed = Array.from({ length: regions }, (_, region) => region).filter(region => fails(region, checkpoint))
  const completed = report.outcome === 'completed'
  const named = [...report.failedRegions].sort((a, b) => a - b)
  const asExpected = policy.kind === 'global' ? completed === (failed.length === 0) : named.join() === failed.join()
  const reason = report.reason?.split(/[: ]/)[0]
  return { completed, failedParts: named.length, reason, tookMs, unexpected: !asExpected }
}

const summed = (taken: readonly Taken[]): Omit<Counted, 'stopped' | 'lost' | 'duplicated'> => {
  const reasons: Record<string, number> = {}
  for (const { reason } of taken) if (reason !== undefined) reasons[reason] = (reasons[reason] ?? 0) + 1
  return {
    taken: taken.length,
    completed: taken.filter(({ completed }) => completed).length,
    failedParts: taken.reduce((sum, { failedParts }) => sum + failedParts, 0),
    unexpected: taken.flatMap(({ unexpected }, i) => (unexpected ? [i + 1] : [])),
    tookMs: taken.map(({ tookMs }) => tookMs),
    reasons,
  }
}

const p50Ms = (taken: readonly Taken[]): number =>
  quantile(
    taken.map(({ tookMs }) => tookMs),
    0.5,
  )

/** Whether it happens, with a probability: the same for the same seed, region and checkpoint. Source: splitmix32's mixing. */
export const chance =
  (probability: number, seed: number) =>
  (region: number, checkpoint: number): boolean => {
    let mixed = seed ^ Math.imul(region + 1, 0x9e3779b1) ^ Math.imul(checkpoint + 1, 0x85ebca6b)
    for (const factor of [0x21f0aaad, 0x735a2d97, 0x21f0aaad]) {
      mixed = Math.imul(mixed ^ (mixed >>> 16), factor)
      mixed = (mixed ^ (mixed >>> 15)) >>> 0
    }
    return mixed < probability * 2 ** 32
  }
