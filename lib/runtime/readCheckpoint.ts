import * as t from 'io-ts'
import { concatMap, defer, firstValueFrom, from, map, type Observable, toArray } from 'rxjs'
import { type CheckpointId, countRecords, type Key, type StreamElement } from '../element.ts'
import { SpillwayError } from '../error.ts'
import { type Coding, codingOf } from '../snapshot/chunk.ts'
import type { Compression } from '../snapshot/compression.ts'
import type { Section } from '../snapshot/container.ts'
import { type Encoding, msgpackEncoding } from '../snapshot/encoding.ts'
import { operatorIn, readPiece } from '../snapshot/format.ts'
import { type Frame, gateState, ownState } from '../snapshot/frame.ts'
import { commitsIn, history, type Numbered, newestParts, partsOf } from '../snapshot/history.ts'
import type { Commit } from '../snapshot/log.ts'
import type { ReadSnapshot, TaskId } from '../snapshot/snapshot.ts'
import { decodedState, userState } from '../state/operatorState.ts'
import type { Store } from '../store/store.ts'
import { type Named, pieceIn, snapshotOf } from './readSnapshots.ts'
import { logOf } from './restoredJob.ts'

/** A checkpoint, or savepoint, as data. Sizes are in bytes. */
export interface CheckpointData {
  readonly checkpoint: CheckpointId
  readonly isSavepoint: boolean
  readonly keyGroups: number
  /** How many tasks each stage has. */
  readonly stages: Readonly<Record<string, number>>
  readonly tasks: readonly StoredTask[]
  readonly operators: readonly StoredOperator[]
  /** Where records are in flight. */
  readonly inFlight: readonly InFlight[]
  /**
   * A keyed state, entry by entry: cold, one task's snapshot in memory at a time. `codec` decodes its values, also older versions.
   * Errs with INVALID_OPTION if there is no such state, STATE_NOT_MATCHED, STATE_VERSION_UNKNOWN, DAMAGED.
   */
  keyed<V = unknown>(operator: string, state: string, codec?: t.Type<V, any>): Observable<KeyedEntry<V>>
  /** A value that each task has one of, such as the positions of a source (`position`). Cold; errs with the same. */
  values<V = unknown>(operator: string, state: string, codec?: t.Type<V, any>): Observable<TaskValue<V>>
  /** The records that are in flight, in their order at each place. Cold; errs with DAMAGED. */
  readonly records$: Observable<InFlightRecord>
}

export interface StoredTask {
  readonly task: TaskId
  readonly ended: boolean
  readonly stateBytes: number
  readonly inFlightBytes: number
  readonly inFlightRecords: number
}

export interface StoredOperator {
  readonly operator: string
  /** The stage that it was in. */
  readonly stage: string
  readonly bytes: number
  /** Its keyed states, and how many keys have a value. */
  readonly keyed: ReadonlyMap<string, number>
  /** The names of what its tasks have one value of. */
  readonly values: readonly string[]
}

/** In a channel to the task, or in the operator of a task that has taken them and has not yet done with them. */
export interface InFlightPlace {
  readonly task: TaskId
  readonly at: { readonly input: number; readonly from: number } | { readonly operator: string }
}

export interface InFlight extends InFlightPlace {
  readonly records: number
}

export interface InFlightRecord extends InFlightPlace {
  readonly record: unknown
}

export interface KeyedEntry<out V> {
  readonly key: Key
  readonly group: number
  readonly task: TaskId
  readonly value: V
}

export interface TaskValue<out V> {
  readonly task: TaskId
  readonly value: V
}

export interface ReadCheckpointOptions {
  /** Default: the newest parts. */
  readonly checkpoint?: CheckpointId
  /** That the job has written with; default: MessagePack. */
  readonly encoding?: Encoding
  /** That the job has written with. */
  readonly compressions?: readonly Compression[]
}

/**
 * Reads what a store has of a checkpoint, by default of the newest parts that a start would go on from; of a savepoint's store, the
 * savepoint. Reads each task's snapshot once, one at a time, and keeps none of it.
 *
 * Rejects with CHECKPOINT_NOT_FOUND, DAMAGED, FORMAT_UNKNOWN, OBJECT_NOT_FOUND, STORE_FAILED.
 */
