import { connected } from '../graph/connected.ts'
import { consumersOf } from '../graph/joins.ts'
import { type Edge, type Plan, plan } from '../graph/plan.ts'
import type { Pipeline } from '../graph/stream.ts'
import { type RunOptions, settings } from './options.ts'

/** The regions of a job: tasks that channels join, directly or not. */
export interface ExplainedRegions {
  /** The tasks of each, such as `1:map/0`. */
  readonly regions: readonly (readonly string[])[]
  /** Why there is only one. */
  readonly oneBecause?: string
  /** For people: how many there are, and what each has; those that are alike in one line. */
  readonly text: string
}

/**
 * The regions that pipelines have with these options of `run`; nothing runs. With `regional(...)` each has checkpoints by itself.
 *
 * @throws UNKNOWN_OPTION, INVALID_OPTION, and as `run` what the pipelines are refused for
 */
export const explainRegions = (
  pipelines: Pipeline | readonly Pipeline[],
  options: RunOptions = {},
): ExplainedRegions => {
  const { parallelism, keyGroups } = settings(options)
  const planned = plan(Array.isArray(pipelines) ? pipelines : [pipelines as Pipeline], { parallelism, keyGroups })
  return explained(planned, connected(planned))
}

export const explained = (of: Plan, regions: readonly (readonly string[])[]): ExplainedRegions => {
  const lines = [`${counted(regions.length, 'region')} of ${counted(regions.flat().length, 'task')}`]
  for (const [shape, count] of tallied(regions.map(shapeOf))) lines.push(`${count} x ${shape}`)
  if (regions.length > 1) return { regions, text: lines.join('\n') }
  const oneBecause = whyOne(of)
  return { regions, oneBecause, text: [...lines, `because ${oneBecause}`].join('\n') }
}

const whyOne = ({ edges }: Plan): string => {
  const joining = edges.find(joinsAll)
  if (joining === undefined) return 'channels join all tasks'
  const { stream, from, to } = joining
  return `${stream.node.name} joins all tasks of ${from.id} with all of ${to.id}`
}

const joinsAll = ({ exchange, from, to }: Edge): boolean => {
  const [producers, consumers] = [from.parallelism, to.parallelism]
  const { first, end } = consumersOf(exchange, { from: 0, producers, consumers })
  return producers * consumers > 1 && end - first === consumers
}

/** The stages of a region, and of how many tasks if not of one. */
const shapeOf = (tasks: readonly string[]): string =>
  [...tallied(tasks.map(task => task.slice(0, task.lastIndexOf('/'))))]
    .map(([stage, count]) => (count === 1 ? stage : `${stage} (${count} tasks)`))
    .join(', ')

const tallied = (words: readonly string[]): ReadonlyMap<string, number> => {
  const counts = new Map<string, number>()
  for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1)
  return counts
}

const counted = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`
