import * as t from 'io-ts'
import { decode } from '../decode.ts'
import type { CheckpointId } from '../element.ts'
import { SpillwayError } from '../error.ts'
import { type Coding, chunkOf, valueIn } from './chunk.ts'
import { crcOf, readContainer, writeContainer } from './container.ts'
import { isInFlight, type Piece, type StoredSnapshot, type TaskId } from './snapshot.ts'

/** An entry of the store's log. */
export type LogEntry = Start | Restart | Commit | Done

/** A start of the job; never deleted. */
export interface Start {
  readonly kind: 'start'
  /** Larger than all before it. */
  readonly epoch: number
  /** The newest parts; nothing; an older checkpoint, or a savepoint's copy, whose parts are in these entries. */
  readonly from: 'latest' | 'none' | StartedFrom
  /** Ids from here on have not been used before. */
  readonly nextCheckpoint: CheckpointId
}

export interface StartedFrom {
  readonly checkpoint: CheckpointId
  readonly entries: readonly number[]
  readonly savepoint?: StartedFromSavepoint
}

/** The savepoint that has been copied, and what of it the pipelines need not have. */
export interface StartedFromSavepoint {
  /** Its own checkpoint, and the checksum of its entry: which savepoint it was. */
  readonly checkpoint: CheckpointId
  readonly crc: number
  readonly allowDropped: readonly string[]
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
  readonly savepoint?: InSavepoint
}

