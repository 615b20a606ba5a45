import * as Either from 'fp-ts/lib/Either.js'
import * as t from 'io-ts'
import { decode, mismatch } from '../decode.ts'
import type { Key, SplitId } from '../element.ts'
import { SpillwayError } from '../error.ts'
import { CapturedValues } from './capturedValues.ts'
import { holdsMutable } from './holdsMutable.ts'
import { isUsers } from './isUsers.ts'
import { listType } from './listType.ts'
import { MapTable, type Ordered } from './mapTable.ts'
import { perCodec } from './perCodec.ts'
import { Sample } from './sample.ts'
import { CallLog, type CapturedTable, Table } from './table.ts'
import { type UnknownVersion, unknownToPlain, unknownVersion, versionIn, versionOf } from './versioned.ts'

export interface OperatorStateOptions {
  /** Tables give what has changed since a capture that is stored; default false. */
  readonly incremental?: boolean
  /** Captured values are hashed by it, to find those that are changed in place; default: they are not. */
  readonly hashOf?: ((value: unknown) => number) | undefined
  /** Samples go through it; default: they stay as they are. */
  readonly roundTrip?: RoundTrip
}

type Tables = Map<string, { readonly table: Table<any>; readonly encode: (value: any) => unknown }>

/**
 * The state of one operator in one task: what a snapshot captures of it, and what a restore gave back.
 *
 * Capturing takes references; nothing is copied or encoded in it.
 */
export class OperatorState {
  readonly operator: string
  /** One for all tables of the operator: what the handler call under way has changed. */
  readonly calls = new CallLog()
  /** A handler call is suspended: tables are captured as they were before it, because the restored frame repeats it. */
  callOpen = false
  readonly #keyGroups: number
  /** Until the task begins. */
  #restored: RestoredOperator | undefined
  readonly #roundTrip: RoundTrip
  readonly #incremental: boolean
  readonly #values: CapturedValues | undefined
  /** By name: the version that its codec writes. */
  readonly #claimed = new Map<string, number>()
  /** By name: the versions that it was stored in. Until the task begins; like the two below made only for what there is, as tasks are many. */
  #stored: Map<string, Set<number>> | undefined
  #tables: Tables | undefined
  readonly #kept = new Map<string, () => unknown>()
  /** Tables with values that cannot be frozen. */
  #mutable: Set<string> | undefined

  constructor(
    operator: string,
    keyGroups: number,
    restored?: RestoredOperator,
    { incremental = false, hashOf, roundTrip = stored => stored }: OperatorStateOptions = {},
  ) {
    this.operator = operator
    this.#roundTrip = roundTrip
    this.#keyGroups = keyGroups
    this.#restored = restored
    this.#incremental = incremental
    this.#values = hashOf && new CapturedValues(hashOf)
  }

