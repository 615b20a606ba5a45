import type { Store } from '../../store/store.ts'
import { type Attempt, attempt } from './attempt.ts'
import { type Conditions, conditionsOf, type GivenConditions, type SimulatedJob } from './conditions.ts'
import { difference, type ExpectedRecords, sorted } from './difference.ts'
import type { Fault } from './faults.ts'
import { shrunk } from './shrunk.ts'

/** Conditions that are not given are drawn from the seed. */
export interface SimulateOptions extends GivenConditions {
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
  /** Groups of tasks that were started again while their run went on. */
  readonly restarts: number
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
 * Runs a whole job under virtual time: the real runtime, operators and serializer, over a simulated store and simulated
 * sinks in the place of the pipelines' own, through crashes and failures, until it is done. The job is made anew at each start,
 * as by a new process. Synchronous; takes some milliseconds. The same seed gives the same run.
 *
 * Checked: each sink publishes exactly what it should; the sinks' contract; no publication before its checkpoint is durable;
 * no run fails but by a fault; no task is left waiting (`STALLED`); no timer, sink, captured table or stored object is left
 * over. Sources must be in memory: what waits for a promise or for I/O is outside virtual time, and stalls.
 *
 * @throws SimulationFailure
 */
export const simulate = (job: SimulatedJob, options: SimulateOptions): Simulation => {
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

const expectedOf = (job: SimulatedJob, { expected, seed }: SimulateOptions): ExpectedRecords => {
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
  { expected, check }: { expected: ExpectedRecords; check: SimulateOptions['check'] },
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

const columnsMax = 600
