import * as t from 'io-ts'
import { decode } from '../decode.ts'
import type { CheckpointId } from '../element.ts'
import { SpillwayError } from '../error.ts'
import { readContainer, writeContainer } from './container.ts'
import type { Encoding } from './encoding.ts'
import type { StoredSnapshot, TaskId } from './snapshot.ts'

/** An entry of the store's log. A start's number among the starts is its epoch; start entries are never deleted. */
export type LogEntry =
  | { readonly kind: 'start'; readonly epoch: number }
  /** From here on the part is durable: `object` is its record. */
  | { readonly kind: 'commit'; readonly epoch: number; readonly checkpoint: CheckpointId; readonly object: string }

/** The record of a part: a job's tasks at one checkpoint. */
export interface Part {
  readonly epoch: number
  readonly checkpoint: CheckpointId
  /** Of the job, for as long as it lives. */
  readonly keyGroups: number
  readonly tasks: readonly StoredSnapshot[]
}

const entryType: t.Type<LogEntry, any> = t.union([
  t.type({ kind: t.literal('start'), epoch: t.number }),
  t.type({ kind: t.literal('commit'), epoch: t.number, checkpoint: t.number, object: t.string }),
])

const partType: t.Type<Part, any> = t.type({
  epoch: t.number,
  checkpoint: t.number,
  keyGroups: t.number,
  tasks: t.readonlyArray(
    t.type({ task: t.string, ended: t.boolean, object: t.string, bytes: t.number, crc: t.number }),
  ),
})

export const encodedEntry = (entry: LogEntry, encoding: Encoding): Uint8Array => single('entry', entry, encoding)
export const encodedPart = (part: Part, encoding: Encoding): Uint8Array => single('part', part, encoding)

/** @throws DAMAGED */
export const readEntry = (n: number, bytes: Uint8Array, encoding: Encoding): LogEntry =>
  readSingle('entry', entryType, bytes, { object: `log entry ${n}`, encoding })

/** @throws DAMAGED */
export const readPart = (object: string, bytes: Uint8Array, encoding: Encoding): Part =>
  readSingle('part', partType, bytes, { object, encoding })

/** Names of a start's objects: they carry its epoch and the checkpoint, so that none is ever used again. */
export const objectNames = (epoch: number) => ({
  snapshot: (checkpoint: CheckpointId, task: TaskId) => `${folder(epoch, checkpoint)}${encodeURIComponent(task)}`,
  part: (checkpoint: CheckpointId) => `${folder(epoch, checkpoint)}part`,
  /** An attempt that failed may have taken place, so each has a name of its own. */
  ended: (task: TaskId, attempt: number) => `e${padded(epoch)}/ended/${encodeURIComponent(task)}.${attempt}`,
})

/** The checkpoint that an object's name carries, if any. */
export const checkpointOf = (object: string): CheckpointId | undefined => {
  const found = /^e\d+\/c(\d+)\//.exec(object)
  return found === null ? undefined : Number(found[1])
}

const folder = (epoch: number, checkpoint: CheckpointId) => `e${padded(epoch)}/c${padded(checkpoint)}/`

const padded = (n: number): string => String(n).padStart(6, '0')

const single = (name: string, value: unknown, encoding: Encoding): Uint8Array =>
  writeContainer([{ name, chunks: [encoding.encode(value, name)] }])

const readSingle = <A>(
  name: string,
  type: t.Type<A, any>,
  bytes: Uint8Array,
  { object, encoding }: { object: string; encoding: Encoding },
): A => {
  const chunk = readContainer(bytes, { object }).get(name)?.[0]
  if (chunk === undefined) {
    throw new SpillwayError('DAMAGED', {
      place: object,
      problem: `it has no section "${name}".`,
      remedy: damagedRemedy,
    })
  }
  return decode(type, encoding.decode(chunk), { place: object, remedy: damagedRemedy, code: 'DAMAGED' })
}

export const damagedRemedy =
  'Restore the file from a backup of the store, or start with restore: "none" on an empty one.'
