import * as t from 'io-ts'
import { decode } from '../decode.ts'
import { countRecords, type StreamElement } from '../element.ts'
import type { RestoredOperator } from '../state/operatorState.ts'
import { type Coding, chunkOf, valueIn } from './chunk.ts'
import { readContainer, type Section } from './container.ts'
import { checkEncodable } from './encoding.ts'
import { recordsInFrame } from './frame.ts'
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
 *   ["table", operator, name]     chunks of [key group, key, value]
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

/** Of tables and in-flight data, each made as it is asked for. @throws NOT_ENCODABLE, naming operator and path. */
export function* moreChunks(snapshot: TaskSnapshot, coding: Coding): Generator<Chunk> {
  for (const { operator, tables } of snapshot.operators) {
    for (const { name: table, captured, encode } of tables) {
      const section = name('table', operator, table)
      for (const entries of inChunks(captured.entries(), entriesInChunk, () => 1)) {
        const stored = entries.map(([group, key, value]) => [group, key, encode(value)])
        const place = `${operator}, state ${table}`
        const chunk = encoded(stored, coding, { sample: stored[0], place })
        yield { section, holds: 'state', chunk, records: undefined }
      }
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

/** What tables hold is decoded as they are read. @throws DAMAGED, FORMAT_UNKNOWN */
export const readSections = (
  { ended, sections }: Pick<StoredSnapshot, 'ended' | 'sections'>,
  { place: whole, encoding: coding }: { readonly place: string; readonly encoding: Coding },
): ReadSnapshot => {
  const operators = new Map<string, { kept: Record<string, unknown>; tables: Map<string, any> }>()
  const inFlight: ChannelData[] = []
  const outputs: OutputData[] = []
  let counts: InFlightCounts | undefined
  const operator = (of: string) => {
    let found = operators.get(of)
    if (found === undefined) {
      found = { kept: {}, tables: new Map() }
      operators.set(of, found)
    }
    return found
  }
  for (const { name: section, chunks } of sections) {
    const place = `${whole}, section ${section}`
    const [kind, ...rest] = decoded(sectionName, JSON.parse(section), place)
    const values = () => chunks.map(chunk => valueIn(chunk, { coding, place }))
    const elements = () => values().flat() as StreamElement<unknown>[]
    if (kind === 'kept') operator(rest[0] as string).kept = values()[0] as Record<string, unknown>
    if (kind === 'table') operator(rest[0] as string).tables.set(rest[1] as string, lazily(chunks, { coding, place }))
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
  return {
    ended,
    operators: operators as ReadonlyMap<string, RestoredOperator>,
    inFlight,
    outputs,
    ...(counts && { counts }),
  }
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

function* lazily(
  chunks: readonly Uint8Array[],
  of: { readonly coding: Coding; readonly place: string },
): Generator<unknown> {
  for (const chunk of chunks) yield valueIn(chunk, of)
}

const decoded = <A>(type: t.Type<A>, value: unknown, place: string): A =>
  decode(type, value, { place, remedy: damagedRemedy, code: 'DAMAGED' })

const sectionName = t.array(t.union([t.string, t.number]))

/** About a millisecond of encoding. */
export const entriesInChunk = 1_000
const recordsInChunk = 1_000

/** Elements without records count too: each is written. */
const countOf = (element: StreamElement<unknown>): number => (element.kind === 'buffer' ? element.records.length : 1)
