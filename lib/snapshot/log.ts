import * as t from 'io-ts'
import { decode } from '../decode.ts'
import type { CheckpointId } from '../element.ts'
import { SpillwayError } from '../error.ts'
import { readContainer, writeContainer } from './container.ts'
import type { Encoding } from './encoding.ts'
import type { StoredSnapshot, TaskId } from './snapshot.ts'

/** An entry of the store's log. */
export type LogEntry = Start | Restart | Commit | Done

/** A start of the job; never deleted. */
export interface Start {
  readonly kind: 'start'
  /** Larger than all before it. */
  readonly epoch: number
  /** The newest parts; nothing; an older checkpoint, whose parts are in these entries. */
  readonly from: 'latest' | 'none' | { readonly checkpoint: CheckpointId; readonly entries: readonly number[] }
  /** Ids from here on have not been used before. */
  readonly nextCheckpoint: CheckpointId
}

/** Some tasks of a run that goes on are started again; deleted after a newer one, or a newer start. */
export interface Restart {
  readonly kind: 'restart'
  /** The epoch of the run's start. */
  readonly run: number
  /** Theirs, larger than all before it. */
  readonly epoch: number
}

/** All that the last parts contain is published. */
export interface Done {
  readonly kind: 'done'
  /** The epoch of the run's start. */
  readonly epoch: number
}

/** From here on the parts are durable, and what they name was before. */
export interface Commit extends JobFacts {
  readonly kind: 'commit'
  /** The epoch of the run's start. */
  readonly epoch: number
  readonly checkpoint: CheckpointId
  readonly parts: readonly Part[]
  readonly completes?: Completes
}

/** What parts of a job have in common that may be restored together. */
export interface JobFacts {
  /** Of the job, for as long as it lives. */
  readonly keyGroups: number
  /** How many tasks each stage has. */
  readonly stages: Readonly<Record<string, number>>
}

/** A region's share of a checkpoint: all of its tasks. */
export interface Part {
  readonly tasks: readonly StoredSnapshot[]
}

/** The checkpoint is complete: with its own parts, and these of earlier ones. */
export interface Completes {
  readonly carriedOver: readonly CarriedOver[]
}

/** A part, by a task of it, and where it is. */
export interface CarriedOver {
  readonly task: TaskId
  readonly checkpoint: CheckpointId
  readonly entry: number
}

const bytesType = new t.Type<Uint8Array>(
  'bytes',
  (u): u is Uint8Array => u instanceof Uint8Array,
  (u, context) => (u instanceof Uint8Array ? t.success(u) : t.failure(u, context)),
  t.identity,
)

const snapshotType = t.union([
  t.type({ task: t.string, ended: t.boolean, object: t.string, bytes: t.number, crc: t.number }),
  t.type({
    task: t.string,
    ended: t.boolean,
    sections: t.readonlyArray(t.type({ name: t.string, chunks: t.readonlyArray(bytesType) })),
  }),
])

const entryType: t.Type<LogEntry, any> = t.union([
  t.type({
    kind: t.literal('start'),
    epoch: t.number,
    from: t.union([
      t.keyof({ latest: null, none: null }),
      t.type({ checkpoint: t.number, entries: t.readonlyArray(t.number) }),
    ]),
    nextCheckpoint: t.number,
  }),
  t.type({ kind: t.literal('done'), epoch: t.number }),
  t.type({ kind: t.literal('restart'), run: t.number, epoch: t.number }),
  t.intersection([
    t.type({
      kind: t.literal('commit'),
      epoch: t.number,
      checkpoint: t.number,
      keyGroups: t.number,
      stages: t.record(t.string, t.number),
      parts: t.readonlyArray(t.type({ tasks: t.readonlyArray(snapshotType) })),
    }),
    t.partial({
      completes: t.type({
        carriedOver: t.readonlyArray(t.type({ task: t.string, checkpoint: t.number, entry: t.number })),
      }),
    }),
  ]),
])

/** The run that has appended the entry, by the epoch of its start. */
export const runOf = (entry: LogEntry): number => (entry.kind === 'restart' ? entry.run : entry.epoch)

export const encodedEntry = (entry: LogEntry, encoding: Encoding): Uint8Array =>
  writeContainer([{ name: section, chunks: [encoding.encode(entry, section)] }])

/** @throws DAMAGED */
export const readEntry = (n: number, bytes: Uint8Array, encoding: Encoding): LogEntry => {
  const object = `log entry ${n}`
  const chunk = readContainer(bytes, { object }).get(section)?.[0]
  if (chunk === undefined) {
    throw new SpillwayError('DAMAGED', {
      place: object,
      problem: `it has no section "${section}".`,
      remedy: damagedRemedy,
    })
  }
  return decode(entryType, encoding.decode(chunk), { place: object, remedy: damagedRemedy, code: 'DAMAGED' })
}

/** Names of objects: they carry the epoch of their task and the checkpoint, so that none is ever used again. */
export const objectNames = (epoch: number) => ({
  snapshot: (checkpoint: CheckpointId, task: TaskId) => `${folder(epoch, checkpoint)}${encodeURIComponent(task)}`,
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

const section = 'entry'

export const damagedRemedy =
  'Restore the file from a backup of the store, or start with restore: "none" on an empty one.'
