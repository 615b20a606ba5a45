import type { CheckpointId } from '../element.ts'
import type { SinkTask } from '../graph/sink.ts'

/** The n-th file that a task has begun; hidden, so that `*.ndjson` does not match it. */
export const pendingName = (task: SinkTask, n: number): string => `.pending-${writerOf(task)}-${padded(n, 6)}.ndjson`

/** What it is called once it is published; `part` if a checkpoint may have several. */
export const partName = (
  task: SinkTask,
  { checkpoint, part }: { readonly checkpoint: CheckpointId; readonly part: number | undefined },
): string => `part-${writerOf(task)}-c${padded(checkpoint, 6)}${part === undefined ? '' : `-${padded(part, 4)}`}.ndjson`

/** A task's mark: it has published all that it has on time of the hours before this one. */
export const passedName = (task: SinkTask, hour: string): string =>
  `.passed-${writerOf(task)}-of-${padded(task.subtask.parallelism, 4)}-${hour}`

/** What a mark says. */
export function passedBy(
  file: string,
): { readonly subtask: number; readonly parallelism: number; readonly passed: string } | undefined {
  const match = /^\.passed-e\d+-s(\d+)-of-(\d+)-(.+)$/.exec(file)
  return match === null
    ? undefined
    : { subtask: Number(match[1]), parallelism: Number(match[2]), passed: match[3] as string }
}

/** Who made a file of such a name, and whether it is for readers. */
export function madeBy(
  file: string,
): { readonly epoch: number; readonly subtask: number; readonly hidden: boolean } | undefined {
  const match = /^(\.pending|\.passed|part)-e(\d+)-s(\d+)-/.exec(file)
  return match === null
    ? undefined
    : { hidden: match[1] !== 'part', epoch: Number(match[2]), subtask: Number(match[3]) }
}

const writerOf = ({ epoch, subtask }: SinkTask): string => `e${padded(epoch, 6)}-s${padded(subtask.index, 4)}`

const padded = (n: number, digits: number): string => String(n).padStart(digits, '0')
