import type { Observable } from 'rxjs'
import type { Store } from 'spillway'
import type { Simulation } from 'spillway/testing'
import { readSnapshots } from '../../lib/runtime/readSnapshots.ts'
import { msgpackEncoding } from '../../lib/snapshot/encoding.ts'
import { readEntry } from '../../lib/snapshot/log.ts'
import { canonical } from '../../lib/testing/simulation/canonical.ts'
import type { Generated } from './generated.ts'
import type { Rec } from './record.ts'
import { keyNumber, linked } from './steps.ts'

/** What must hold of a run that is done, beside what `simulate` checks; throws what does not. */
export const checkRun = (run: Simulation, { chained, states, expected, open }: Generated): void => {
  for (const [name, tasks] of run.published) {
    for (const [subtask, records] of (tasks as readonly (readonly Rec[])[]).entries()) {
      checkOrder(records ?? [], `${name}, task ${subtask}`)
    }
  }
  for (const name of chained) {
    checkChains((run.published.get(name) ?? []).flat() as readonly Rec[], expected[name] as readonly Rec[], name)
  }
  if (states.length > 0) checkStates(run.store, states)
  const killed = run.met.some(({ kind }) => kind === 'crash' || kind === 'powerFailure')
  if (!killed && open() !== 0) throw new Error(`${open()} readers of sources are left open`)
}

/** Records of one split and one trail come in their order. */
const checkOrder = (records: readonly Rec[], place: string): void => {
  const last = new Map<string, Rec>()
  for (const record of records) {
    if (record.trail === undefined) continue
    const line = `${record.split} ${record.trail}`
    const before = last.get(line)
    if (before !== undefined && comesBefore(record.place, before.place)) {
      throw new Error(`${place}: ${record.id} has come after ${before.id}`)
    }
    last.set(line, record)
  }
}

const comesBefore = (a: readonly number[], b: readonly number[]): boolean => {
  for (let i = 0; i < Math.min(a.length, b.length); i++) if (a[i] !== b[i]) return (a[i] as number) < (b[i] as number)
  return a.length < b.length
}

/**
 * Of each key, the results are explained by some order of its records that keeps the order within each split and trail: found
 * by trying, one record after the other, those whose result is there.
 */
const checkChains = (results: readonly Rec[], records: readonly Rec[], place: string): void => {
  for (const [key, of] of grouped(records, keyOf)) {
    const lines = [...grouped(of, line).values()].map(all => all.sort(inPlace))
    const left = new Map<string, number>()
    for (const { id } of grouped(results, keyOf).get(key) ?? []) left.set(id, (left.get(id) ?? 0) + 1)
    if (!isExplained(lines, left, { before: '', tries: { left: triesMax } })) {
      throw new Error(
        `${place}: no order of its records explains the results of key ${key}: ${[...left.keys()].join(' ')}`,
      )
    }
  }
}

const isExplained = (
  lines: readonly (readonly Rec[])[],
  left: Map<string, number>,
  { before, tries }: { before: string; tries: { left: number } },
): boolean => {
  const open = lines.filter(({ length }) => length > 0)
  // Too many to try all: undecided, and not held against it.
  if (open.length === 0 || tries.left-- <= 0) return true
  return open.some(line => {
    const [first, ...rest] = line as [Rec, ...Rec[]]
    const { id } = linked(before, first)
    const count = left.get(id) ?? 0
    if (count === 0) return false
    left.set(id, count - 1)
    const next = open.map(other => (other === line ? rest : other))
    if (isExplained(next, left, { before: first.id, tries })) return true
    left.set(id, count)
    return false
  })
}

/** One without a trail stands alone. */
const line = ({ split, trail, id }: Rec): string => (trail === undefined ? id : `${split} ${trail}`)

const inPlace = (a: Rec, b: Rec): number => (comesBefore(a.place, b.place) ? -1 : 1)

const keyOf = ({ key }: Rec): number => key

const grouped = <K>(records: readonly Rec[], by: (of: Rec) => K): Map<K, Rec[]> => {
  const groups = new Map<K, Rec[]>()
  for (const record of records) {
    const group = by(record)
    groups.set(group, [...(groups.get(group) ?? []), record])
  }
  return groups
}

/** The last snapshots of all tasks hold the state that is meant. */
const checkStates = (store: Store, states: Generated['states']): void => {
  const stored = storedTables(store)
  for (const { operator, table, of } of states) {
    const found = stored.get(`${operator} ${table}`) ?? new Map()
    const [wanted, got] = [of, found].map(table => canonical(new Map([...table].sort(([a], [b]) => a - b))))
    if (wanted !== got) throw new Error(`state ${table} of ${operator} is ${got}, and should be ${wanted}`)
  }
}

/** By operator and table; over all tasks. */
const storedTables = (store: Store): ReadonlyMap<string, Map<number, unknown>> => {
  const entries = now(store.entries()).map(n => readEntry(n, now(store.entry(n)), encoding))
  const newest = entries.filter(entry => entry.kind === 'commit').at(-1)
  if (newest?.kind !== 'commit') throw new Error('nothing has been committed')
  const named = newest.parts.flatMap(({ tasks }) => tasks.map(snapshot => ({ entry: 0, snapshot })))
  const snapshots = now(readSnapshots(store, named, { encoding, readsMax: 1 })).values()
  const all = new Map<string, Map<number, unknown>>()
  for (const snapshot of snapshots) {
    for (const [operator, { tables }] of snapshot.operators) {
      for (const [table, batches] of tables) {
        const into = all.get(`${operator} ${table}`) ?? new Map<number, unknown>()
        all.set(`${operator} ${table}`, into)
        for (const batch of batches) for (const [, key, value] of batch) into.set(keyNumber(key), value)
      }
    }
  }
  return all
}

/** A store in memory answers at once. */
const now = <T>(answer: Observable<T>): T => {
  let found: { readonly value: T } | { readonly error: unknown } | undefined
  answer.subscribe({
    next: value => {
      found = { value }
    },
    error: error => {
      found = { error }
    },
  })
  if (found === undefined) throw new Error('the store has not answered at once')
  if ('error' in found) throw found.error
  return found.value
}

const encoding = msgpackEncoding()
const triesMax = 20_000
