import { plan } from '../../graph/plan.ts'
import type { Store } from '../../store/store.ts'
import { type Attempt, attempt, type Conditions, type Job, pipelinesOf } from './attempt.ts'
import { canonical } from './canonical.ts'
import { type Fault, randomFaults } from './faults.ts'
import { seeded } from './random.ts'

export interface SimulateOptions extends Partial<Omit<Conditions, 'seed' | 'faults'>> {
  /** All chance comes from it: which task is next, how long everything takes, and whatever is not given here. */
  readonly seed: number
  /** So many random ones, or these; default 3. */
  readonly faults?: number | readonly Fault[]
  /**
   * What sinks are to publish, in any order, by their pipelines' names; the others' is not compared. Without it: what an
   * undisturbed run at parallelism 1 publishes.
   */
  readonly expected?: Readonly<Record<string, readonly unknown[]>>
  /** Any other claim about a run that is done; what it throws is the failure. */
  readonly check?: (run: Simulation) => void
  /** Whether a failure is made as short as can be before it is thrown; default true. */
  readonly shrink?: boolean
}

/** A simulated run that was done, and published what it should. */
export interface Simulation {
  readonly conditions: Conditions
  /** Of the job: one, and another after each crash or failure. */
  readonly starts: number
  /** That became durable. */
  readonly checkpoints: number
  /** The faults that have struck. */
  readonly met: readonly Fault[]
  /** By the pipelines' names: what each task's sink has published, in order. */
  readonly published: ReadonlyMap<string, readonly (readonly unknown[])[]>
  /** A copy of what the store holds in the end. */
  readonly store: Store
  /** The run, moment by moment, and all that the store holds: the same for the same seed. */
  readonly log: string
  /** The end of the run as text, lane by lane. */
  readonly picture: string
}

/** A run that has not done what it should. The message has the reason, the seed, the shortest case found, and its picture. */
export class SimulationFailure extends Error {
  override readonly name = 'SimulationFailure'
  readonly conditions: Conditions

  constructor(message: string, conditions: Conditions) {
    super(message)
    this.conditions = conditions
  }
}

/**
 * Runs a whole job, made anew at each start as a new process would, under virtual time: the real runtime, operators and serializer, over a simulated store and simulated
 * sinks in the place of the pipelines' own, through crashes and failures, until it is done. Synchronous; takes some
 * milliseconds. The same seed gives the same run.
 *
 * Checked: each sink publishes exactly what it should; the sinks' contract; no publication before its checkpoint is durable;
 * no run fails but by a fault; no task is left waiting (`STALLED`); no timer, sink, captured table or stored object is left
 * over. Sources must be in memory: what waits for a promise or for I/O is outside virtual time, and stalls.
 *
 * @throws SimulationFailure
 */
export const simulate = (job: Job, options: SimulateOptions): Simulation => {
  const conditions = conditionsOf(job, options)
  const expected = expectedOf(job, options)
  const tried = (of: Conditions) => judged(attempt(job, of), of, { expected, check: options.check })
  const first = tried(conditions)
  if (first.failure === undefined) return first.run
  const shortest = options.shrink === false ? first : shrunk(first, tried)
  throw new SimulationFailure(described(first, shortest), shortest.run.conditions)
}

interface Judged {
  readonly run: Simulation
  readonly failure: string | undefined
}

type Expected = ReadonlyMap<string, readonly string[]>

/** What is not given is drawn from the seed. */
const conditionsOf = (job: Job, options: SimulateOptions): Conditions => {
  const random = seeded(options.seed)
  const drawnParallelism = 1 + random.below(4)
  const parallelism = options.parallelism ?? drawnParallelism
  const everyMs = (0.3 + 4 * random.next() ** 2) * (1 + sizeOf(job, parallelism) / 60)
  const drawn = {
    alignment: 'either' as const,
    checkpoints: { everyMs, timeoutMs: 4 * everyMs + 40, retainedCount: 1 + random.below(2) },
    channels: {
      buffersMax: 1 + random.below(4),
      bufferRecordsMax: 1 + random.below(16),
      flushMs: 1 + random.below(20),
      overdraftBuffersMax: random.below(3),
    },
    latencyMs: random.next() * 3,
    slowness: random.chance(0.5) ? random.next() / 2 : 0,
  }
  const faults = options.faults ?? 3
  return {
    seed: options.seed,
    faults: typeof faults === 'number' ? randomFaults(random, faults) : faults,
    parallelism,
    alignment: options.alignment ?? drawn.alignment,
    checkpoints: options.checkpoints ?? drawn.checkpoints,
    channels: options.channels ?? drawn.channels,
    latencyMs: options.latencyMs ?? drawn.latencyMs,
    slowness: options.slowness ?? drawn.slowness,
  }
}

