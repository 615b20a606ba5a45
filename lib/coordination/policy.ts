import { SpillwayError } from '../error.ts'
import type { TaskId } from '../snapshot/snapshot.ts'
import type { FailureCause } from './tolerance.ts'

/**
 * What a job's checkpoints consist of, and which of them are complete.
 *
 * The coordinator hears and says everything by region: a task is told of what becomes of its region's part, and of nothing
 * else. So a policy that makes one region of all tasks is the usual, global one.
 */
export interface Policy {
  readonly kind: 'global' | 'regional'
  /** The regions, out of groups of tasks that channels join. */
  readonly regions: (connected: readonly (readonly TaskId[])[]) => readonly (readonly TaskId[])[]
  /** What a checkpoint comes to once each of its parts is finished or failed, and at least one has failed. */
  readonly outcome: (decided: Decided) => Outcome
}

export interface Decided {
  /** That were asked. */
  readonly regions: number
  readonly failed: readonly FailedPart[]
}

export interface FailedPart {
  readonly region: number
  readonly reason: string
  readonly cause: FailureCause
  /** The region has a part that it would be carried over with. */
  readonly hasPrevious: boolean
  /** The completed checkpoints in a row, up to the last one, in which it was carried over. */
  readonly carriedOver: number
}

export type Outcome =
  | { readonly kind: 'complete' }
  | { readonly kind: 'failed'; readonly reason: string; readonly cause: FailureCause }

/** All tasks are one region: a checkpoint is complete if every task has made its snapshot. */
export const global = (): Policy => ofAllTasks

export interface RegionalLimits {
  /** Of all regions, so large a share may fail in a checkpoint; from 0 to 1. */
  readonly failedRatioMax: number
  /** So often in a row a region may be carried over. */
  readonly consecutiveFailuresMax: number
}

/**
 * Each group of tasks joined by channels is a region: one that fails is carried over into the checkpoint with the part that it
 * last finished, within limits. Source: ByteDance, Regional Checkpoint.
 *
 * @throws INVALID_OPTION
 */
export const regional = (limits: RegionalLimits): Policy => {
  checkLimits(limits)
  return {
    kind: 'regional',
    regions: connected => connected,
    outcome: ({ regions, failed }) => {
      const { failedRatioMax, consecutiveFailuresMax } = limits
      const because = (of: FailedPart, reason: string): Outcome => ({ kind: 'failed', reason, cause: of.cause })
      const [first] = failed
      if (first === undefined) return { kind: 'complete' }
      if (failed.length / regions > failedRatioMax) {
        return because(
          first,
          `too-many-regions: ${failed.length} of ${regions} failed, the first because ${first.reason}`,
        )
      }
      const begun = failed.find(({ hasPrevious }) => !hasPrevious)
      if (begun !== undefined) {
        return because(
          begun,
          `no-previous: region ${begun.region} has never finished a part; it failed because ${begun.reason}`,
        )
      }
      const stale = failed.find(({ carriedOver }) => carriedOver >= consecutiveFailuresMax)
      if (stale !== undefined) {
        return because(
          stale,
          `region-stale: region ${stale.region} was carried over ${stale.carriedOver} times already; it failed because ${stale.reason}`,
        )
      }
      return { kind: 'complete' }
    },
  }
}

const failureOf = ([first]: readonly FailedPart[]): Outcome =>
  first === undefined ? { kind: 'complete' } : { kind: 'failed', reason: first.reason, cause: first.cause }

const ofAllTasks: Policy = {
  kind: 'global',
  regions: connected => [connected.flat()],
  outcome: ({ failed }) => failureOf(failed),
}

const checkLimits = ({ failedRatioMax, consecutiveFailuresMax }: RegionalLimits): void => {
  const found = !(failedRatioMax >= 0 && failedRatioMax <= 1)
    ? `failedRatioMax: expected a share from 0 to 1, found ${failedRatioMax}`
    : !(Number.isSafeInteger(consecutiveFailuresMax) && consecutiveFailuresMax >= 0)
      ? `consecutiveFailuresMax: expected a whole number of at least 0, found ${consecutiveFailuresMax}`
      : undefined
  if (found === undefined) return
  throw new SpillwayError('INVALID_OPTION', {
    place: 'regional',
    problem: `${found}.`,
    remedy: 'Give regional({ failedRatioMax: 0.5, consecutiveFailuresMax: 2 }), or the like.',
  })
}
