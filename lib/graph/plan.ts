import { SpillwayError } from '../error.ts'
import { defaultKeyGroups } from '../state/keyGroups.ts'
import type { Exchange } from './exchange.ts'
import type { Source } from './source.ts'
import { stageParallelism } from './stageParallelism.ts'
import type { AnyStream, OperatorNode, Pipeline } from './stream.ts'

/**
 * A job's pipelines cut into stages: a stage's operators run together in one task. The cut is behind an operator that
 * exchanges (`keyBy`, `rebalance`, ...) and before one with several inputs.
 */
export interface Plan {
  /** Producers before consumers. */
  readonly stages: readonly Stage[]
  readonly edges: readonly Edge[]
}

export interface Stage {
  /** Number in the plan and its first operator's name: the same for the same pipelines. */
  readonly id: string
  /** How many tasks it has. */
  readonly parallelism: number
  /** Their names, such as `2:scan/3`; one string a task for all who look it up. */
  readonly tasks: readonly string[]
  /** Barriers are aligned on all its inputs, whatever the checkpoint's are, because one of them is declared so. */
  readonly alignedOnly: boolean
  readonly nodes: readonly OperatorNode[]
  readonly pipelines: readonly Pipeline[]
  readonly source: Source<unknown> | undefined
  /** By the order of the first operator's inputs. */
  readonly inputs: readonly Edge[]
  readonly outputs: readonly Edge[]
}

export interface Edge {
  readonly stream: AnyStream
  readonly exchange: Exchange
  readonly from: Stage
  readonly to: Stage
  /** Number among the consumer's inputs. */
  readonly input: number
}

type Growing = {
  -readonly [K in keyof Stage]: Stage[K] extends readonly (infer A)[] ? A[] : Stage[K]
}

/**
 * @throws NO_PIPELINE, NO_SOURCE, DUPLICATE_NAME, SIDE_NOT_READ, EVENT_TIME_NOT_PER_SPLIT, PARALLELISM_CONFLICT,
 * PARALLELISM_TOO_LARGE
 */
export const plan = (
  pipelines: readonly Pipeline[],
  {
    parallelism = 1,
    keyGroups = defaultKeyGroups,
  }: { readonly parallelism?: number; readonly keyGroups?: number } = {},
): Plan => {
  if (pipelines.length === 0) {
    throw new SpillwayError('NO_PIPELINE', {
      place: 'run',
      problem: 'it has been given no pipeline.',
      remedy: 'End a stream with into(sink) and hand over the result.',
    })
  }
  const stages: Growing[] = []
  const edges: Edge[] = []
  const stageOf = new Map<OperatorNode, Growing>()

  const begin = (inputs: readonly AnyStream[], source?: Source<unknown>): Growing => {
    const producers = inputs.map(input => visit(input.node))
    const stage: Growing = {
      ...{ id: '', parallelism, alignedOnly: false, source },
      ...{ tasks: [], nodes: [], pipelines: [], inputs: [], outputs: [] },
    }
    stages.push(stage)
    inputs.forEach((stream, input) => {
      const from = producers[input] as Growing
      const edge = { stream, exchange: stream.node.lineage.exchange ?? 'forward', from, to: stage, input }
      stage.inputs.push(edge)
      from.outputs.push(edge)
      edges.push(edge)
    })
    return stage
  }

  const visit = (node: OperatorNode): Growing => {
    let stage = stageOf.get(node)
    if (stage === undefined) {
      checkSource(node)
      stage = joined(node.lineage.inputs, node.lineage.source)
      stage.nodes.push(node)
      stageOf.set(node, stage)
    }
    return stage
  }

  const checkSource = (node: OperatorNode): void => {
    const { inputs, source } = node.lineage
    if (inputs.length > 0 || source !== undefined) return
    throw new SpillwayError('NO_SOURCE', {
      place: node.name,
      problem: 'it has no source, so that nothing could be read again after a crash.',
      remedy: 'Begin the pipeline with stream(source).',
    })
  }

  const joined = (inputs: readonly AnyStream[], source?: Source<unknown>): Growing => {
    const [only, ...others] = inputs
    const cut = only === undefined || others.length > 0 || (only.node.lineage.exchange ?? 'forward') !== 'forward'
    return cut ? begin(inputs, source) : visit(only.node)
  }

  for (const pipeline of pipelines) joined([pipeline.input]).pipelines.push(pipeline)
  makeNamesUnique(stages)
  stages.forEach((stage, number) => {
    const { name } = stage.nodes[0] ?? (stage.pipelines[0] as Pipeline)
    stage.id = `${number}:${name}`
    stage.parallelism =
      stage.nodes[0]?.lineage.source === undefined
        ? stageParallelism(name, stage.inputs.map(producersOf), { parallelism, keyGroups })
        : (stage.nodes[0].lineage.parallelism ?? parallelism)
    stage.tasks = Array.from({ length: stage.parallelism }, (_, index) => `${stage.id}/${index}`)
    stage.alignedOnly = stage.inputs.some(({ stream }) => stream.node.lineage.alignedOnly === true)
  })
  checkNames(stages)
  checkSides(stages)
  checkEventTime(stages)
  return { stages, edges }
}

