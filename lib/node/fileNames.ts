import type { CheckpointId } from '../element.ts'
import type { SinkTask } from '../graph/sink.ts'

/** The n-th file that a task has begun; hidden, so that `*.ndjson` does not match it. */
export const pendingName = (task: SinkTask, n: number): string => `.pending-${writerOf(task)}-${padded(n, 6)}.ndjson`

/** What it is called once it is published; `part` if a checkpoint may have several. */
export const partName = (
  task: SinkTask,
  { checkpoint, part }: { readonly checkpoint: CheckpointId; readonly part: number | undefined },
): string => `part-${writerOf(task)}-c${padded(checkpoint, 6)}${part === undefined ? '' : `-${padded(part, 4)}`}.ndjson`

/** Who made a file of such a name, and whether it has been published. */
export function madeBy(
  file: string,
): { readonly epoch: number; readonly subtask: number; readonly pending: boolean } | undefined {
  const match = /^(\.pending|part)-e(\d+)-s(\d+)-/.exec(file)
  return match === null
    ? undefined
    : { pending: match[1] === '.pending', epoch: Number(match[2]), subtask: Number(match[3]) }
}

const writerOf = ({ epoch, subtask }: SinkTask): string => `e${padded(epoch, 6)}-s${padded(subtask.index, 4)}`

const padded = (n: number, digits: number): string => String(n).padStart(digits, '0')
