import type { SplitId } from '../element.ts'
import { channelsOf } from '../graph/channelsOf.ts'
import { joins } from '../graph/joins.ts'
import type { Plan, Stage } from '../graph/plan.ts'
import type { OperatorNode } from '../graph/stream.ts'
import type { Spread, SpreadInput } from '../snapshot/redistribution/spread.ts'

/** What a restored job is to run as. */
export interface Target {
  readonly plan: Plan
  readonly keyGroups: number
  readonly splits: ReadonlyMap<Stage, readonly SplitId[]>
}

/** How a stage's state is to be spread. */
export const spreadOf = (
  { inputs, nodes, parallelism: after }: Stage,
  {
    before,
    keyGroups,
    splits,
    generations,
  }: Pick<Spread, 'before' | 'keyGroups' | 'generations'> & { readonly splits: readonly SplitId[] },
): Spread => {
  const taskOf = new Map(splits.map((split, i) => [split, i % after]))
  const broadcast = nodes.flatMap(({ name, lineage: { broadcastEffect: effect } }) =>
    effect === undefined ? [] : [{ operator: name, effect }],
  )[0]
  return {
    before,
    after,
    keyGroups,
    inputs: inputs.map(({ exchange, from: { parallelism: producers }, stream: { node } }) => ({
      exchange,
      producers,
      joined: (from, to) => joins(exchange, { from, to, producers, consumers: after }),
      ...customOf(node, after),
    })),
    broadcast,
    taskOfSplit: split => taskOf.get(split),
    generations,
  }
}

const customOf = ({ name, lineage: { partitioner } }: OperatorNode, channels: number): Pick<SpreadInput, 'tasksOf'> =>
  partitioner === undefined ? {} : { tasksOf: records => channelsOf({ name, partitioner, channels }, records) }
