import type * as t from 'io-ts'
import { concat, from, ignoreElements, lastValueFrom, mergeMap } from 'rxjs'
import type { Key, SplitId } from '../element.ts'
import { SpillwayError } from '../error.ts'
import { connected } from '../graph/connected.ts'
import { type Plan, plan, type Stage } from '../graph/plan.ts'
import type { Source } from '../graph/source.ts'
import type { Pipeline } from '../graph/stream.ts'
import { type Coding, chunkOf, codingOf } from '../snapshot/chunk.ts'
import type { Compression } from '../snapshot/compression.ts'
import { checksumOf, type Section, writeContainer } from '../snapshot/container.ts'
import { checkEncodable, type Encoding, msgpackEncoding } from '../snapshot/encoding.ts'
import { entriesInChunk, keptSection, tableSection } from '../snapshot/format.ts'
import { encodedEntry, nameInSavepoint } from '../snapshot/log.ts'
import type { Piece, StoredSnapshot, TaskId } from '../snapshot/snapshot.ts'
import { defaultKeyGroups, groupOf, subtaskOf } from '../state/keyGroups.ts'
import { bySplit } from '../state/operatorState.ts'
import type { Store } from '../store/store.ts'
import { checkedEmpty, savepointEntry } from './savepoint.ts'

/** State for an operator of the pipelines. */
export type WrittenState = WrittenKeyed<any> | WrittenPositions

/** A keyed state: its values by key, each key once; taken one at a time. */
export interface WrittenKeyed<V> {
  readonly operator: string
  readonly state: string
  /** The operator's own: values are written with its version. */
  readonly codec: t.Type<V, any>
  readonly entries: Iterable<readonly [Key, V]>
}

/** Where a source goes on, by split; what is left out is read from its beginning. */
export interface WrittenPositions {
  readonly source: string
  readonly positions: Readonly<Record<SplitId, unknown>>
}

export interface WriteOptions {
  readonly states: readonly WrittenState[]
  /** How many tasks write it; a job may begin with it at any parallelism. Default 1. */
  readonly parallelism?: number
  /** As the job's; default 128. */
  readonly keyGroups?: number
  /** As the job's; default: MessagePack. */
  readonly encoding?: Encoding
  /** Default: none. */
  readonly compression?: Compression
}

/**
 * Writes a checkpoint that no job has taken, so that these pipelines begin with this state: by `run` on this store, or as a
 * savepoint. Holds the state once, encoded.
 *
 * Rejects with NOT_EMPTY, INVALID_OPTION for an operator or a source that the pipelines do not have, INVALID_KEY, NOT_ENCODABLE,
 * STORE_FAILED, and what `run` throws at pipelines.
 */
export const writeCheckpoint = async (
  store: Store,
  pipelines: Pipeline | readonly Pipeline[],
  { states, parallelism = 1, keyGroups = defaultKeyGroups, encoding = msgpackEncoding(), compression }: WriteOptions,
): Promise<void> => {
  const coding = codingOf(encoding, { compression })
  const all = Array.isArray(pipelines) ? pipelines : [pipelines as Pipeline]
  const planned = plan(all, { parallelism, keyGroups })
  const sections = new Map(planned.stages.flatMap(({ tasks }) => tasks.map(task => [task, [] as Section[]] as const)))
  const target = { plan: planned, keyGroups, coding, sections }
  for (const state of states) {
    if ('source' in state) await addPositions(state, target)
    else addKeyed(state, target)
  }
  const objects = new Map(
    Array.from(sections).flatMap(([task, own]) =>
      own.length === 0 ? [] : [[task, writeContainer(own, { encoding: coding.name })]],
    ),
  )
  const entry = encodedEntry(
    savepointEntry({
      keyGroups,
      stages: Object.fromEntries(planned.stages.map(({ id, parallelism: count }) => [id, count])),
      epoch: 0,
      checkpoint: 1,
      parts: connected(planned).map(tasks => ({ tasks: tasks.map(task => storedAs(task, objects.get(task))) })),
      published: true,
    }),
    coding,
  )
  const put$ = from(objects).pipe(mergeMap(([task, bytes]) => store.put(nameInSavepoint(task, 0), bytes), writesMax))
  await lastValueFrom(concat(checkedEmpty(store), put$, store.append(1, entry)).pipe(ignoreElements()), {
    defaultValue: undefined,
  })
}

