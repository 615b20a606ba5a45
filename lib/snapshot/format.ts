import * as t from 'io-ts'
import { decode } from '../decode.ts'
import { countRecords, type Key, type StreamElement } from '../element.ts'
import { isThere } from '../state/entry.ts'
import type { CapturedOperator, EncodedChunk, RestoredOperator } from '../state/operatorState.ts'
import { type Coding, chunkOf, valueIn } from './chunk.ts'
import { readContainer, type Section } from './container.ts'
import { checkEncodable } from './encoding.ts'
import { recordsInFrame } from './frame.ts'
import { type Layer, laidOver } from './layers.ts'
import { damagedRemedy } from './log.ts'
import type {
  ChannelData,
  InFlightCounts,
  OutputData,
  Piece,
  ReadSnapshot,
  StoredSnapshot,
  TaskSnapshot,
} from './snapshot.ts'

/**
 * A task's snapshot, version 1: these sections, in containers in objects of the store, or the sections themselves in a log entry.
 *
 *   ["kept", operator]            the operator's small values, by name
 *   ["table", operator, name]     chunks of [key group, key, value]: all of it
 *   ["removed", operator, name]   chunks of [key group, key]: instead, what is gone since the object that it builds on,
 *   ["changed", operator, name]   chunks of [key group, key, value]: and what is new or another, also of keys that are gone
 *   ["channel", input, from]      chunks of elements, in order
 *   ["output", to, input, from]   the same, of a channel to another task
 *   ["counts"]                    of the last two: records by channel, where they are not read
 *
 * Of recovered data the generation of the first element is the last part of the name.
 */
export interface Chunk {
  readonly section: string
  readonly holds: Piece['holds']
  readonly chunk: Uint8Array
  /** Records in flight among it: in channels, or in calls that are suspended; undefined: there are none. */
  readonly records: number | undefined
}

/** Of the operators' small values. @throws NOT_ENCODABLE, naming operator and path. */
export const keptChunks = ({ operators }: TaskSnapshot, coding: Coding): readonly Chunk[] =>
  operators
    .filter(({ kept }) => Object.keys(kept).length > 0)
    .map(({ operator, kept }) => ({
      section: name('kept', operator),
      holds: 'state',
      chunk: chunkOf(kept, { coding, place: operator }),
      records: recordsInFrame(kept),
    }))

/** How many records are in flight in each channel; none if there are none. */
export const countsChunk = ({ inFlight, outputs, task }: TaskSnapshot, coding: Coding): Chunk | undefined => {
  if (inFlight.length === 0 && outputs.length === 0) return undefined
  const counts: InFlightCounts = [
    ...inFlight.map(({ input, from, elements }) => ({ input, from, records: countRecords(elements) })),
    ...outputs.map(({ to, input, from, elements }) => ({ to, input, from, records: countRecords(elements) })),
  ]
  return {
    section: name('counts'),
    holds: 'state',
    chunk: chunkOf(counts, { coding, place: task }),
    records: undefined,
  }
}

/** Whether there is more than that. */
export const hasMore = ({ operators, inFlight, outputs }: TaskSnapshot): boolean =>
  inFlight.length > 0 || outputs.length > 0 || operators.some(({ tables }) => tables.length > 0)

/** Some of its state is what has changed since the base. */
export const isOnBase = ({ operators }: TaskSnapshot, { whole }: { readonly whole: boolean }): boolean =>
  !whole && operators.some(({ tables }) => tables.some(({ captured }) => captured.hasBase))

/**
 * Of tables and in-flight data, each made as it is asked for. Unless it is to be `whole`, of tables that have a base what they have
 * beyond it. @throws NOT_ENCODABLE, naming operator and path.
 */
export function* moreChunks(
  snapshot: TaskSnapshot,
  coding: Coding,
  { whole }: { readonly whole: boolean },
): Generator<Chunk> {
  for (const { operator, tables } of snapshot.operators) {
    for (const table of tables) {
      for (const chunk of tableChunks(operator, table, { coding, whole })) yield { ...chunk, ...ofState }
    }
  }
  for (const { input, from, generation, elements } of snapshot.inFlight) {
    const place = `record on its way to ${snapshot.task}`
    yield* inFlightChunks(elements, coding, { section: name('channel', input, from, ...inName(generation)), place })
  }
  for (const { to, input, from, generation, elements } of snapshot.outputs) {
    const place = `record on its way to ${to}`
    yield* inFlightChunks(elements, coding, {
      section: name('output', to, input, from, ...inName(generation)),
      place,
    })
  }
}

