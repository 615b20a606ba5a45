import type { Unsubscribable } from 'rxjs'
import type { BufferBudget } from '../channel/budget.ts'
import type { CaptureBudget } from '../channel/captureBudget.ts'
import { Channel, type Halves, type ReceivingHalf, type SendingHalf } from '../channel/channel.ts'
import { type Dealing, Writer } from '../channel/writer.ts'
import type { SplitId } from '../element.ts'
import { channelsOf } from '../graph/channelsOf.ts'
import { consumersOf } from '../graph/joins.ts'
import type { Edge, Plan, Stage } from '../graph/plan.ts'
import { absurd, invariant } from '../invariant.ts'
import type { Coding } from '../snapshot/chunk.ts'
import { type Unions, withUnions } from '../snapshot/redistribution/unions.ts'
import type { RestoredTask, TaskId } from '../snapshot/snapshot.ts'
import { subtaskOf } from '../state/keyGroups.ts'
import { guaranteedBuffers, maxBuffers, overdraftBuffers } from './bufferBound.ts'
import type { Executor } from './executor.ts'
import type { Settings } from './options.ts'
import type { OutputChannel } from './outboxes.ts'
import type { RestoredJob } from './restoredJob.ts'
import type { Environment } from './run.ts'
import { RunningTask, type RunningTaskOptions, type TaskEvent } from './task.ts'

export interface Wiring {
  readonly plan: Plan
  readonly settings: Settings
  /** What snapshots will be written with. */
  readonly encoding: Coding
  readonly budget: BufferBudget
  readonly captures: CaptureBudget
  readonly environment: Environment
  readonly executor: Executor
  readonly epoch: number
  readonly splits: ReadonlyMap<Stage, readonly SplitId[]>
  readonly restored: Pick<RestoredJob, 'tasks' | 'unions'> | undefined
  readonly report: (event: TaskEvent) => void
  /** Of the plan's tasks; they must be all that channels join with them. */
  readonly isWanted: (task: TaskId) => boolean
}

/** Makes tasks of a plan, and the channels between them. */
export const wired = (wiring: Wiring): readonly RunningTask[] => {
  const { plan, settings, isWanted, environment } = wiring
  const { channels: channelSettings } = settings
  const made = (): Halves<unknown> => environment.channel?.() ?? new Channel()
  const joined = new Map(plan.edges.map(edge => [edge, channelsOfEdge(edge, { isWanted, made })]))

  return plan.stages.flatMap(stage => {
    const { parallelism } = stage
    const restoredOf = restoredIn(stage, wiring.restored)
    return stage.tasks.flatMap((id, index) => {
      if (!isWanted(id)) return []
      const options: RunningTaskOptions = {
        id,
        stage,
        subtask: { index, parallelism },
        epoch: wiring.epoch,
        executor: wiring.executor,
        scheduler: wiring.environment.scheduler,
        clock: wiring.environment.clock,
        keyGroups: settings.keyGroups,
        bufferRecordsMax: channelSettings.bufferRecordsMax,
        checks: settings.checks,
        encoding: wiring.encoding,
        incremental: settings.checkpoints.incremental !== undefined,
        guarantee: settings.checkpoints.guarantee,
        publishTimeoutMs: settings.checkpoints.publishTimeoutMs,
        splits: everyNth(wiring.splits.get(stage) ?? [], { first: index, n: parallelism }),
        channels: stage.inputs.flatMap((edge, input) =>
          (joined.get(edge)?.inputs[index] ?? []).map(({ from, channel }) => ({ channel, input, from })),
        ),
        captures: wiring.captures,
        writers: writersOf({ id, index, outputs: stage.outputs, joined }, wiring),
        outputs: stage.outputs.flatMap(edge => outboxesOf(edge, index, joined.get(edge))),
        links: stage.outputs.flatMap(edge => joined.get(edge)?.outputs[index]?.links ?? []),
        report: wiring.report,
        observe: wiring.environment.observe,
      }
      return new RunningTask(options, restoredOf(id))
    })
  })
}