interface Target {
  readonly plan: Plan
  readonly keyGroups: number
  readonly coding: Coding
  readonly sections: ReadonlyMap<TaskId, Section[]>
}

/** Deals the entries to the owners of their key groups, a chunk at a time. */
const addKeyed = <V>({ operator, state, codec, entries }: WrittenKeyed<V>, target: Target): void => {
  const { plan: planned, keyGroups: groups, coding, sections } = target
  const { tasks, parallelism } = stageOf(planned, operator, ({ nodes }) => nodes.some(({ name }) => name === operator))
  const place = `${operator}, state ${state}`
  const chunks = tasks.map((): Uint8Array[] => [])
  const waiting = tasks.map((): (readonly [group: number, key: Key, value: unknown])[] => [])
  const close = (task: number): void => {
    const some = waiting[task]?.splice(0) ?? []
    if (some.length === 0) return
    checkEncodable(some[0], place)
    chunks[task]?.push(chunkOf(some, { coding, place }))
  }
  for (const [key, value] of entries) {
    const group = groupOf(key, groups)
    const task = subtaskOf(group, { groups, parallelism })
    if (waiting[task]?.push([group, key, codec.encode(value)]) === entriesInChunk) close(task)
  }
  for (const [task, id] of tasks.entries()) {
    close(task)
    const own = chunks[task] as Uint8Array[]
    if (own.length > 0) sections.get(id)?.push({ name: tableSection(operator, state), chunks: own })
  }
}

/** To the tasks that read the splits. */
const addPositions = async ({ source: name, positions }: WrittenPositions, target: Target): Promise<void> => {
  const { plan: planned, coding, sections } = target
  const { source, tasks } = stageOf(planned, name, of => of.source !== undefined && of.nodes[0]?.name === name)
  const splits = await lastValueFrom(from((source as Source<unknown>).splits()))
  const stands = tasks.map((): [SplitId, { readonly position: unknown }][] => [])
  for (const [split, position] of Object.entries(positions)) {
    const at = splits.indexOf(split)
    if (at < 0) throw noSplit(name, { split, splits })
    stands[at % tasks.length]?.push([split, { position: source?.position.encode(position) }])
  }
  for (const [task, own] of stands.entries()) {
    if (own.length === 0) continue
    const chunk = chunkOf({ [bySplit('position')]: own }, { coding, place: name })
    sections.get(tasks[task] as TaskId)?.push({ name: keptSection(name), chunks: [chunk] })
  }
}

const noSplit = (name: string, { split, splits }: { readonly split: SplitId; readonly splits: readonly SplitId[] }) =>
  new SpillwayError('INVALID_OPTION', {
    place: `writeCheckpoint, positions of ${name}`,
    problem: `the source has no split ${split}.`,
    remedy: `It has ${splits.join(', ')}.`,
  })

const stageOf = ({ stages }: Plan, name: string, is: (stage: Stage) => boolean): Stage => {
  const stage = stages.find(is)
  if (stage !== undefined) return stage
  throw new SpillwayError('INVALID_OPTION', {
    place: `writeCheckpoint, state of ${name}`,
    problem: 'the pipelines have no such operator or source.',
    remedy: `They have ${stages.flatMap(({ nodes }) => nodes.map(of => of.name)).join(', ')}.`,
  })
}

const storedAs = (task: TaskId, bytes: Uint8Array | undefined): StoredSnapshot => {
  const piece = (of: Uint8Array): Piece => ({
    ...{ holds: 'state', object: nameInSavepoint(task, 0), begin: 0 },
    ...{ bytes: of.length, crc: checksumOf(of) },
  })
  return { task, ended: false, sections: [], pieces: bytes === undefined ? [] : [piece(bytes)] }
}

const writesMax = 16