  /**
   * A keyed table, already filled by a restore.
   * @throws STATE_NOT_MATCHED if a stored value does not decode, STATE_VERSION_UNKNOWN, DUPLICATE_NAME
   */
  table<V>(name: string, codec: t.Type<V, any>): Table<V> {
    this.#claim(name, codec)
    const table = new Table<V>(this.#keyGroups, { calls: this.calls, incremental: this.#incremental })
    this.#tables ??= new Map()
    this.#tables.set(name, { table, encode: codec.encode })
    for (const batch of this.#restored?.tables.get(name) ?? []) {
      for (const [group, key, value] of batch) table.restore(group, key, this.#decoded(name, codec, value))
    }
    return table
  }

  /**
   * A map of each key, already filled by a restore.
   * @throws STATE_NOT_MATCHED if a stored key or value does not decode, DUPLICATE_NAME
   */
  map<V>(
    name: string,
    { key, value }: { readonly key: t.Type<any, any>; readonly value: t.Type<V, any> },
  ): MapTable<V> {
    const table = this.table<Ordered<V>>(inMap(name), t.tuple([t.number, value]) as unknown as t.Type<Ordered<V>, any>)
    for (const { key: stored } of table.values()) {
      const [, mapKey] = stored as readonly [Key, Key]
      if (!key.is(mapKey)) this.#decoded(`${name}, a key of the map`, key, mapKey)
    }
    return new MapTable(table)
  }

  /**
   * A small value of the whole task: `now` is asked at every snapshot (`undefined` is not stored); returns the restored one.
   * @throws STATE_NOT_MATCHED if what is stored does not decode, STATE_VERSION_UNKNOWN, DUPLICATE_NAME
   */
  keep<V>(name: string, codec: t.Type<V, any>, now: () => V | undefined): V | undefined {
    this.#claim(name, codec)
    // Most codecs change nothing, and tasks have many small values.
    this.#kept.set(name, codec.encode === t.identity ? now : encoding(codec, now))
    const stored = this.#restored?.kept[name]
    return stored === undefined ? undefined : this.#decoded(name, codec, stored)
  }

  /**
   * As `keep`, of each split: at another parallelism a value goes where its split goes. Stored as pairs, since a record with
   * a number for a key, as names of splits often are, has room for all numbers below it.
   */
  keepBySplit<V>(name: string, codec: t.Type<V, any>, now: () => readonly [SplitId, V][]): ReadonlyMap<SplitId, V> {
    return new Map(this.keep(bySplit(name), bySplitType(codec), now))
  }

  /** As `keep`, a list of which another parallelism gives each task a part; empty if nothing was stored. */
  keepList<V>(name: string, codec: t.Type<V, any>, now: () => readonly V[] | undefined): readonly V[] {
    return this.keep(`${listPrefix}${name}`, listType(codec), now) ?? []
  }

  /** As `keepList`, with what all tasks had, which is decoded once for all. */
  keepUnion<V>(
    name: string,
    codec: t.Type<V, any>,
    now: () => readonly V[] | undefined,
  ): { readonly own: readonly V[]; readonly all: readonly V[] } {
    const own = this.keep(`${unionPrefix}${name}`, listType(codec), now) ?? []
    const everything = inAll(`${unionPrefix}${name}`)
    this.#claim(everything, codec)
    const stored = this.#restored?.kept[everything]
    if (stored === undefined) return { own, all: own }
    return { own, all: decodedOnce(stored as object, codec, () => this.#decoded(name, listType(codec), stored)) }
  }

  /**
   * Looks at some of the values that a state is set to: whether they come back from what a snapshot makes of them, and its codec
   * reads that.
   * @throws NOT_ENCODABLE in `pass`
   */
  sample<V>(name: string, codec: t.Type<V, any>): Sample<V> {
    const place = `${this.operator}, state ${name}`
    return new Sample(value => {
      const remedy = 'Set it to what its codec reads, or give it the codec of what it is: it could not be restored.'
      decode(codec, this.#roundTrip(codec.encode(value), place), { place, remedy, code: 'NOT_ENCODABLE' })
    })
  }

  /** A keyed table that has been asked for. */
  tableNamed(name: string): Table<unknown> | undefined {
    return this.#tables?.get(name)?.table
  }

  /** The names of restored state that nobody has asked for. */
  unclaimed(): readonly string[] {
    const { tables, kept } = this.#restored ?? { tables: new Map(), kept: {} }
    return [...tables.keys(), ...Object.keys(kept)].filter(name => !this.#claimed.has(name))
  }

  /** The task has begun, and all that was restored is asked for: it is let go of. */
  begun(): void {
    this.#restored = undefined
    this.#stored = undefined
  }

  /** Undefined: there is nothing to store. @throws MUTATED_AFTER_CAPTURE */
  capture(): CapturedOperator | undefined {
    const captured = this.#captured()
    const values = this.#values
    if (captured === undefined || values === undefined) return captured
    values.captured(captured)
    return { ...captured, check: () => values.written(captured) }
  }

  #captured(): CapturedOperator | undefined {
    let kept: Record<string, unknown> | undefined
    for (const [name, now] of this.#kept) {
      const value = now()
      if (value === undefined) continue
      kept ??= {}
      kept[name] = value
    }
    if (this.#tables !== undefined) {
      return { operator: this.operator, kept: kept ?? {}, tables: this.#capturedTables(this.#tables) }
    }
    return kept && { operator: this.operator, kept, tables: [] }
  }

  #capturedTables(tables: Tables): CapturedOperator['tables'] {
    return [...tables].map(([name, { table, encode }]) => ({
      name,
      encode,
      mutable: this.#isMutable(name, table),
      captured: table.capture({ beforeCall: this.callOpen }),
    }))
  }

  /** Some of its values cannot be frozen; once that is found, it is so. */
  #isMutable(name: string, table: Table<unknown>): boolean {
    if (this.#mutable?.has(name)) return true
    if (!isUsers(this.operator, name) || table.size === 0) return false
    for (const value of table.some(sampledMax)) {
      if (!holdsMutable(value)) continue
      this.#mutable ??= new Set()
      this.#mutable.add(name)
      return true
    }
    return false
  }

  /** Its restored state, by what has become of it, and what it has beside. */
  fates(): readonly StateFate[] {
    const declared = [...this.#claimed].map(([name, version]): StateFate => {
      const stored = this.#stored?.get(name)
      if (stored === undefined) return { kind: 'new', name }
      const older = [...stored].filter(of => of !== version)
      return older.length === 0 ? { kind: 'kept', name } : { kind: 'migrated', name, from: older, to: version }
    })
    return [...declared, ...this.unclaimed().map((name): StateFate => ({ kind: 'dropped', name }))]
  }

  #claim(name: string, codec: t.Type<any, any>): void {
    if (this.#claimed.has(name)) throw declaredTwice(this.operator, name)
    this.#claimed.set(name, versionOf(codec))
  }

  #noteVersion(name: string, stored: unknown): void {
    const version = versionIn(stored)
    this.#stored ??= new Map()
    const known = this.#stored.get(name)
    if (known === undefined) this.#stored.set(name, new Set([version]))
    else known.add(version)
  }

  #decoded<V>(name: string, codec: t.Type<V, any>, stored: unknown): V {
    this.#noteVersion(name, stored)
    return decodedState(codec, stored, { operator: this.operator, state: name })
  }
}

/** @throws STATE_NOT_MATCHED, STATE_VERSION_UNKNOWN */
export const decodedState = <V>(
  codec: t.Type<V, any>,
  stored: unknown,
  { operator, state }: { readonly operator: string; readonly state: string },
): V => {
  const decoded = codec.decode(stored)
  const place = `state ${state} of operator ${operator}`
  if (Either.isLeft(decoded)) {
    const unknown = unknownVersion(codec, stored, decoded.left)
    throw unknown === undefined ? notMatched(place, decoded.left) : versionUnknown(place, unknown)
  }
  const unknown = unknownToPlain(codec, stored)
  if (unknown !== undefined) throw versionUnknown(place, unknown)
  return decoded.right
}

/** What becomes of a state at a restore. */
export type StateFate =
  | { readonly kind: 'kept' | 'new' | 'dropped'; readonly name: string }
  | { readonly kind: 'migrated'; readonly name: string; readonly from: readonly number[]; readonly to: number }

const notMatched = (place: string, errors: t.Errors) =>
  new SpillwayError('STATE_NOT_MATCHED', {
    place,
    problem: `${mismatch(errors)}.`,
    remedy:
      'Give it the codec that it was written with, or versioned({ version, codec, migrations }) with that as an older version.',
  })

const versionUnknown = (place: string, { found, known }: UnknownVersion) =>
  new SpillwayError('STATE_VERSION_UNKNOWN', {
    place,
    problem: `it is stored in version ${found}, and the codec knows ${known.join(', ')}.`,
    remedy: `Give versioned({ version, codec, migrations }) with version ${found}, or run the program that has written it.`,
  })
/** Gives back what reading would make of what a snapshot writes. @throws NOT_ENCODABLE if that is something else */
export type RoundTrip = (stored: unknown, place: string) => unknown

/** Values of one state are alike, but may be empty at first. */
const sampledMax = 32

/** Of those operators that have anything to store. */
export const capturedOf = (states: readonly OperatorState[]): readonly CapturedOperator[] => {
  // Not by push, which makes room for more: thousands of snapshots wait for their turn.
  const all = new Array<CapturedOperator>(states.length)
  let count = 0
  for (const state of states) {
    const captured = state.capture()
    if (captured !== undefined) all[count++] = captured
  }
  all.length = count
  return all
}

const encoding =
  <V>(codec: t.Type<V, any>, now: () => V | undefined) =>
  (): unknown => {
    const value = now()
    return value === undefined ? undefined : codec.encode(value)
  }

const bySplitType = perCodec((codec: t.Type<any, any>) => listType<[SplitId, any]>(t.tuple([t.string, codec]))) as <V>(
  codec: t.Type<V, any>,
) => t.Type<readonly [SplitId, V][], any>

/** What a state of another kind and the same name would not read. */
const inMap = (name: string): string => `(map) ${name}`

export const bySplit = (name: string): string => `${splitPrefix}${name}`

/** The value that is stored under this name is one of each split. */
export const isBySplit = (name: string): boolean => name.startsWith(splitPrefix)

/** The value that is stored under this name is a list, of which each task is given a part. */
export const isList = (name: string): boolean => name.startsWith(listPrefix) || isUnion(name)

/** It is one of which each task has to know all. */
export const isUnion = (name: string): boolean => name.startsWith(unionPrefix)

/** Under which name a restore gives all of it. */
export const inAll = (name: string): string => `${allPrefix}${name}`

/** By what is stored: a thousand tasks have one array. The codecs of an operator's tasks are mostly one, and never many. */
const decodedLists = new WeakMap<object, { readonly codec: unknown; readonly values: readonly unknown[] }>()

const decodedOnce = <V>(stored: object, codec: unknown, decoded: () => readonly V[]): readonly V[] => {
  const known = decodedLists.get(stored)
  if (known?.codec === codec) return known?.values as readonly V[]
  const values = decoded()
  decodedLists.set(stored, { codec, values })
  return values
}

/** What the operator calls what is stored under this name, if it is its own: of each split, a list, or a value. */
export const userState = (kept: string): string | undefined => {
  const prefix = [splitPrefix, listPrefix, unionPrefix].find(of => kept.startsWith(of))
  return prefix === undefined ? (kept.startsWith('(') ? undefined : kept) : kept.slice(prefix.length)
}

/** No user would begin a name like this. */
const splitPrefix = '(split) '
const listPrefix = '(list) '
const unionPrefix = '(union) '
const allPrefix = '(all) '

const declaredTwice = (operator: string, name: string) =>
  new SpillwayError('DUPLICATE_NAME', {
    place: operator,
    problem: `it declares state ${name} twice.`,
    remedy:
      'Give each state a name of its own, and declare it in the function that gives the handlers, not in a handler.',
  })

/** An operator's part of a snapshot, by reference; each table's `captured` must be released once. */
export interface CapturedOperator {
  readonly operator: string
  readonly kept: Readonly<Record<string, unknown>>
  readonly tables: readonly {
    readonly name: string
    /** Its values cannot be frozen, so that they are not captured by reference. */
    readonly mutable: boolean
    readonly captured: CapturedTable<unknown>
    readonly encode: (value: unknown) => unknown
    /** As it was encoded when it was captured: all of it, or what it has beyond the base. */
    readonly encoded?: { readonly onBase: boolean; readonly chunks: readonly EncodedChunk[] }
  }[]
  /** Under `checks`, before it is released. @throws MUTATED_AFTER_CAPTURE */
  readonly check?: () => void
}

/** Some entries of a table, under the name of their section. */
export interface EncodedChunk {
  readonly section: string
  readonly chunk: Uint8Array
}

/** An operator's part of a snapshot as it was read. Tables come in batches, as they were written. */
export interface RestoredOperator {
  readonly kept: Readonly<Record<string, unknown>>
  readonly tables: ReadonlyMap<string, Iterable<readonly (readonly [group: number, key: Key, value: unknown])[]>>
}
