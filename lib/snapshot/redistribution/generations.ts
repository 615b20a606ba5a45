import type { Generations } from '../../channel/generations.ts'
import type { Buffer, StreamElement } from '../../element.ts'
import { type Begun, type Frame, gateState, ownState } from '../frame.ts'
import type { RestoredTask } from '../snapshot.ts'

/** The generations that a restore at another parallelism makes of what was in flight, as one stage sees them. */
export interface DealtGenerations {
  /** Of the restore before, if its generations were still worked off; 0: they were not. */
  readonly before: number
  /** Of this one. */
  readonly count: number
  /** The generation of what was in the stage's channels in this one of the restore before; `before`: it was newer. */
  readonly of: (old: number) => number
  /** The same of what was left to do in its operators. */
  readonly ofFrames: (old: number) => number
}

/** A stage as it was: its tasks, and how many stages lead to it at the most. */
export interface StageInFlight {
  readonly id: string
  readonly depth: number
  /**
   * What is left to do in its operators may go to other tasks than what its channels hold, so that it must be done before: records
   * of a custom exchange are dealt by its partitioner, which knows nothing of what operators have made of them.
   */
  readonly framesFirst: boolean
  readonly tasks: readonly RestoredTask[]
}

/**
 * By stages: the generations of a whole job. Two things that were in flight are of one generation if they were of the same one
 * before, and stages of the same depth had them; the older one before comes first, and of one the deeper stage, and in a stage
 * what is left in its operators, if that goes its own ways. Whatever was sent before, to whatever task, is then worked off before, so that order per key is kept through any number of restores.
 */
export const dealtGenerations = (stages: readonly StageInFlight[]): ReadonlyMap<string, DealtGenerations> => {
  const before = Math.max(0, ...stages.flatMap(({ tasks }) => tasks.map(task => generationsOf(task)?.count ?? 0)))
  const found = new Map<string, readonly [old: number, depth: number]>()
  for (const stage of stages) {
    for (const task of stage.tasks) {
      for (const old of inChannels(task, before)) found.set(`${old} ${stage.depth}`, [old, stage.depth])
      for (const old of inFrames(task, before)) found.set(`${old} ${depthOfFrames(stage)}`, [old, depthOfFrames(stage)])
    }
  }
  const ordered = [...found.values()].sort(([a, depthA], [b, depthB]) => a - b || depthB - depthA)
  const numbers = new Map(ordered.map(([old, depth], number) => [`${old} ${depth}`, number]))
  return new Map(
    stages.map(stage => {
      const numberOf = (old: number, depth: number) => numbers.get(`${old} ${depth}`) as number
      const of = (old: number) => numberOf(old, stage.depth)
      const ofFrames = (old: number) => numberOf(old, depthOfFrames(stage))
      return [stage.id, { before, count: ordered.length, of, ofFrames }]
    }),
  )
}

/** Deeper than the channels that lead to it, and less so than the next stage. */
const depthOfFrames = ({ depth, framesFirst }: StageInFlight): number => (framesFirst ? depth + 0.5 : depth)

/** What is in flight in a channel from this generation on, with the generation of each: behind its marker is the next one. */
export function* withGenerations(
  elements: readonly StreamElement<unknown>[],
  from: number,
): Generator<readonly [StreamElement<unknown>, generation: number]> {
  let generation = from
  for (const element of elements) {
    if (element.kind === 'recovered') generation = element.generation + 1
    else yield [element, generation]
  }
}

/** What is left to do in an operator, in order, with the generation of each; `from`: that of what is not to be begun later. */
export const begunInFrame = (
  { more, pending, ...begun }: Frame,
  from: number,
): readonly (readonly [Begun, generation: number])[] => [
  ...[begun, ...more.filter(({ generation }) => generation === undefined)].map(of => [of, from] as const),
  // No marker is among them: it is sent when all is done.
  ...pending.flatMap(element => (element.kind === 'buffer' ? [[asBegun(element), from] as const] : [])),
  ...more.flatMap(of => (of.generation === undefined ? [] : [[of, of.generation] as const])),
]

/** The generation that a task was in; `before`: a newer one than all that there were. */
export const generationOfTask = (task: RestoredTask, before: number): number =>
  generationsOf(task)?.generation ?? before

export const asBegun = (buffer: Buffer<unknown>): Begun => ({
  work: { kind: 'records', buffer, next: 0 },
  delivered: 0,
})

const generationsOf = ({ operators }: RestoredTask): Generations | undefined =>
  operators.get(gateState.operator)?.kept[gateState.generations] as Generations | undefined

/** The generations in which a task's channels have something in flight. */
const inChannels = (task: RestoredTask, before: number): ReadonlySet<number> => {
  const found = new Set<number>()
  for (const { generation, elements } of task.inFlight) {
    for (const [element, old] of withGenerations(elements, generation ?? before)) {
      if (element.kind === 'buffer') found.add(old)
    }
  }
  return found
}

/** Those of what is left to do in its operators. */
const inFrames = (task: RestoredTask, before: number): ReadonlySet<number> => {
  const found = new Set<number>()
  for (const { kept } of task.operators.values()) {
    const frame = kept[ownState.frame] as Frame | undefined
    if (frame === undefined) continue
    for (const [, old] of begunInFrame(frame, generationOfTask(task, before))) found.add(old)
  }
  return found
}
