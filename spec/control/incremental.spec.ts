import fc from 'fast-check'
import * as t from 'io-ts'
import { queueScheduler, throwError } from 'rxjs'
import { memoryStore, SpillwayError } from 'spillway'
import { expect, test } from 'vitest'
import { type SnapshotEvent, SnapshotWriter } from '../../lib/control/snapshotWriter.ts'
import type { Key } from '../../lib/element.ts'
import { readSnapshots } from '../../lib/runtime/readSnapshots.ts'
import { encodedAtOnce } from '../../lib/snapshot/encodedAtOnce.ts'
import { msgpackEncoding } from '../../lib/snapshot/encoding.ts'
import { hashOf } from '../../lib/snapshot/hashOf.ts'
import { objectsOf, type ReadSnapshot, type StoredSnapshot, type TaskSnapshot } from '../../lib/snapshot/snapshot.ts'
import { groupOf } from '../../lib/state/keyGroups.ts'
import { capturedOf, OperatorState } from '../../lib/state/operatorState.ts'
import type { Table } from '../../lib/state/table.ts'

const encoding = msgpackEncoding()
const groups = 4
const keys: readonly Key[] = ['a', 1, '1', [1], [1, ['b']], 2n, 'c', true]

/** What becomes of a checkpoint; in the midst of it the state changes on. */
type Fate = 'durable' | 'aborted' | 'not put' | 'not encodable'

/** State `Map`s are changed in place, and set again. */
type Change = { readonly table: 'count' | 'map'; readonly key: number; readonly value: number | undefined }

type Step =
  | { readonly kind: 'change'; readonly change: Change }
  | { readonly kind: 'checkpoint'; readonly fate: Fate; readonly meanwhile: readonly Change[] }
  /** From what is durable, under the next epoch. */
  | { readonly kind: 'restart' }

type Model = { readonly count: Map<Key, number>; readonly map: Map<Key, Map<string, number>> }

