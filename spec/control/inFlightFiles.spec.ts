import { lastValueFrom, NEVER, of as rxOf, Subject, tap, throwError } from 'rxjs'
import { TestScheduler } from 'rxjs/testing'
import { expect, test } from 'vitest'
import { type SerializeEvent, serialize } from '../../lib/control/serialize.ts'
import type { CoordinateEvent } from '../../lib/coordination/events.ts'
import { buffer, countRecords } from '../../lib/element.ts'
import { SpillwayError } from '../../lib/error.ts'
import { readSnapshots } from '../../lib/runtime/readSnapshots.ts'
import { msgpackEncoding } from '../../lib/snapshot/encoding.ts'
import type { Piece, StoredSnapshot, TaskSnapshot } from '../../lib/snapshot/snapshot.ts'
import { memoryStore } from '../../lib/store/memoryStore.ts'
import type { Store } from '../../lib/store/store.ts'

const encoding = msgpackEncoding()

const snapshot = (task: string, inFlight: readonly unknown[], kept: Record<string, unknown> = {}): TaskSnapshot => ({
  kind: 'snapshot',
  task,
  epoch: 1,
  checkpoint: 1,
  ended: false,
  operators: [{ operator: 'o', kept, tables: [] }],
  inFlight: inFlight.length === 0 ? [] : [{ input: 0, from: 1, elements: [buffer(inFlight)] }],
  outputs: [],
  durable: [],
  times: { startDelayMs: 0, alignmentMs: 0, processedDuringAlignment: 0, syncMs: 0, begunAtMs: 0, wholeAtMs: 0 },
})

const large = (task: string) => snapshot(task, [task.repeat(100)])

/** The first checkpoint, as `serialize` hears of it; regions are divided by `|`, tasks are letters. */
class Written {
  readonly inner = memoryStore()
  readonly stored: StoredSnapshot[] = []
  readonly heard: string[] = []
  readonly #events$ = new Subject<SerializeEvent>()
  readonly #scheduler = new TestScheduler(() => {})

  constructor(regions: readonly (readonly string[])[], { store = {}, tasksPerFile = 3, writesMax = 2 } = {}) {
    const options = {
      ...{ store: { ...this.inner, ...store }, encoding, scheduler: this.#scheduler, writesMax, epoch: 1 },
      ...{ inlineBytesMax: 50, tasksPerFile, job: { keyGroups: 1, stages: {} }, nextEntry: 1 },
    }
    this.#events$.pipe(serialize<never>(options)).subscribe(event => this.#hear(event))
    const barrier = {
      kind: 'barrier',
      checkpoint: 1,
      timestampMs: 0,
      alignment: 'unaligned',
      savepoint: false,
    } as const
    this.say({ kind: 'trigger', barrier, asked: regions })
  }

  /** And lets it be done. */
  say(...events: readonly SerializeEvent[]): readonly string[] {
    for (const event of events) this.#events$.next(event)
    this.#scheduler.flush()
    return this.heard.splice(0)
  }

  get objects(): readonly string[] {
    let found: readonly string[] = []
    this.inner.list('').subscribe(names => {
      found = names.map(name => name.replace('e000001/c000001/', ''))
    })
    return found
  }

  #hear(event: CoordinateEvent): void {
    if (event.kind === 'declined') this.heard.push(`declined ${event.task}: ${event.cause}`)
    if (event.kind !== 'acknowledged') return
    this.stored.push(event.snapshot)
    this.heard.push(`${event.snapshot.task} in ${event.snapshot.pieces.map(nameOf).join(' + ') || 'the entry'}`)
  }
}

const nameOf = ({ object }: Piece): string => object.replace('e000001/c000001/', '')
const abort = (tasks: string): SerializeEvent => ({
  kind: 'abort',
  checkpoint: 1,
  tasks: [...tasks],
  latestFinished: new Map(),
  reason: '',
})

test('tasks share a file, which is put once it is full or all have answered; what is small stands in the entry', () => {
  const written = new Written([['a', 'b', 'c', 'd', 'e']])
  expect(written.say(large('a'), large('b'))).toEqual([])
  expect(written.say(large('c'))).toEqual(['a', 'b', 'c'].map(task => `${task} in in-flight.1`))
  expect(written.say(large('d'))).toEqual([])
  expect(written.say(snapshot('e', []))).toEqual(['e in the entry', 'd in in-flight.2'])
})

test('large state has an object of its own, whatever is in flight', () => {
  const written = new Written([['a', 'b']])
  const kept = { value: 'x'.repeat(100) }
  expect(written.say(snapshot('a', [], kept), snapshot('b', ['y'.repeat(100)], kept))).toEqual([
    'a in a',
    'b in b + in-flight.1',
  ])
})

test('no region waits for another', () => {
  const written = new Written([['a', 'b'], ['c']])
  expect(written.say(large('a'))).toEqual([])
  expect(written.say(large('c'))).toEqual(['a in in-flight.1', 'c in in-flight.1'])
  expect(written.say(large('b'))).toEqual(['b in in-flight.2'])
})