/** Holds no more of the wiring than it needs: a task keeps it, and is not to keep what all were restored from. */
const writersOf =
  (
    {
      id,
      index,
      outputs,
      joined,
    }: Pick<Stage, 'outputs'> & {
      readonly id: TaskId
      readonly index: number
      readonly joined: ReadonlyMap<Edge, Joined>
    },
    { budget, settings: { channels, keyGroups } }: Pick<Wiring, 'budget' | 'settings'>,
  ): RunningTaskOptions['writers'] =>
  onAvailable =>
    outputs.map(edge => {
      const to = joined.get(edge)?.outputs[index]?.sending ?? []
      const pool = budget.pool({
        guaranteed: guaranteedBuffers(channels),
        max: maxBuffers(to.length, channels),
        perChannelMax: channels.buffersMax,
        overdraftMax: overdraftBuffers(to.length, channels),
        onAvailable,
      })
      return new Writer<unknown>(to, {
        name: `${edge.stream.node.name} in task ${id}`,
        bufferRecordsMax: channels.bufferRecordsMax,
        pool,
        dealing: dealing(edge, keyGroups),
        alignedOnly: edge.to.alignedOnly,
      })
    })

/** By task: what it is restored from, with the union states of the stage's operators. */
const restoredIn = ({ nodes }: Stage, restored: Wiring['restored']): ((id: TaskId) => RestoredTask | undefined) => {
  const unions: Unions = new Map(
    nodes.flatMap(({ name }) => {
      const of = restored?.unions.get(name)
      return of === undefined ? [] : [[name, of] as const]
    }),
  )
  return id => {
    const task = restored?.tasks.get(id)
    return task && withUnions(task, unions)
  }
}

interface Joined {
  /** By producer. */
  readonly outputs: readonly Output[]
  /** By consumer. */
  readonly inputs: readonly (readonly { readonly from: number; readonly channel: ReceivingHalf<unknown> }[])[]
}

interface Output {
  /** The consumer that the first channel leads to. */
  readonly first: number
  readonly sending: readonly SendingHalf<unknown>[]
  readonly links: readonly Unsubscribable[]
}

const channelsOfEdge = (
  { exchange, from: { id, parallelism: producers }, to: { parallelism: consumers } }: Edge,
  { isWanted, made }: Pick<Wiring, 'isWanted'> & { readonly made: () => Halves<unknown> },
): Joined => {
  const inputs: { from: number; channel: ReceivingHalf<unknown> }[][] = indexes(consumers).map(() => [])
  const outputs = indexes(producers).map((from): Output => {
    if (!isWanted(`${id}/${from}`)) return { first: 0, sending: [], links: [] }
    const { first, end } = consumersOf(exchange, { from, producers, consumers })
    const halves = indexes(end - first).map(made)
    for (const [nth, { receiving }] of halves.entries()) inputs[first + nth]?.push({ from, channel: receiving })
    return { first, sending: halves.map(({ sending }) => sending), links: halves.flatMap(({ link }) => link ?? []) }
  })
  return { outputs, inputs }
}

/** Where all barriers are aligned none of them passes anything. */
const outboxesOf = ({ to, input }: Edge, from: number, joined: Joined | undefined): readonly OutputChannel[] => {
  const { first, sending } = joined?.outputs[from] ?? { first: 0, sending: [] }
  if (to.alignedOnly) return []
  return sending.flatMap(({ outbox }, nth) =>
    outbox === undefined ? [] : [{ outbox, to: to.tasks[first + nth] as TaskId, input, from }],
  )
}

const dealing = ({ exchange, stream: { node }, to: { parallelism } }: Edge, groups: number): Dealing => {
  switch (exchange) {
    case 'forward':
    case 'rebalance':
    case 'rescale':
      return { kind: 'rebalance' }
    case 'broadcast':
    case 'global':
      return { kind: exchange }
    case 'custom': {
      const { name, lineage } = node
      const { partitioner } = lineage
      invariant(partitioner !== undefined, () => `custom exchange ${name} has a partitioner`)
      return {
        kind: 'custom',
        channelsOf: records => channelsOf({ name, partitioner, channels: parallelism }, records),
      }
    }
    case 'keyed':
      return { kind: 'keyed', channelOf: indexes(groups).map(group => subtaskOf(group, { groups, parallelism })) }
    default:
      return absurd(exchange)
  }
}

const everyNth = <A>(all: readonly A[], { first, n }: { readonly first: number; readonly n: number }): readonly A[] => {
  const length = Math.max(0, Math.ceil((all.length - first) / n))
  return Array.from({ length }, (_, i) => all[first + i * n] as A)
}

const indexes = (count: number): readonly number[] => Array.from({ length: count }, (_, i) => i)