const ofState = { holds: 'state', records: undefined } as const

/** As `moreChunks`, of one table. */
export function* tableChunks(
  operator: string,
  { name: table, captured, encode, encoded: before }: CapturedOperator['tables'][number],
  { coding, whole }: { readonly coding: Coding; readonly whole: boolean },
): Generator<EncodedChunk> {
  const place = `${operator}, state ${table}`
  if (before !== undefined) {
    if (before.onBase && whole) throw new Error(`${place}: what its changes build on has been superseded meanwhile`)
    return yield* before.chunks
  }
  const chunkIn = (kind: 'table' | 'changed' | 'removed', entries: readonly Stored[]): EncodedChunk => {
    // Most codecs change nothing, and other entries would only cost memory.
    const asTheyAre = kind === 'removed' || encode === t.identity
    const stored = asTheyAre ? entries : entries.map(([group, key, value]) => [group, key, encode(value)])
    return {
      section: name(kind, operator, table),
      chunk: encoded(stored, coding, { sample: stored[0], place }),
    }
  }
  if (!whole && captured.hasBase) {
    for (const batch of captured.changes(entriesInChunk)) {
      const set = batch.filter(isSet)
      if (set.length > 0) yield chunkIn('changed', set)
      if (set.length < batch.length) yield chunkIn('removed', batch.filter(isRemoved).map(withoutValue))
    }
    return
  }
  // On a base nothing is said of a table that is unchanged.
  if (!whole && captured.size === 0) yield chunkIn('table', [])
  for (const batch of captured.batches(entriesInChunk)) yield chunkIn('table', batch)
}

// By place, as destructuring takes an iterator each time.
const isSet = (entry: Stored): boolean => isThere(entry[2])
const isRemoved = (entry: Stored): boolean => !isThere(entry[2])
const withoutValue = (entry: Stored): Stored => [entry[0], entry[1]]

type Stored = readonly [group: number, key: Key, value?: unknown]

function* inFlightChunks(
  elements: readonly StreamElement<unknown>[],
  coding: Coding,
  { section, place }: { readonly section: string; readonly place: string },
): Generator<Chunk> {
  for (const some of inChunks(elements, recordsInChunk, countOf)) {
    const sample = some.find(element => element.kind === 'buffer')?.records[0]
    const chunk = encoded(some, coding, { sample, place })
    yield { section, holds: 'inFlight', chunk, records: countRecords(some) }
  }
}

/** What the encoding would change without noticing is looked for in a sample. */
const encoded = (value: unknown, coding: Coding, { sample, place }: { sample: unknown; place: string }) => {
  checkEncodable(sample, place)
  return chunkOf(value, { coding, place })
}

/** A chunk ends with what brings it to the size. */
function* inChunks<A>(all: Iterable<A>, size: number, sizeOf: (one: A) => number): Generator<A[]> {
  let chunk: A[] = []
  let filled = 0
  for (const one of all) {
    chunk.push(one)
    filled += sizeOf(one)
    if (filled < size) continue
    yield chunk
    chunk = []
    filled = 0
  }
  if (chunk.length > 0) yield chunk
}

/** Ends the reading of a snapshot's tables and buffers, whether it was read to its end or not. Idempotent. */
export const releaseSnapshot = ({
  operators,
  captured: buffers,
}: Pick<TaskSnapshot, 'operators' | 'captured'>): void => {
  buffers?.release()
  for (const { tables } of operators) for (const { captured } of tables) captured.release()
}

/** The sections in a piece of an object. @throws DAMAGED, FORMAT_UNKNOWN; `place` names the object, and whose piece it is. */
export const readPiece = (
  bytes: Uint8Array,
  of: { readonly place: string; readonly encoding: Coding },
): readonly Section[] =>
  Array.from(readContainer(bytes, { object: of.place, encoding: of.encoding.name }), ([name, chunks]) => ({
    name,
    chunks,
  }))

/** Sections of a snapshot, and of the state that it builds on, oldest first. */
interface ToRead extends Pick<StoredSnapshot, 'ended' | 'sections'> {
  readonly base?: readonly (readonly Section[])[]
}

