import type { PoolStand } from '../channel/budget.ts'
import type { TaskId } from '../snapshot/snapshot.ts'

/** What a task has to take, and where it may send it, for a dump. */
export interface TaskStand {
  readonly task: TaskId
  readonly state: 'new' | 'running' | 'ended' | 'stopped'
  /** A turn would do something. */
  readonly hasWork: boolean
  /** A handler's call is suspended. */
  readonly suspended: boolean
  /** So much waits for something outside that no more data may be taken. */
  readonly full: boolean
  readonly inputs: readonly ChannelStand[]
  readonly outputs: readonly PoolStand[]
  /** By sink: it takes records. */
  readonly sinks: readonly boolean[]
}

interface ChannelStand {
  /** Number of the stage's input, and of the producer in its stage. */
  readonly input: number
  readonly from: number
  readonly buffers: number
  /** The kind of the element that would be taken next. */
  readonly head: string | undefined
  readonly blocked: boolean
}

/** Why a job is stalled whose executor has nothing to do; undefined: it waits for the world outside. */
export const stalled = (
  tasks: readonly { readonly id: TaskId; readonly hasWork: boolean }[],
  budget: { readonly hasGrantableWaiter: boolean },
): string | undefined => {
  const waiting = tasks.filter(({ hasWork }) => hasWork).map(({ id }) => id)
  if (waiting.length > 0) return `${waiting.join(', ')} could take an element`
  return budget.hasGrantableWaiter ? 'the budget has a buffer that a pool waits for' : undefined
}

/** A line a task, one a channel that has something, one an output. */
export const dump = (tasks: readonly TaskStand[], budget: { readonly free: number }): string =>
  [`budget: ${budget.free} free`, ...tasks.flatMap(linesOf)].join('\n')

const linesOf = ({ task, state, hasWork, suspended, full, inputs, outputs, sinks }: TaskStand): readonly string[] => [
  words(`task ${task}: ${state}`, { 'has work': hasWork, suspended, full }),
  ...inputs
    .filter(({ head }) => head !== undefined)
    .map(({ input, from, buffers, head, blocked }) =>
      words(`  input ${input} from ${from}: ${head} next, ${buffers} buffers`, { blocked }),
    ),
  ...outputs.map(({ available, held, size, channelsAtLimit, waits }, output) =>
    words(`  output ${output}: ${held} of ${size} buffers held, ${channelsAtLimit} channels at their limit`, {
      available,
      'waits for the budget': waits,
    }),
  ),
  ...sinks.map((available, sink) => `  sink ${sink}: ${available ? 'available' : 'full'}`),
]

const words = (line: string, flags: Readonly<Record<string, boolean>>): string =>
  [line, ...Object.keys(flags).filter(name => flags[name])].join(', ')
