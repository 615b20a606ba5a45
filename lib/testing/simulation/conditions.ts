import type { Guarantee } from '../../alignment/alignment.ts'
import type { Policy } from '../../coordination/policy.ts'
import { fixedDelay, none, type RestartPolicy } from '../../coordination/restarts.ts'
import type { Alignment } from '../../element.ts'
import { plan } from '../../graph/plan.ts'
import { Pipeline } from '../../graph/stream.ts'
import type { IncrementalOption, RunOptions } from '../../runtime/options.ts'
import { type Fault, randomFaults } from './faults.ts'
import { seeded } from './random.ts'

/** Makes a job's pipelines: called at every start, as a new process would. */
export type SimulatedJob = () => Pipeline | readonly Pipeline[]

/** All that a simulated run depends on, beside its job. */
export interface Conditions {
  readonly seed: number
  readonly faults: readonly Fault[]
  readonly parallelism: number
  /** `any`: drawn at each start, timeouts of up to the interval between two checkpoints among them. */
  readonly alignment: Alignment | 'any'
  readonly checkpoints: {
    readonly everyMs: number
    readonly timeoutMs: number
    readonly retainedCount: number
    readonly inlineBytesMax?: number
    readonly tasksPerFile?: number
    readonly incremental?: boolean | IncrementalOption
    /** With 'at-least-once' the alignment is to be 'aligned'. */
    readonly guarantee?: Guarantee
    readonly publishTimeoutMs?: number
    /** `regional(...)` where the job can run by region. */
    readonly policy?: Policy
  }
  /** Of tasks that fail, with those joined to them, within a run; `none()` fails the run. */
  readonly restart: RestartPolicy
  readonly channels: NonNullable<RunOptions['channels']>
  /** So many buffers beyond what its writers are guaranteed are the job's budget, at any parallelism; false: what `channels` say. */
  readonly spareBuffers: false | number
  /** Channels have two halves, joined by a link of so many ms each way, with so many credits; false: each is one queue. */
  readonly link: false | { readonly latencyMs: number; readonly buffersMax: number }
  /** Operations of the store take up to so many ms. */
  readonly latencyMs: number
  /** How likely a sink is full for a while after a write. */
  readonly slowness: number
}

/** What is given of them; `faults` may be the number of random ones, 3 without it. */
export interface GivenConditions extends Partial<Omit<Conditions, 'seed' | 'faults'>> {
  readonly seed: number
  readonly faults?: number | readonly Fault[]
}

/** What is not given is drawn from the seed. */
export const conditionsOf = (job: SimulatedJob, options: GivenConditions): Conditions => {
  const random = seeded(options.seed)
  const drawnParallelism = 1 + random.below(4)
  const parallelism = options.parallelism ?? drawnParallelism
  const everyMs = 0.3 + 4 * random.next() ** 2 + sizeOf(job, parallelism) * (0.05 + random.next() / 10)
  const drawn = {
    alignment: 'any' as const,
    checkpoints: { everyMs, timeoutMs: 4 * everyMs + 40, retainedCount: 1 + random.below(2) },
    channels: {
      buffersMax: 1 + random.below(4),
      bufferRecordsMax: 1 + random.below(16),
      flushMs: 1 + random.below(20),
      overdraftBuffersMax: random.below(3),
      debloat: random.chance(0.3) && { targetMs: 1 + random.below(10), periodMs: 1 + random.below(5), samples: 2 },
    },
    latencyMs: random.next() * 3,
    slowness: random.chance(0.5) ? random.next() / 2 : 0,
  }
  const given = options.faults ?? 3
  const faults = typeof given === 'number' ? randomFaults(random, given) : given
  const link = random.chance(0.4) && { latencyMs: 2 * random.next() ** 2, buffersMax: 1 + random.below(4) }
  const inlineBytesMax = [0, 0, 100, 1_000, 20_480][random.below(5)] as number
  // Shorter than the pause before a second attempt, or longer than any run.
  const publishTimeoutMs = random.chance(0.3) ? 60 : 600_000
  const restart = random.chance(0.5) ? fixedDelay({ delayMs: everyMs * random.below(3), attemptsMax: 3 }) : none()
  const tasksPerFile = 1 + random.below(4)
  // With small state: a chain that is long, or soon too long for its first snapshot.
  const incremental = random.chance(0.7) && {
    deltasMax: 1 + random.below(6),
    bytesPercentMax: 10 ** (1 + random.below(4)),
  }
  const mayBeScarce = options.channels?.budgetBuffers === undefined
  const spareBuffers = random.chance(0.3) && mayBeScarce && random.below(4)
  return {
    seed: options.seed,
    faults,
    parallelism,
    alignment: options.alignment ?? drawn.alignment,
    checkpoints: options.checkpoints ?? {
      ...drawn.checkpoints,
      inlineBytesMax,
      tasksPerFile,
      incremental,
      publishTimeoutMs,
    },
    restart: options.restart ?? restart,
    channels: options.channels ?? drawn.channels,
    spareBuffers: options.spareBuffers ?? spareBuffers,
    link: options.link ?? link,
    latencyMs: options.latencyMs ?? drawn.latencyMs,
    slowness: options.slowness ?? drawn.slowness,
  }
}

/** Tasks and channels: each takes a barrier, so a checkpoint takes longer the more there are. */
const sizeOf = (job: SimulatedJob, parallelism: number): number => {
  const { stages, edges } = plan(pipelinesOf(job), { parallelism })
  const channels = edges.map(({ exchange, from, to }) =>
    exchange === 'forward' ? from.parallelism : from.parallelism * to.parallelism,
  )
  const tasks = stages.reduce((sum, stage) => sum + stage.parallelism, 0)
  return channels.reduce((sum, count) => sum + count, tasks)
}

export const pipelinesOf = (job: SimulatedJob): readonly Pipeline[] => {
  const pipelines = job()
  return pipelines instanceof Pipeline ? [pipelines] : pipelines
}