/** What tables hold is decoded as they are read. @throws DAMAGED, FORMAT_UNKNOWN */
export const readSections = (
  { ended, sections, base = [] }: ToRead,
  { place: whole, encoding: coding }: { readonly place: string; readonly encoding: Coding },
): ReadSnapshot => {
  const kept = new Map<string, Record<string, unknown>>()
  const inFlight: ChannelData[] = []
  const outputs: OutputData[] = []
  let counts: InFlightCounts | undefined
  const parsed = (of: readonly Section[]) =>
    of.map(({ name: section, chunks }) => {
      const place = `${whole}, section ${section}`
      const [kind, ...rest] = decoded(sectionName, JSON.parse(section), place)
      return { kind, rest, chunks, place }
    })
  const newest = parsed(sections)
  for (const { kind, rest, chunks, place } of newest) {
    const values = () => chunks.map(chunk => valueIn(chunk, { coding, place }))
    const elements = () => values().flat() as StreamElement<unknown>[]
    if (kind === 'kept') kept.set(rest[0] as string, values()[0] as Record<string, unknown>)
    if (kind === 'counts') counts = values()[0] as InFlightCounts
    if (kind === 'channel') {
      const [input, from, generation] = rest as [number, number, number?]
      inFlight.push({ input, from, ...generationIn(generation), elements: elements() })
    }
    if (kind === 'output') {
      const [to, input, from, generation] = rest as [string, number, number, number?]
      outputs.push({ to, input, from, ...generationIn(generation), elements: elements() })
    }
  }
  const tables = tablesOf([...base.map(parsed), newest])
  const operators = new Map<string, RestoredOperator>()
  for (const operator of new Set([...kept.keys(), ...tables.keys()])) {
    const of = Array.from(tables.get(operator) ?? [], ([table, layers]) => [table, laidOver(layers, coding)] as const)
    operators.set(operator, { kept: kept.get(operator) ?? {}, tables: of.length === 0 ? noTables : new Map(of) })
  }
  return { ended, operators, inFlight, outputs, ...(counts && { counts }) }
}

/** Of most operators; a restore has thousands of them at the same time. */
const noTables: RestoredOperator['tables'] = new Map()

interface Parsed {
  readonly kind: string | number | undefined
  readonly rest: readonly (string | number)[]
  readonly chunks: readonly Uint8Array[]
  readonly place: string
}

/** By operator and table: its layers, oldest first. */
const tablesOf = (objects: readonly (readonly Parsed[])[]): ReadonlyMap<string, ReadonlyMap<string, Layer[]>> => {
  const operators = new Map<string, Map<string, Layer[]>>()
  const add = ({ kind, rest, chunks, place }: Parsed, as: Layer['kind']): void => {
    if (kind !== as) return
    const [operator, table] = rest as [string, string]
    const tables = operators.get(operator) ?? new Map<string, Layer[]>()
    operators.set(operator, tables)
    const layers = tables.get(table) ?? []
    tables.set(table, layers)
    layers.push({ kind: as, chunks, place })
  }
  for (const sections of objects) {
    // In one object a key may be both gone and new: then it is new.
    for (const kind of ['table', 'removed', 'changed'] as const) for (const section of sections) add(section, kind)
  }
  return operators
}

/** The section of a keyed table, or of an operator's small values. */
export const tableSection = (operator: string, table: string): string => name('table', operator, table)
export const keptSection = (operator: string): string => name('kept', operator)

/** The operator whose state the section holds; undefined: it holds what is in flight. */
export const operatorIn = (section: string): string | undefined => {
  const [kind, operator] = JSON.parse(section) as readonly string[]
  return kind === 'kept' || kind === 'table' ? operator : undefined
}

/** Left out for what was never recovered. */
const inName = (generation: number | undefined): readonly number[] => (generation === undefined ? [] : [generation])
const generationIn = (generation: number | undefined) => (generation === undefined ? {} : { generation })

const name = (...parts: readonly (string | number)[]): string => JSON.stringify(parts)

const decoded = <A>(type: t.Type<A>, value: unknown, place: string): A =>
  decode(type, value, { place, remedy: damagedRemedy, code: 'DAMAGED' })

const sectionName = t.array(t.union([t.string, t.number]))

/** About a millisecond of encoding. */
export const entriesInChunk = 1_000
const recordsInChunk = 1_000

/** Elements without records count too: each is written. */
const countOf = (element: StreamElement<unknown>): number => (element.kind === 'buffer' ? element.records.length : 1)
