import * as t from 'io-ts'
import { decode } from '../decode.ts'
import type { Key, SplitId } from '../element.ts'
import { SpillwayError } from '../error.ts'
import { MapTable, type Ordered } from './mapTable.ts'
import { CallLog, type CapturedTable, Table } from './table.ts'

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
  readonly #restored: RestoredOperator | undefined
  readonly #claimed = new Set<string>()
  readonly #tables = new Map<string, { table: Table<any>; encode: (value: any) => unknown }>()
  readonly #kept = new Map<string, () => unknown>()

  constructor(operator: string, keyGroups: number, restored?: RestoredOperator) {
    this.operator = operator
    this.#keyGroups = keyGroups
    this.#restored = restored
  }

  /**
   * A keyed table, already filled by a restore.
   * @throws STATE_NOT_MATCHED if a stored value does not decode, DUPLICATE_NAME
   */
  table<V>(name: string, codec: t.Type<V, any>): Table<V> {
    this.#claim(name)
    const table = new Table<V>(this.#keyGroups, this.calls)
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
   * @throws STATE_NOT_MATCHED if what is stored does not decode, DUPLICATE_NAME
   */
  keep<V>(name: string, codec: t.Type<V, any>, now: () => V | undefined): V | undefined {
    this.#claim(name)
    this.#kept.set(name, () => {
      const value = now()
      return value === undefined ? undefined : codec.encode(value)
    })
    const stored = this.#restored?.kept[name]
    return stored === undefined ? undefined : this.#decoded(name, codec, stored)
  }

  /**
   * As `keep`, of each split: at another parallelism a value goes where its split goes. Stored as pairs, since a record with
   * a number for a key, as names of splits often are, has room for all numbers below it.
   */
  keepBySplit<V>(name: string, codec: t.Type<V, any>, now: () => readonly [SplitId, V][]): ReadonlyMap<SplitId, V> {
    return new Map(this.keep(bySplit(name), t.readonlyArray(t.tuple([t.string, codec])), now))
  }

  /** A keyed table that has been asked for. */
  tableNamed(name: string): Table<unknown> | undefined {
    return this.#tables.get(name)?.table
  }

  /** The names of restored state that nobody has asked for. */
  unclaimed(): readonly string[] {
    const { tables, kept } = this.#restored ?? { tables: new Map(), kept: {} }
    return [...tables.keys(), ...Object.keys(kept)].filter(name => !this.#claimed.has(name))
  }

  /** Undefined: there is nothing to store. */
  capture(): CapturedOperator | undefined {
    let kept: Record<string, unknown> | undefined
    for (const [name, now] of this.#kept) {
      const value = now()
      if (value === undefined) continue
      kept ??= {}
      kept[name] = value
    }
    if (this.#tables.size > 0) return { operator: this.operator, kept: kept ?? {}, tables: this.#capturedTables() }
    return kept && { operator: this.operator, kept, tables: [] }
  }

  #capturedTables(): CapturedOperator['tables'] {
    return [...this.#tables].map(([name, { table, encode }]) => ({
      name,
      encode,
      captured: table.capture({ beforeCall: this.callOpen }),
    }))
  }

  #claim(name: string): void {
    if (this.#claimed.has(name)) throw declaredTwice(this.operator, name)
    this.#claimed.add(name)
  }

  #decoded<V>(name: string, codec: t.Type<V, any>, stored: unknown): V {
    return decode(codec, stored, {
      place: `state ${name} of operator ${this.operator}`,
      remedy: 'Give it the codec that it was written with, or start with restore: "none".',
      code: 'STATE_NOT_MATCHED',
    })
  }
}

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

/** What a state of another kind and the same name would not read. */
const inMap = (name: string): string => `(map) ${name}`

const bySplit = (name: string): string => `${splitPrefix}${name}`

/** The value that is stored under this name is one of each split. */
export const isBySplit = (name: string): boolean => name.startsWith(splitPrefix)

/** No user would begin a name like this. */
const splitPrefix = '(split) '

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
    readonly captured: CapturedTable<unknown>
    readonly encode: (value: unknown) => unknown
  }[]
}

/** An operator's part of a snapshot as it was read. Tables come in batches, as they were written. */
export interface RestoredOperator {
  readonly kept: Readonly<Record<string, unknown>>
  readonly tables: ReadonlyMap<string, Iterable<readonly (readonly [group: number, key: Key, value: unknown])[]>>
}