export const readCheckpoint = (
  store: Store,
  { checkpoint, encoding = msgpackEncoding(), compressions }: ReadCheckpointOptions = {},
): Promise<CheckpointData> => {
  const coding = codingOf(encoding, { oldCompressions: compressions })
  return firstValueFrom(
    logOf(store, { encoding: coding }).pipe(
      concatMap(log => {
        const commits = commitsIn(log)
        const parts = checkpoint === undefined ? newestParts(history(log).commits) : partsOf(commits, checkpoint)
        const newest = Math.max(...(parts ?? []).map(({ entry }) => entry))
        const facts = commits.find(({ n }) => n === newest)
        if (parts === undefined || facts === undefined) throw notThere(store, completed(commits))
        const tasks$ = from(parts).pipe(
          concatMap(({ entry, snapshots }) =>
            from(snapshots).pipe(concatMap(snapshot => readTask(store, { entry, snapshot }, coding))),
          ),
        )
        const id = Math.max(...parts.map(part => part.checkpoint))
        return tasks$.pipe(
          map(described),
          toArray(),
          map(all => asData(id, { facts, all, tasks$ })),
        )
      }),
    ),
  )
}

/** One task's snapshot, while it is in memory. */
interface ReadTask extends ReadSnapshot {
  readonly task: TaskId
  readonly sections: readonly Section[]
}

interface Described {
  readonly task: StoredTask
  readonly operators: readonly StoredOperator[]
  readonly inFlight: readonly InFlight[]
}

const asData = (
  checkpoint: CheckpointId,
  {
    facts,
    all,
    tasks$,
  }: { readonly facts: Commit; readonly all: readonly Described[]; readonly tasks$: Observable<ReadTask> },
): CheckpointData => {
  const operators = joined(all.flatMap(({ operators: of }) => of))
  return {
    checkpoint,
    isSavepoint: facts.savepoint !== undefined,
    keyGroups: facts.keyGroups,
    stages: facts.stages,
    tasks: all.map(({ task }) => task),
    operators,
    inFlight: all.flatMap(({ inFlight }) => inFlight),
    keyed: <V>(operator: string, state: string, codec: t.Type<V, any> = t.any) =>
      defer(() => {
        checkThere(operators, { operator, state, named: 'keyed' })
        return tasks$.pipe(
          concatMap(({ task, operators: of }) =>
            from(of.get(operator)?.tables.get(state) ?? []).pipe(
              concatMap(batch => from(batch)),
              map(([group, key, value]) => ({
                task,
                group,
                key,
                value: decodedState(codec, value, { operator, state }),
              })),
            ),
          ),
        )
      }),
    values: <V>(operator: string, state: string, codec: t.Type<V, any> = t.any) =>
      defer(() => {
        checkThere(operators, { operator, state, named: 'values' })
        return tasks$.pipe(
          concatMap(({ task, operators: of }) => {
            const kept = of.get(operator)?.kept ?? {}
            const name = Object.keys(kept).find(of => shownName(of) === state)
            return name === undefined ? [] : [{ task, value: decodedState(codec, kept[name], { operator, state }) }]
          }),
        )
      }),
    records$: tasks$.pipe(
      concatMap(task => from(placesOf(task))),
      concatMap(({ place, elements }) => from(recordsOf(elements).map(record => ({ ...place, record })))),
    ),
  }
}

/** A piece of a shared object is read by itself. */
const readTask = (store: Store, named: Named, encoding: Coding): Observable<ReadTask> => {
  const { snapshot } = named
  const { task, pieces } = snapshot
  return from(pieces).pipe(
    concatMap(piece =>
      store.get(piece.object, { begin: piece.begin, end: piece.begin + piece.bytes }).pipe(
        map(bytes => {
          const own = pieceIn(bytes, { piece: { ...piece, begin: 0 }, task })
          return [piece, readPiece(own, { place: `${piece.object}, ${task}`, encoding })] as const
        }),
      ),
    ),
    toArray(),
    map(found => {
      const byPiece = new Map(found)
      const sections = [...snapshot.sections, ...found.flatMap(([, own]) => own)]
      return { task, sections, ...snapshotOf(named, piece => byPiece.get(piece) ?? [], encoding) }
    }),
  )
}