test('an abort leaves the file to the others, and nothing behind', () => {
  const written = new Written([
    ['a', 'b'],
    ['c', 'd'],
  ])
  written.say(large('a'), large('c'))
  expect([written.say(abort('ab')), written.objects]).toEqual([[], []])
  expect(written.say(large('d'))).toEqual(['c in in-flight.1', 'd in in-flight.1'])
  expect(written.say(large('b'))).toEqual([])
  expect(written.objects).toEqual(['in-flight.1'])
})

test('a file that is being put when all its tasks are given up is deleted; with one left it is put for that one', () => {
  const puts: Subject<void>[] = []
  const deleted: string[] = []
  const store: Partial<Store> = {
    put: () => {
      const put = new Subject<void>()
      puts.push(put)
      return put
    },
    delete: object => {
      deleted.push(nameOf({ object } as Piece))
      return NEVER
    },
  }
  const written = new Written([['a'], ['b'], ['c'], ['d']], { store, tasksPerFile: 1, writesMax: 9 })
  written.say(large('a'))
  expect([puts[0]?.observed, written.say(abort('a')), puts[0]?.observed, deleted]).toEqual([
    true,
    [],
    false,
    ['in-flight.1'],
  ])
  const both = new Written([['a'], ['b', 'c']], { store, tasksPerFile: 3, writesMax: 9 })
  both.say(large('b'), large('a'))
  both.say(abort('a'))
  puts[1]?.complete()
  expect([both.say(), deleted]).toEqual([['b in in-flight.1'], ['in-flight.1']])
})

test('one that fails to be put is one failure of the store, and is not left there', () => {
  const broken = new SpillwayError('STORE_FAILED', { place: 's', problem: 'broken.', remedy: '-' })
  const written = new Written([['a', 'b', 'c']], { store: { put: () => throwError(() => broken) } })
  expect(written.say(large('a'), large('b'), large('c'))).toEqual([
    'declined a: io',
    'declined b: shared-file',
    'declined c: shared-file',
  ])
})

test('with one write at a time a file still waits for those that it wants', () => {
  const written = new Written([['a', 'b', 'c']], { writesMax: 1 })
  expect(written.say(large('a'), large('b'), large('c'))).toHaveLength(3)
})

test('the in-flight data of 1,000 tasks, 64 KiB each, is in 200 files, each read once', async () => {
  const tasks = Array.from({ length: 1_000 }, (_, i) => `t${i}`)
  const written = new Written([tasks], { tasksPerFile: 5, writesMax: 16 })
  const record = 'x'.repeat(1_024)
  written.say(...tasks.map(task => snapshot(task, [task, ...Array.from({ length: 64 }, () => record)])))
  expect([written.stored.length, written.objects.length]).toEqual([1_000, 200])

  const got: string[] = []
  const store: Store = { ...written.inner, get: object => written.inner.get(object).pipe(tap(() => got.push(object))) }
  const named = written.stored.map(of => ({ entry: 1, snapshot: of }))
  const read = await lastValueFrom(readSnapshots(store, named, { encoding, readsMax: 4 }))
  expect([got.length, new Set(got).size]).toEqual([200, 200])
  const wrong = tasks.filter(task => {
    const elements = read.get(task)?.inFlight[0]?.elements ?? []
    const [first] = elements
    return first?.kind !== 'buffer' || first.records[0] !== task || countRecords(elements) !== 65
  })
  expect(wrong).toEqual([])
})

test('a damaged piece is found out, and says nothing of the others in its file', async () => {
  const written = new Written([['a', 'b', 'c']])
  written.say(large('a'), large('b'), large('c'))
  const of = (task: string) =>
    written.stored.filter(({ task: own }) => own === task).map(one => ({ entry: 1, snapshot: one }))
  const [{ object, begin, bytes }] = (of('b')[0]?.snapshot.pieces ?? []) as readonly [Piece]
  const damaged = await lastValueFrom(written.inner.get(object))
  damaged[begin + (bytes >> 1)] = (damaged[begin + (bytes >> 1)] as number) ^ 1
  const reading = (task: string, from: Uint8Array) => {
    const store: Store = { ...written.inner, get: () => rxOf(from) }
    return lastValueFrom(readSnapshots(store, of(task), { encoding, readsMax: 1 }))
  }
  await expect(reading('b', damaged)).rejects.toMatchObject({ code: 'DAMAGED', place: expect.stringContaining(object) })
  await expect(reading('b', damaged.subarray(0, begin + 10))).rejects.toMatchObject({ code: 'DAMAGED' })
  for (const task of ['a', 'c']) {
    const [channel] = (await reading(task, damaged)).get(task)?.inFlight ?? []
    expect(channel?.elements).toEqual([buffer([task.repeat(100)])])
  }
})