/** A task's state, what writes its snapshots, and a store that keeps what the newest durable one names. */
class Job {
  readonly model: Model = { count: new Map(), map: new Map() }
  readonly #limits = { deltasMax: 3, bytesPercentMax: 300 }
  readonly #objects = memoryStore()
  readonly #inStore = new Set<string>()
  #failsPut = false
  #heard: SnapshotEvent | undefined
  #epoch = 1
  #checkpoint = 0
  #durable: { readonly snapshot: StoredSnapshot; readonly model: Model } | undefined
  #state!: OperatorState
  #tables!: { readonly count: Table<number>; readonly map: Table<Map<string, number>> }
  readonly #writer = new SnapshotWriter({
    store: {
      ...this.#objects,
      put: (object, bytes) => {
        if (this.#failsPut) return throwError(() => failed())
        this.#inStore.add(object)
        return this.#objects.put(object, bytes)
      },
    },
    ...{ encoding, scheduler: queueScheduler, epoch: 1, writesMax: 1, inlineBytesMax: 0, tasksPerFile: 1 },
    incremental: this.#limits,
    say: event => {
      this.#heard = event
    },
    onLeft: object => this.#inStore.delete(object),
    onIdle: () => {},
  })

  constructor() {
    this.#open(undefined)
  }

  change({ table, key: n, value }: Change): void {
    const key = keys[n] as Key
    const group = groupOf(key, groups)
    if (value === undefined) {
      const entry = this.#tables[table].find(key)
      if (entry !== undefined) this.#tables[table].remove(entry as never)
      this.model[table].delete(key)
    } else if (table === 'count') {
      this.#tables.count.set(this.#tables.count.entry(key, group), value)
      this.model.count.set(key, value)
    } else {
      const entry = this.#tables.map.entry(key, group)
      const map = typeof entry.value === 'symbol' ? new Map<string, number>() : entry.value
      this.#tables.map.set(entry, map.set(`k${value % 3}`, value))
      this.model.map.set(key, new Map(map))
    }
  }

  checkpoint({ fate, meanwhile }: Step & { kind: 'checkpoint' }): void {
    const checkpoint = ++this.#checkpoint
    const captured = encodedAtOnce(capturedOf([this.#state]), { coding: encoding, whole: false })
    const model = { count: new Map(this.model.count), map: new Map(this.model.map) }
    for (const change of meanwhile) this.change(change)
    const kept = { operator: 'b', tables: [], kept: fate === 'not encodable' ? { no: () => 1 } : {} }
    const snapshot = { ...snapshotOf(checkpoint), epoch: this.#epoch, operators: [...captured, kept] }
    this.#failsPut = fate === 'not put'
    this.#writer.write(snapshot)
    expect(snapshot.operators.flatMap(of => of.tables).every(of => of.captured.released)).toBe(true)
    const heard = this.#heard
    if (fate === 'durable' && heard?.kind === 'acknowledged') {
      expect(heard.snapshot.pieces.length).toBeLessThanOrEqual(1 + this.#limits.deltasMax)
      this.#durable = { snapshot: heard.snapshot, model }
      this.#writer.published({ kind: 'publish', checkpoint, regions: [0], tasks: ['a'] })
    } else {
      // Nothing at all is not put, and cannot fail.
      if (fate !== 'not put') expect(heard?.kind).toBe(fate === 'aborted' ? 'acknowledged' : 'declined')
      const none = { latestFinished: new Map(), reason: 'no' }
      this.#writer.abort({ kind: 'abort', checkpoint, tasks: ['a'], ...none })
    }
    this.#tidyUp()
    this.check()
  }

  restart(): void {
    this.#writer.abandon({ tasks: ['a'], epoch: this.#epoch++ })
    const { snapshot, model } = this.#durable ?? {}
    this.#open(snapshot && this.#read(snapshot))
    for (const table of ['count', 'map'] as const) {
      this.model[table].clear()
      for (const [key, value] of model?.[table] ?? [])
        this.model[table].set(key, (value instanceof Map ? new Map(value) : value) as never)
    }
  }

  /** What is durable is what it should be. */
  check(): void {
    if (this.#durable === undefined) return
    const { snapshot, model } = this.#durable
    const tables = this.#read(snapshot).operators.get('o')?.tables
    for (const table of ['count', 'map'] as const) {
      const entries = [...(tables?.get(table) ?? [])].flat()
      const read = entries.map(([group, key, value]) => {
        expect(group).toBe(groupOf(key, groups))
        return [hashOf(key), value] as const
      })
      expect(new Map(read).size).toBe(read.length)
      expect(new Map(read)).toEqual(new Map([...model[table]].map(([key, value]) => [hashOf(key), value])))
    }
  }

  #open(restored: ReadSnapshot | undefined): void {
    this.#state = new OperatorState('o', groups, restored?.operators.get('o'), { incremental: true, hashOf })
    const count = this.#state.table('count', t.number)
    this.#tables = { count, map: this.#state.table('map', t.any as t.Type<Map<string, number>>) }
  }

  #read(snapshot: StoredSnapshot): ReadSnapshot {
    let read: ReadSnapshot | undefined
    readSnapshots(this.#objects, [{ entry: 1, snapshot }], { encoding, readsMax: 1 }).subscribe(all => {
      read = all.get('a')
    })
    return read as ReadSnapshot
  }

  /** Of the objects in the store only those of the newest durable snapshot stay. */
  #tidyUp(): void {
    const named = new Set(this.#durable === undefined ? [] : objectsOf(this.#durable.snapshot))
    for (const object of this.#inStore) {
      if (named.has(object)) continue
      this.#objects.delete(object).subscribe()
      this.#inStore.delete(object)
    }
  }
}

const snapshotOf = (checkpoint: number): TaskSnapshot => ({
  ...{ kind: 'snapshot', task: 'a', epoch: 1, ended: false, checkpoint },
  ...{ operators: [], inFlight: [], outputs: [], durable: [] },
  times: { startDelayMs: 0, alignmentMs: 0, processedDuringAlignment: 0, syncMs: 0, begunAtMs: 0, wholeAtMs: 0 },
})

const failed = () => new SpillwayError('STORE_FAILED', { place: 'put', problem: 'no.', remedy: 'No.' })

const changes: fc.Arbitrary<Change> = fc.record({
  table: fc.constantFrom('count' as const, 'map' as const),
  key: fc.nat(keys.length - 1),
  value: fc.option(fc.nat(99), { nil: undefined, freq: 3 }),
})
const fates = fc.constantFrom<Fate[]>('durable', 'durable', 'durable', 'aborted', 'not put', 'not encodable')
const steps = fc.array(
  fc.oneof<fc.WeightedArbitrary<Step>[]>(
    { weight: 8, arbitrary: fc.record({ kind: fc.constant('change' as const), change: changes }) },
    {
      weight: 6,
      arbitrary: fc.record({
        kind: fc.constant('checkpoint' as const),
        fate: fates,
        meanwhile: fc.array(changes, { maxLength: 3 }),
      }),
    },
    { weight: 1, arbitrary: fc.constant<Step>({ kind: 'restart' }) },
  ),
  { minLength: 1, maxLength: 60, size: 'max' },
)

test('whatever changes and whichever checkpoints fail, what is durable is the state that was captured (a failure prints its seed)', () => {
  const ran = (all: readonly Step[]) => {
    const job = new Job()
    for (const step of all) {
      if (step.kind === 'change') job.change(step.change)
      else if (step.kind === 'checkpoint') job.checkpoint(step)
      else job.restart()
    }
  }
  fc.assert(fc.property(steps, ran), { numRuns: 150 })
})