const producersOf = ({ stream, from }: Edge) => ({ stream, producers: from.parallelism })

/** Operators without state may have one name; what is suspended in them must be told apart all the same. */
const makeNamesUnique = (stages: readonly Stage[]): void => {
  const seen = new Set(stateful(stages).map(({ name }) => name))
  for (const node of stages.flatMap(({ nodes }) => nodes)) {
    if (node.lineage.stateful === true) continue
    const { name } = node
    for (let n = 2; seen.has(node.name); n++) node.name = `${name}#${n}`
    seen.add(node.name)
  }
}

const checkNames = (stages: readonly Stage[]): void => {
  const seen = new Set<string>()
  for (const { name } of stateful(stages)) {
    if (seen.has(name)) {
      throw new SpillwayError('DUPLICATE_NAME', {
        place: name,
        problem: 'two stateful operators have this name, so that a restore could not tell their state apart.',
        remedy: `Give one another name: named('other', ...), or the name option of a source.`,
      })
    }
    seen.add(name)
  }
}

const stateful = (stages: readonly Stage[]): readonly { readonly name: string }[] =>
  stages.flatMap(({ nodes, pipelines }) => [...nodes.filter(node => node.lineage.stateful === true), ...pipelines])

const checkSides = (stages: readonly Stage[]): void => {
  const consumed = new Set<string>()
  const nodes = stages.flatMap(stage => stage.nodes)
  const ids = new Map(nodes.map((node, id) => [node, id]))
  const read = (stream: AnyStream) => consumed.add(`${ids.get(stream.node)} ${stream.sideName ?? ''}`)
  for (const node of nodes) node.lineage.inputs.forEach(read)
  for (const { input } of stages.flatMap(stage => stage.pipelines)) read(input)
  for (const node of nodes) {
    for (const side of node.lineage.sides ?? []) {
      if (consumed.has(`${ids.get(node)} ${side}`)) continue
      throw new SpillwayError('SIDE_NOT_READ', {
        place: node.name,
        problem: `nobody reads its side output "${side}": its records would be lost.`,
        remedy: `Run a pipeline on .side('${side}') too, or let the operator drop them by its options.`,
      })
    }
  }
}

const checkEventTime = (stages: readonly Stage[]): void => {
  for (const { nodes, source } of stages) {
    for (const node of nodes) {
      if (node.lineage.givesEventTime !== true || source !== undefined) continue
      throw new SpillwayError('EVENT_TIME_NOT_PER_SPLIT', {
        place: node.name,
        problem: 'it stands behind an exchange or a union, where the order of a split is lost.',
        remedy: 'Put eventTime(...) directly behind the source.',
      })
    }
  }
}