/** The entry is that of a savepoint, or of one that a job has begun with: aligned, and complete by itself. */
export interface InSavepoint {
  /** All that its transactions hold. */
  readonly published: boolean
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

/**
 * An entry, version 1: a container with the section "entry", the values below, and in "snapshots" the chunks of all inline
 * snapshots, in their order, but for those of in-flight data, which stand in "in flight". Snapshots are arrays, as a commit may name thousands.
 */
type Listed =
  | [task: TaskId, ended: boolean, sections: readonly ListedSection[]]
  | [task: TaskId, ended: boolean, sections: readonly ListedSection[], pieces: readonly ListedPiece[]]
/** With the checksum of its chunks, by which a damaged one is named. */
type ListedSection = [name: string, chunks: number, crc: number]
type ListedPiece = [holds: Piece['holds'], object: string, begin: number, bytes: number, crc: number]

const listedSections = t.readonlyArray(t.tuple([t.string, t.number, t.number]))
const holds = t.keyof({ state: null, inFlight: null })
const listedPieces = t.readonlyArray(t.tuple([holds, t.string, t.number, t.number, t.number]))
const listed: t.Type<Listed> = t.union([
  // The longer first: io-ts leaves out what a tuple has no place for.
  t.tuple([t.string, t.boolean, listedSections, listedPieces]),
  t.tuple([t.string, t.boolean, listedSections]),
])

const entryType = t.union([
  t.type({
    kind: t.literal('start'),
    epoch: t.number,
    from: t.union([
      t.keyof({ latest: null, none: null }),
      t.intersection([
        t.type({ checkpoint: t.number, entries: t.readonlyArray(t.number) }),
        t.partial({
          savepoint: t.type({ checkpoint: t.number, crc: t.number, allowDropped: t.readonlyArray(t.string) }),
        }),
      ]),
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
      parts: t.readonlyArray(t.readonlyArray(listed)),
    }),
    t.partial({
      completes: t.type({
        carriedOver: t.readonlyArray(t.type({ task: t.string, checkpoint: t.number, entry: t.number })),
      }),
      savepoint: t.type({ published: t.boolean }),
    }),
  ]),
])

/** The run that has appended the entry, by the epoch of its start. */
export const runOf = (entry: LogEntry): number => (entry.kind === 'restart' ? entry.run : entry.epoch)

export const encodedEntry = (entry: LogEntry, coding: Coding): Uint8Array => {
  const chunks: Chunks<Uint8Array[]> = { state: [], inFlight: [] }
  const stored =
    entry.kind !== 'commit'
      ? entry
      : { ...entry, parts: entry.parts.map(({ tasks }) => tasks.map(snapshot => withoutChunks(snapshot, chunks))) }
  return writeContainer(
    [
      { name: section, chunks: [chunkOf(stored, { coding, place: section })] },
      { name: snapshotsSection, chunks: chunks.state },
      ...(chunks.inFlight.length === 0 ? [] : [{ name: inFlightSection, chunks: chunks.inFlight }]),
    ],
    { encoding: coding.name },
  )
}

type Chunks<A> = Readonly<Record<Piece['holds'], A>>

const heldIn = (name: string): Piece['holds'] => (isInFlight(name) ? 'inFlight' : 'state')

const withoutChunks = (snapshot: StoredSnapshot, chunks: Chunks<Uint8Array[]>): Listed => {
  const { task, ended, pieces } = snapshot
  const sections = snapshot.sections.map(({ name, chunks: own }): ListedSection => {
    for (const chunk of own) chunks[heldIn(name)].push(chunk)
    return [name, own.length, crcOf(own)]
  })
  if (pieces.length === 0) return [task, ended, sections]
  return [
    task,
    ended,
    sections,
    pieces.map(({ holds, object, begin, bytes, crc }): ListedPiece => [holds, object, begin, bytes, crc]),
  ]
}

/** `withoutInFlight`: in-flight data is not read, and snapshots have none. @throws DAMAGED, FORMAT_UNKNOWN */
export const readEntry = (
  n: number,
  bytes: Uint8Array,
  coding: Coding,
  { withoutInFlight = false }: { readonly withoutInFlight?: boolean | undefined } = {},
): LogEntry => {
  if (withoutInFlight) return entryIn(n, bytes, { coding, withoutInFlight })
  try {
    return entryIn(n, bytes, { coding, withoutInFlight })
  } catch (error) {
    const named = sectionDamaged(n, bytes, coding) ?? error
    throw inFlightDamaged(n, bytes, { coding, error: named }) ?? named
  }
}

/** The first section of a snapshot that does not match its own checksum. */
const sectionDamaged = (n: number, bytes: Uint8Array, coding: Coding): unknown => {
  try {
    entryIn(n, bytes, { coding, withoutInFlight: false, bySection: true })
    return undefined
  } catch (error) {
    return error
  }
}

/** If that is all that is damaged of the entry. */
const inFlightDamaged = (
  n: number,
  bytes: Uint8Array,
  { coding, error }: { readonly coding: Coding; readonly error: unknown },
): SpillwayError | undefined => {
  try {
    const entry = entryIn(n, bytes, { coding, withoutInFlight: true })
    if (entry.kind !== 'commit' || !(error instanceof SpillwayError)) return undefined
    return inFlightIsDamaged(error, entry.checkpoint)
  } catch {
    return undefined // More than that is damaged: the first error says what.
  }
}

interface Reading {
  readonly coding: Coding
  readonly withoutInFlight: boolean
  /** Each section of a snapshot is looked at by itself, instead of all together. */
  readonly bySection?: boolean
}

const entryIn = (n: number, bytes: Uint8Array, { coding, withoutInFlight, bySection = false }: Reading): LogEntry => {
  const object = `log entry ${n}`
  const container = readContainer(bytes, {
    object,
    encoding: coding.name,
    unread: withoutInFlight ? inFlightSection : undefined,
    unchecked: bySection ? [snapshotsSection, inFlightSection] : [],
  })
  const chunk = container.get(section)?.[0]
  if (chunk === undefined) throw damaged(object, `it has no section "${section}"`)
  const value = valueIn(chunk, { coding, place: object })
  const stored = decode(entryType, value, { place: object, remedy: damagedRemedy, code: 'DAMAGED' })
  if (stored.kind !== 'commit') return stored
  const chunks = {
    state: (container.get(snapshotsSection) ?? []).values(),
    inFlight: withoutInFlight ? undefined : (container.get(inFlightSection) ?? []).values(),
  }
  const parts = stored.parts.map(tasks => ({
    tasks: tasks.map(snapshot => withChunks(snapshot, { chunks, place: object, bySection })),
  }))
  if (chunks.state.next().done !== true || chunks.inFlight?.next().done === false)
    throw damaged(object, 'it has chunks of no snapshot')
  return { ...stored, parts }
}

/** Sections of which there are no chunks are left out. */
const withChunks = (
  of: Listed,
  {
    chunks,
    place,
    bySection,
  }: { readonly chunks: Chunks<Iterator<Uint8Array> | undefined>; readonly place: string; readonly bySection: boolean },
): StoredSnapshot => {
  const [task, ended, sections, pieces = []] = of
  const next = (from: Iterator<Uint8Array>): Uint8Array => {
    const { value, done } = from.next()
    if (done === true) throw damaged(place, `it lacks chunks of ${task}`)
    // A copy: a view would hold the bytes of all others, for as long as the task's last snapshot stands for it.
    return new Uint8Array(value)
  }
  return {
    task,
    ended,
    sections: sections.flatMap(([name, length, crc]) => {
      const from = chunks[heldIn(name)]
      if (from === undefined) return []
      const own = Array.from({ length }, () => next(from))
      if (bySection && crcOf(own) !== crc)
        throw damaged(`${place}, ${task}`, `its section ${name} does not match its checksum`)
      return [{ name, chunks: own }]
    }),
    pieces: pieces.map(([holds, object, begin, bytes, crc]) => ({ holds, object, begin, bytes, crc })),
  }
}

/** Names of objects: they carry the epoch of their task and the checkpoint, so that none is ever used again. */
export const objectNames = (epoch: number) => ({
  snapshot: (checkpoint: CheckpointId, task: TaskId) => `${folder(epoch, checkpoint)}${encodeURIComponent(task)}`,
  /** An attempt that failed may have taken place, so each has a name of its own. */
  ended: (task: TaskId, attempt: number) => `e${padded(epoch)}/ended/${encodeURIComponent(task)}.${attempt}`,
  /** A piece of a task's snapshot, copied from a savepoint. */
  fromSavepoint: (task: TaskId, piece: number) => `e${padded(epoch)}/savepoint/${encodeURIComponent(task)}.${piece}`,
  /** In-flight data of several tasks; no task has a name without a slash. */
  inFlight: (checkpoint: CheckpointId, file: number) => `${folder(epoch, checkpoint)}in-flight.${file}`,
})

/** In a savepoint's own store. */
export const nameInSavepoint = (task: TaskId, piece: number): string => `tasks/${encodeURIComponent(task)}.${piece}`

/** The checkpoint that an object's name carries, if any. */
export const checkpointOf = (object: string): CheckpointId | undefined => {
  const found = /^e\d+\/c(\d+)\//.exec(object)
  return found === null ? undefined : Number(found[1])
}

const folder = (epoch: number, checkpoint: CheckpointId) => `e${padded(epoch)}/c${padded(checkpoint)}/`

const padded = (n: number): string => String(n).padStart(6, '0')

const damaged = (place: string, problem: string) =>
  new SpillwayError('DAMAGED', { place, problem: `${problem}.`, remedy: damagedRemedy })

const section = 'entry'
const snapshotsSection = 'snapshots'
const inFlightSection = 'in flight'

export const damagedRemedy =
  'Restore the file from a backup of the store, or start with restore: "none" on an empty one.'

export const inFlightIsDamaged = (cause: SpillwayError, checkpoint: CheckpointId): SpillwayError =>
  new SpillwayError('DAMAGED', {
    place: cause.place,
    problem: `of in-flight data ${cause.problem}`,
    remedy: `${damagedRemedy} As a last resort leave it out: restore: { checkpoint: ${checkpoint}, withoutInFlightData: true }.`,
    cause,
  })
