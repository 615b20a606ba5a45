import { type Pipeline, type RunOptions, run as runUnchecked } from 'spillway'
import { type Environment, runIn as runInUnchecked } from 'spillway/testing'

/** The jobs of all specs are checked, STALLED among them, unless one says `checks: false` and why. */
const checked = (options: RunOptions = {}): RunOptions => ({ checks: true, ...options })

export const run: typeof runUnchecked = (pipelines: Pipeline | readonly Pipeline[], options?: RunOptions) =>
  runUnchecked(pipelines as readonly [], checked(options))

export const runIn = (
  environment: Environment,
  pipelines: Pipeline | readonly Pipeline[],
  options?: RunOptions,
): ReturnType<typeof runInUnchecked> => runInUnchecked(environment, pipelines, checked(options))
