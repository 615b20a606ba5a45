import type { Alignment } from '../../element.ts'
import { messageOf, SpillwayError } from '../../error.ts'
import { plan } from '../../graph/plan.ts'
import { type AnyStream, named, Pipeline } from '../../graph/stream.ts'
import { bufferBound } from '../../runtime/bufferBound.ts'
import { settings } from '../../runtime/options.ts'
import { type Conditions, pipelinesOf, type SimulatedJob } from './conditions.ts'
import { type Fault, FaultPlan, isExcused } from './faults.ts'
import { leftovers } from './leftovers.ts'
import { Process, type ProcessEnd } from './process.ts'
import { type Random, seeded } from './random.ts'
import { World } from './world.ts'

/** What became of a run. */
export interface Attempt {
  /** What must not be; undefined: the job was done. */
  readonly violation: string | undefined
  readonly starts: number
  readonly checkpoints: number
  /** Groups of tasks that were started again while their run went on. */
  readonly restarts: number
  /** Faults that have struck. */
  readonly met: readonly Fault[]
  /** By the pipelines' names: what each task's sink has published, in order. */
  readonly published: ReadonlyMap<string, readonly (readonly unknown[])[]>
  readonly world: World
}

/** Runs a job in a world of its own, from start to start, until it is done. Takes no time but the processor's. */
export const attempt = (job: SimulatedJob, conditions: Conditions): Attempt => {
  const { latencyMs, slowness, checkpoints, channels, spareBuffers, link, restart } = conditions
  const random = seeded(conditions.seed)
  const world = new World(random, new FaultPlan(conditions.faults), { latencyMs, slowness })
  /** With the parallelism that each was started with. */
  const alive = new Map<Process, number>()
  let [starts, completed, restarts, done] = [0, 0, 0, false]
  let { parallelism } = conditions
  /** Of the last run that could be started with it. */
  let possible = parallelism

  /** Each channel takes a barrier: with more of them checkpoints come less often, or there is time for nothing else. */
  const paced = (): Conditions['checkpoints'] => {
    const times = Math.max(1, (parallelism / conditions.parallelism) ** 2)
    return { ...checkpoints, everyMs: times * checkpoints.everyMs, timeoutMs: times * checkpoints.timeoutMs }
  }

  const start = (): void => {
    starts++
    if (starts > startsMax) return world.violated(`it is not done after ${startsMax} starts`)
    for (const other of alive.keys()) other.accompanied = true
    const process = new Process(world, { checkpoints: paced(), link, onEnd, onRival: () => world.schedule(start, 0) })
    process.accompanied = alive.size > 0
    if (world.disk.committed > 0 && process.strikes('otherParallelism') !== undefined) {
      parallelism = other(parallelism, random)
    }
    alive.set(process, parallelism)
    const alignment = conditions.alignment === 'any' ? anyAlignment(random, checkpoints) : conditions.alignment
    const pipelines = pipelinesOf(job).map(({ name, input }) =>
      named(name, (source: AnyStream) => new Pipeline(source, world.outside(name).sinkOf(process)))(input),
    )
    process.start(pipelines, {
      parallelism,
      store: world.disk.storeOf(process),
      checks: true,
      checkpoints: { ...paced(), alignment },
      channels: withBudget(channels, { spareBuffers, parallelism, pipelines }),
      restart,
    })
  }

  const onEnd = (process: Process, end: ProcessEnd): void => {
    const startedWith = alive.get(process) as number
    alive.delete(process)
    if (process.checkpoints > 0) possible = startedWith
    completed += process.checkpoints
    restarts += process.restarts
    if (end.kind === 'failed') {
      const refused = startedWith !== possible && isRefused(end.error)
      if (refused) parallelism = possible
      const excused = refused || ((process.struck > 0 || !process.alone) && isExcused(end.error))
      if (!excused) return world.violated(described(end.error))
    }
    if (end.kind === 'done') {
      done = true
      const left = process.struck === 0 && process.alone ? leftovers(world.disk, checkpoints.retainedCount) : undefined
      if (left !== undefined) world.violated(left)
    }
    if (!done && alive.size === 0) world.schedule(start, 1)
  }

  world.schedule(start, 0)
  try {
    world.run()
  } catch (error) {
    world.violated(described(error))
  }
  if (!done) world.violated('STALLED: nothing is left to do, and the job is not done')
  return {
    violation: world.violation,
    starts,
    checkpoints: completed,
    restarts,
    met: world.faults.met,
    published: new Map([...world.outsides].map(({ name, published }) => [name, published])),
    world,
  }
}

/** What is guaranteed depends on the parallelism of the start. */
const withBudget = (
  channels: Conditions['channels'],
  of: Pick<Conditions, 'spareBuffers' | 'parallelism'> & { readonly pipelines: readonly Pipeline[] },
): Conditions['channels'] => {
  const { spareBuffers, parallelism, pipelines } = of
  if (spareBuffers === false) return channels
  const { guaranteed } = bufferBound(plan(pipelines, { parallelism }), settings({ channels }))
  return { ...channels, budgetBuffers: Math.max(1, guaranteed + spareBuffers) }
}

const anyAlignment = (random: Random, { everyMs }: Conditions['checkpoints']): Alignment =>
  random.pick(['aligned', 'unaligned', { alignedTimeoutMs: 0.01 + everyMs * random.next() ** 2 }] as const)

const described = (error: unknown): string => {
  const stack = error instanceof SpillwayError || !(error instanceof Error) ? '' : `\n${error.stack}`
  return `a run failed with "${messageOf(error)}"${stack}`
}

/** State of whole tasks cannot be dealt to others. */
const isRefused = (error: unknown): boolean => error instanceof SpillwayError && error.code === 'PARALLELISM_CHANGED'

/** Another one, of at most 8 tasks a stage. */
const other = (parallelism: number, random: Random): number => {
  const drawn = 1 + random.below(7)
  return drawn < parallelism ? drawn : drawn + 1
}

/** Faults are fewer. */
const startsMax = 100