const described = (read: ReadTask): Described => {
  const { task, ended, sections, operators } = read
  const stage = task.slice(0, task.lastIndexOf('/'))
  const bytesOf = (is: (operator: string | undefined) => boolean) =>
    sections
      .filter(({ name }) => is(operatorIn(name)))
      .reduce((sum, { chunks }) => sum + chunks.reduce((bytes, { length }) => bytes + length, 0), 0)
  const inFlight = placesOf(read).map(({ place, elements }) => ({ ...place, records: countRecords(elements) }))
  return {
    task: {
      ...{ task, ended },
      stateBytes: bytesOf(operator => operator !== undefined),
      inFlightBytes: bytesOf(operator => operator === undefined),
      inFlightRecords: inFlight.reduce((sum, { records }) => sum + records, 0),
    },
    operators: Array.from(operators, ([operator, { kept, tables }]) => ({
      ...{ operator, stage },
      bytes: bytesOf(of => of === operator),
      keyed: new Map(Array.from(tables, ([table, batches]) => [table, countOf(batches)])),
      values: Object.keys(kept).map(shownName),
    })).filter(({ operator }) => operator !== gateState.operator),
    inFlight: inFlight.filter(({ records }) => records > 0),
  }
}

/** What Spillway itself keeps has its own name, in parentheses. */
const shownName = (kept: string): string => userState(kept) ?? kept

const countOf = (batches: Iterable<readonly unknown[]>): number => {
  let count = 0
  for (const { length } of batches) count += length
  return count
}

/** An operator is in several tasks. */
const joined = (all: readonly StoredOperator[]): readonly StoredOperator[] => {
  const byName = new Map<string, StoredOperator>()
  for (const of of all) {
    const before = byName.get(of.operator) ?? { ...of, bytes: 0, keyed: new Map(), values: [] }
    const keyed = new Map(before.keyed)
    for (const [state, keys] of of.keyed) keyed.set(state, (keyed.get(state) ?? 0) + keys)
    const values = [...new Set([...before.values, ...of.values])]
    byName.set(of.operator, { ...before, bytes: before.bytes + of.bytes, keyed, values })
  }
  return [...byName.values()]
}

interface Elements {
  readonly place: InFlightPlace
  readonly elements: readonly StreamElement<unknown>[]
}

/** Of its channels, of those to other tasks that it had to send into, and of its operators. */
const placesOf = ({ task, inFlight, outputs, operators }: ReadTask): readonly Elements[] => [
  ...inFlight.map(({ input, from: producer, elements }) => ({
    place: { task, at: { input, from: producer } },
    elements,
  })),
  ...outputs.map(({ to, input, from: producer, elements }) => ({
    place: { task: to, at: { input, from: producer } },
    elements,
  })),
  ...Array.from(operators, ([operator, { kept }]) => ({
    place: { task, at: { operator } },
    elements: elementsIn(kept[ownState.frame] as Frame | undefined),
  })),
]

const elementsIn = (frame: Frame | undefined): readonly StreamElement<unknown>[] =>
  frame === undefined
    ? []
    : [
        ...[frame, ...frame.more].flatMap(({ work }) => (work.kind === 'records' ? [work.buffer] : [])),
        ...frame.pending,
      ]

const recordsOf = (elements: readonly StreamElement<unknown>[]): readonly unknown[] =>
  elements.flatMap(element => (element.kind === 'buffer' ? element.records : []))

/** @throws INVALID_OPTION */
const checkThere = (
  operators: readonly StoredOperator[],
  { operator, state, named }: { readonly operator: string; readonly state: string; readonly named: 'keyed' | 'values' },
): void => {
  const namesIn = (of: StoredOperator) => (named === 'keyed' ? [...of.keyed.keys()] : of.values)
  if (operators.some(of => of.operator === operator && namesIn(of).includes(state))) return
  const there = operators.flatMap(of => namesIn(of).map(name => `${of.operator}/${name}`))
  throw new SpillwayError('INVALID_OPTION', {
    place: `${named}('${operator}', '${state}')`,
    problem: 'the checkpoint has no such state.',
    remedy: `It has ${there.length === 0 ? 'none' : there.join(', ')}.`,
  })
}

const completed = (commits: readonly Numbered<Commit>[]): readonly CheckpointId[] =>
  commits.flatMap(({ checkpoint, completes }) =>
    completes !== undefined && partsOf(commits, checkpoint) !== undefined ? [checkpoint] : [],
  )

const notThere = (store: Store, there: readonly CheckpointId[]) =>
  new SpillwayError('CHECKPOINT_NOT_FOUND', {
    place: store.name,
    problem: `it has no such completed checkpoint, or no longer all of it. It has ${there.length === 0 ? 'none' : there.join(', ')}.`,
    remedy: 'Name one of those, or a store that a job has written to.',
  })
