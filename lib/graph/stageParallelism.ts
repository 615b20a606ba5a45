import { SpillwayError } from '../error.ts'
import type { AnyStream } from './stream.ts'

/** An input of a stage, as its parallelism depends on it. */
interface Input {
  readonly stream: AnyStream
  readonly producers: number
}

/**
 * How many tasks a stage has: what its exchanges say, else as many as what comes forward into it, else the job's.
 *
 * What comes forward comes from as many tasks: dealing it anew would lose its order, and nobody has asked for that.
 * @throws PARALLELISM_CONFLICT, PARALLELISM_TOO_LARGE
 */
export const stageParallelism = (
  name: string,
  inputs: readonly Input[],
  { parallelism, keyGroups }: { readonly parallelism: number; readonly keyGroups: number },
): number => {
  const claims = inputs.flatMap(({ stream: { node }, producers }) => {
    const { exchange = 'forward', parallelism: said } = node.lineage
    const tasks = exchange === 'forward' ? producers : said
    return tasks === undefined ? [] : [{ node, tasks }]
  })
  const [first] = claims
  const other = claims.find(({ tasks }) => tasks !== first?.tasks)
  if (first !== undefined && other !== undefined) {
    throw new SpillwayError('PARALLELISM_CONFLICT', {
      place: name,
      problem: `what comes from ${first.node.name} asks for ${first.tasks} tasks, what comes from ${other.node.name} for ${other.tasks}.`,
      remedy: 'Put an exchange between that says how many: rescale, rebalance or keyBy with the option parallelism.',
    })
  }
  const tasks = first?.tasks ?? parallelism
  if (tasks > keyGroups && inputs.some(({ stream: { node } }) => node.lineage.exchange === 'keyed')) {
    throw new SpillwayError('PARALLELISM_TOO_LARGE', {
      place: name,
      problem: `it is to have ${tasks} tasks, and its keys are dealt in ${keyGroups} groups: the others would have none.`,
      remedy: `Give keyBy the option parallelism: ${keyGroups}, or less; or a new job the option keyGroups: ${tasks}, or more.`,
    })
  }
  return tasks
}