/** Tasks and channels: each takes a barrier, so a checkpoint takes longer the more there are. */
const sizeOf = (job: Job, parallelism: number): number => {
  const { stages, edges } = plan(pipelinesOf(job))
  const channels = edges.map(({ exchange }) => (exchange === 'forward' ? parallelism : parallelism ** 2))
  return channels.reduce((sum, count) => sum + count, stages.length * parallelism)
}

const expectedOf = (job: Job, { expected, seed }: SimulateOptions): Expected => {
  if (expected !== undefined) return new Map(Object.entries(expected).map(([name, of]) => [name, sorted(of)]))
  const undisturbed = attempt(job, {
    ...conditionsOf(job, { seed, faults: [], parallelism: 1, latencyMs: 0, slowness: 0 }),
    checkpoints: { everyMs: 2 ** 30, timeoutMs: 2 ** 30, retainedCount: 1 },
  })
  if (undisturbed.violation !== undefined) {
    throw new SimulationFailure(
      `an undisturbed run fails already: ${undisturbed.violation}\n\n${undisturbed.world.picture.text({ columnsMax })}`,
      conditionsOf(job, { seed, faults: [] }),
    )
  }
  return new Map([...undisturbed.published].map(([name, tasks]) => [name, sorted(tasks.flat())]))
}

const judged = (
  { violation, world, ...rest }: Attempt,
  conditions: Conditions,
  { expected, check }: { expected: Expected; check: SimulateOptions['check'] },
): Judged => {
  const run: Simulation = {
    conditions,
    ...rest,
    get store() {
      return world.disk.copy()
    },
    get log() {
      const stored = world.disk.contents().map(([name, bytes]) => `${name} ${bytes.join(' ')}`)
      return [world.picture.log, ...stored].join('\n')
    },
    get picture() {
      return world.picture.text({ columnsMax })
    },
  }
  return { run, failure: violation ?? difference(rest.published, expected) ?? failed(check, run) }
}

const failed = (check: SimulateOptions['check'], run: Simulation): string | undefined => {
  try {
    check?.(run)
    return undefined
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

/** As multisets. */
const difference = (published: Simulation['published'], expected: Expected): string | undefined => {
  for (const [name, wanted] of expected) {
    const found = sorted((published.get(name) ?? []).flat())
    const [lost, more] = [without(wanted, found), without(found, wanted)]
    if (lost.length === 0 && more.length === 0) continue
    return [
      `${name} published ${found.length} records instead of ${wanted.length}`,
      ...(lost.length > 0 ? [`  not published: ${listed(lost)}`] : []),
      ...(more.length > 0 ? [`  too many:      ${listed(more)}`] : []),
    ].join('\n')
  }
  return undefined
}

const sorted = (records: readonly unknown[]): readonly string[] => records.map(canonical).sort()

/** Both ascending. */
const without = (from: readonly string[], what: readonly string[]): readonly string[] => {
  let at = 0
  return from.filter(record => {
    while (at < what.length && (what[at] as string) < record) at++
    if (what[at] !== record) return true
    at++
    return false
  })
}

const listed = (records: readonly string[]): string =>
  records.slice(0, shownMax).join(' ') + (records.length > shownMax ? ` and ${records.length - shownMax} more` : '')

/** Leaves out what can be left out, as long as it fails. */
const shrunk = (failing: Judged, tried: (of: Conditions) => Judged): Judged => {
  let shortest = failing
  for (let attempts = 0; attempts < attemptsMax; ) {
    const shorter = simpler(shortest.run.conditions).find(of => {
      attempts++
      const next = tried(of)
      if (next.failure === undefined) return false
      shortest = next
      return true
    })
    if (shorter === undefined) break
  }
  return shortest
}

const simpler = (of: Conditions): readonly Conditions[] => [
  ...(of.parallelism > 1 ? [{ ...of, parallelism: of.parallelism - 1 }] : []),
  ...of.faults.map((_, left) => ({ ...of, faults: of.faults.filter((__, at) => at !== left) })),
  ...of.faults.flatMap((fault, at) =>
    fault.after > 0 ? [{ ...of, faults: of.faults.with(at, { ...fault, after: Math.floor(fault.after / 2) }) }] : [],
  ),
  ...(of.slowness > 0 ? [{ ...of, slowness: 0 }] : []),
]

const described = (first: Judged, shortest: Judged): string =>
  [
    `the simulation fails with seed ${first.run.conditions.seed}: ${first.failure}`,
    `found under  ${JSON.stringify(first.run.conditions)}`,
    ...(shortest === first
      ? []
      : [`shortest     ${JSON.stringify(shortest.run.conditions)}`, `there        ${shortest.failure}`]),
    '',
    shortest.run.picture,
  ].join('\n')

const shownMax = 10
const columnsMax = 600
const attemptsMax = 200
