import {
  defer,
  lastValueFrom,
  map,
  NEVER,
  Observable,
  of,
  Subject,
  switchMap,
  tap,
  throwError,
  timer,
  toArray,
} from 'rxjs'
import { TestScheduler } from 'rxjs/testing'
import { expect, test } from 'vitest'
import { type SerializeEvent, serialize } from '../../lib/control/serialize.ts'
import type { CoordinateEvent } from '../../lib/coordination/events.ts'
import { buffer } from '../../lib/element.ts'
import { SpillwayError } from '../../lib/error.ts'
import { readSnapshots } from '../../lib/runtime/readSnapshots.ts'
import { checksumOf } from '../../lib/snapshot/container.ts'
import { msgpackEncoding } from '../../lib/snapshot/encoding.ts'
import { readSections } from '../../lib/snapshot/format.ts'
import { encodedEntry, readEntry } from '../../lib/snapshot/log.ts'
import type { Piece, ReadSnapshot, StoredSnapshot, TaskSnapshot } from '../../lib/snapshot/snapshot.ts'
import { memoryStore } from '../../lib/store/memoryStore.ts'
import type { Store } from '../../lib/store/store.ts'

const encoding = msgpackEncoding()
const epoch = 1

/** What a call does: fails without effect, fails although it has taken place (once), or takes this long instead of 2 ms. */
type Behaviour = Error | 'fails, but takes place' | 'the first fails, but takes place' | number

const broken = new SpillwayError('STORE_FAILED', { place: 's', problem: 'broken.', remedy: '-' })

/** A memory store whose changes take time. `log`: `0 put c1/a` when a call begins, `1 stopped put c1/a` when it is given up. */
const slowStore = (nowMs: () => number, scheduler: TestScheduler, behaves: Readonly<Record<string, Behaviour>>) => {
  const inner = memoryStore()
  const log: string[] = []
  const short = (name: string) => name.replace('e000001/', '').replace('c00000', 'c')
  const slow = (call: string, act: () => Observable<void>): Observable<void> =>
    new Observable(subscriber => {
      const isFirst = !log.some(line => line.endsWith(` ${call}`))
      log.push(`${nowMs()} ${call}`)
      const wanted = behaves[call] ?? 2
      const behaviour = wanted !== 'the first fails, but takes place' ? wanted : isFirst ? 'fails, but takes place' : 2
      const done$ = timer(typeof behaviour === 'number' ? behaviour : 2, scheduler).pipe(
        switchMap(() => (behaviour instanceof Error ? throwError(() => behaviour) : act())),
        switchMap(() => (behaviour === 'fails, but takes place' ? throwError(() => broken) : of(undefined))),
      )
      let settled = false
      const settle = () => {
        settled = true
      }
      subscriber.add(() => {
        if (!settled) log.push(`${nowMs()} stopped ${call}`)
      })
      subscriber.add(done$.pipe(tap({ error: settle, complete: settle })).subscribe(subscriber))
    })
  const store: Store = {
    ...inner,
    put: (object, bytes) => slow(`put ${short(object)}`, () => inner.put(object, bytes)),
    append: (n, bytes) => slow(`append ${n}`, () => inner.append(n, bytes)),
    delete: object => slow(`delete ${short(object)}`, () => inner.delete(object)),
    deleteEntry: n => slow(`delete entry ${n}`, () => inner.deleteEntry(n)),
  }
  return { store, inner, log }
}

interface SnapshotOptions {
  readonly epoch?: number
  readonly ended?: boolean
  readonly durable?: readonly Observable<unknown>[]
  readonly kept?: Record<string, unknown>
  readonly inFlight?: readonly string[]
}

/** Counts how often its table is released. */
const snapshot = (name: string, options: SnapshotOptions = {}, releases: string[] = []): TaskSnapshot => {
  const [task, checkpoint] = [name[0] as string, Number(name.slice(1))]
  const captured = {
    size: 1,
    batches: () => [[[3, 'k', 7]] as [number, string, number][]],
    hasBase: false,
    changes: () => [],
    release: () => {
      releases.push(name)
    },
    released: false,
    stored: () => {},
  }
  return {
    kind: 'snapshot',
    task,
    epoch: options.epoch ?? 1,
    checkpoint,
    ended: options.ended ?? false,
    operators: [
      {
        operator: 'scan',
        kept: options.kept ?? {},
        tables: [{ name: 'total', mutable: false, captured, encode: value => value }],
      },
    ],
    inFlight: options.inFlight === undefined ? [] : [{ input: 0, from: 1, elements: [buffer(options.inFlight)] }],
    outputs: [],
    durable: options.durable ?? [],
    times: { startDelayMs: 1, alignmentMs: 2, processedDuringAlignment: 0, syncMs: 3, begunAtMs: 0, wholeAtMs: 0 },
  }
}

/** Everything is put, but where it is looked at what is not. */
const inlineBytesMax = 0
const job = { keyGroups: 128, stages: { '0:a': 1 } }

type Passing = { readonly kind: 'published'; readonly tasks: readonly string[]; readonly checkpoint: number }

const said = (event: CoordinateEvent): string => {
  switch (event.kind) {
    case 'acknowledged':
      return `ack ${event.snapshot.task}${event.checkpoint}${event.snapshot.ended ? ' ended' : ''}`
    case 'declined':
      return `declined ${event.task}${event.checkpoint}: ${event.reason.split('[').at(-1)?.replace(']', '')}`
    case 'committed':
      return `committed ${event.checkpoint} by ${event.entry}`
    case 'commitFailed':
      return `commit ${event.checkpoint} failed`
    case 'stands':
      return `${event.checkpoint} stands in ${event.entry}`
    case 'epochBegun':
      return `epoch ${event.epoch}`
    case 'epochFailed':
      return 'no epoch'
    case 'failed':
      return `failed: ${(event.error as SpillwayError).code}`
    default:
      return event.kind
  }
}

interface Case {
  readonly in: string
  readonly events: Readonly<Record<string, SerializeEvent | Passing | ((scheduler: TestScheduler) => SerializeEvent)>>
  readonly out: string
  readonly means?: Readonly<Record<string, string>>
  readonly store?: Readonly<Record<string, Behaviour>>
  readonly writesMax?: number
  /** The store's calls, if they are what the case is about. */
  readonly log?: readonly string[]
  /** Names of objects, and numbers of entries, that are there in the end. */
  readonly left?: readonly (string | number)[]
  /** Before the first event. */
  readonly given?: (store: Store) => Observable<unknown>
}

const releases: string[] = []
const snap = (name: string, options?: SnapshotOptions) => snapshot(name, options, releases)
const commit = (checkpoint: number): SerializeEvent => ({ kind: 'commit', checkpoint, parts: [] })
const abort = (checkpoint: number): SerializeEvent => ({
  kind: 'abort',
  checkpoint,
  tasks: ['a', 'b'],
  latestFinished: new Map(),
  reason: '',
})
const beginEpoch: SerializeEvent = { kind: 'beginEpoch', tasks: ['a', 'b'] }
const stop: SerializeEvent = {
  kind: 'stop',
  tasks: ['a', 'b'],
  failed: 'a',
  error: new Error('no'),
  attempt: 1,
  restartInMs: 0,
}
const release = (objects: readonly string[], entries: readonly number[]): SerializeEvent => ({
  kind: 'release',
  objects,
  entries,
})
const after =
  (...ms: readonly number[]) =>
  (scheduler: TestScheduler) =>
    snap('a1', { durable: ms.map(each => timer(each, scheduler)) })

const cases: Readonly<Record<string, Case>> = {
  'a snapshot is put, then acknowledged': {
    in: ' a---',
    out: '--A-',
    events: { a: snap('a1') },
    means: { A: 'ack a1' },
    log: ['0 put c1/a'],
    left: ['c1/a'],
  },
  'the last snapshot of a task that ends has a name of its own': {
    in: ' a---',
    out: '--A-',
    events: { a: snap('a1', { ended: true }) },
    means: { A: 'ack a1 ended' },
    left: ['ended/a.1'],
  },
  'a last snapshot, which no later one can replace, is tried again, each time under another name': {
    in: ' a 3006ms -',
    out: '3006ms A-',
    events: { a: snap('a1', { ended: true }) },
    means: { A: 'ack a1 ended' },
    store: { 'put ended/a.1': broken, 'put ended/a.2': 'fails, but takes place' },
    log: ['0 put ended/a.1', '2 delete ended/a.1', '1002 put ended/a.2', '1004 delete ended/a.2', '3004 put ended/a.3'],
    left: ['ended/a.3'],
  },
  'no more than writesMax are being written at the same time': {
    writesMax: 2,
    in: ' (abc)---',
    out: '---B--(AC)',
    events: { a: snap('a1'), b: snap('b1'), c: snap('c1') },
    means: { A: 'ack a1', B: 'ack b1', C: 'ack c1' },
    store: { 'put c1/a': 6, 'put c1/b': 3, 'put c1/c': 3 },
    log: ['0 put c1/a', '0 put c1/b', '3 put c1/c'],
  },
  'nothing is put before all that the snapshot names elsewhere is durable': {
    in: ' a-------',
    out: '-------A-',
    events: { a: after(1, 5, 3) },
    means: { A: 'ack a1' },
    log: ['5 put c1/a'],
  },
  'a snapshot is declined if something that it names cannot be made durable': {
    in: ' a---',
    out: 'X---',
    events: { a: snap('a1', { durable: [NEVER, throwError(() => broken)] }) },
    means: { X: 'declined a1: STORE_FAILED' },
    log: [],
  },
  'a snapshot is declined if the store fails': {
    in: ' a---b-',
    out: '--X---B',
    events: { a: snap('a1'), b: snap('b2') },
    means: { X: 'declined a1: STORE_FAILED', B: 'ack b2' },
    store: { 'put c1/a': broken },
  },
  'a snapshot is declined if it cannot be encoded': {
    in: ' a---',
    out: 'X---',
    events: { a: snap('a1', { kept: { f: () => {} } }) },
    means: { X: 'declined a1: NOT_ENCODABLE' },
    log: [],
  },
  'an abort stops the writing of its checkpoint, and deletes what may have been written': {
    in: ' a-x---',
    out: '-------',
    events: { a: snap('a1'), x: abort(1) },
    store: { 'put c1/a': 5 },
    log: ['0 put c1/a', '2 stopped put c1/a', '2 delete c1/a'],
    left: [],
  },
  'an abort stops what waits for its turn, and what waits to be durable': {
    writesMax: 1,
    in: ' (ab)--x',
    out: '-------',
    events: { a: snap('a1', { durable: [NEVER] }), b: snap('b1'), x: abort(1) },
    log: [],
  },
  'a snapshot that comes after the abort is not written': {
    in: ' xa--b--',
    out: '------B',
    events: { x: abort(1), a: snap('a1'), b: snap('b2') },
    means: { B: 'ack b2' },
    log: ['4 put c2/b'],
  },
  'an abort leaves what is acknowledged to the coordinator': {
    in: ' a--x--',
    out: '--A---',
    events: { a: snap('a1'), x: abort(1) },
    means: { A: 'ack a1' },
    left: ['c1/a'],
  },
  'an abort leaves other checkpoints and last snapshots alone': {
    in: ' (abx)-',
    out: '--(AB)',
    events: { a: snap('a2'), b: snap('b1', { ended: true }), x: abort(1) },
    means: { A: 'ack a2', B: 'ack b1 ended' },
  },
  'a commit appends an entry; numbers go on': {
    in: ' 1------2---',
    out: '--A------B',
    events: { 1: commit(1), 2: commit(2) },
    means: { A: 'committed 1 by 5', B: 'committed 2 by 6' },
    log: ['0 append 5', '7 append 6'],
    left: [5, 6],
  },
  'commits are appended one after the other': {
    in: ' (12)---',
    out: '--A-B',
    events: { 1: commit(1), 2: commit(2) },
    means: { A: 'committed 1 by 5', B: 'committed 2 by 6' },
    log: ['0 append 5', '2 append 6'],
  },
  'an append that fails fails the commit, and the number is used by the next': {
    in: ' 1----x----2---',
    out: '--X---------Y',
    events: { 1: commit(1), 2: commit(2), x: abort(1) },
    means: { X: 'commit 1 failed', Y: 'commit 2 failed' },
    store: { 'append 5': broken },
    log: ['0 append 5', '10 append 5'],
    left: [],
  },
  'an append that fails but has taken place is told of by the next, and gives its number away': {
    in: ' 1----2-----',
    out: '--X----S-B',
    events: { 1: commit(1), 2: commit(2) },
    means: { X: 'commit 1 failed', S: '1 stands in 5', B: 'committed 2 by 6' },
    store: { 'append 5': 'fails, but takes place' },
    log: ['0 append 5', '5 append 5', '7 append 6'],
    left: [5, 6],
  },
  'an entry that has taken place all the same, and that a newer run has deleted since, is not written again': {
    in: ' 1----r-2-----',
    out: '--X------F--',
    events: { 1: commit(1), 2: commit(2), r: release([], [5]) },
    means: { X: 'commit 1 failed', F: 'failed: FENCED' },
    store: { 'append 5': 'the first fails, but takes place' },
    given: store =>
      store.append(6, encodedEntry({ kind: 'start', epoch: 2, from: 'latest', nextCheckpoint: 1 }, encoding)),
  },
  'tasks that are restarted get an epoch of their own, each time a larger one, by an entry that replaces the last one':
    {
      in: ' 1----2-----',
      out: '--A----B---',
      events: { 1: beginEpoch, 2: beginEpoch },
      means: { A: 'epoch 2', B: 'epoch 3' },
      log: ['0 append 5', '5 append 6', '7 delete entry 5'],
      left: [6],
    },
  'a commit in doubt is out of it when an epoch begins': {
    in: ' 1----2-----',
    out: '--X----S-B',
    events: { 1: commit(1), 2: beginEpoch },
    means: { X: 'commit 1 failed', S: '1 stands in 5', B: 'epoch 2' },
    store: { 'append 5': 'fails, but takes place' },
    left: [5, 6],
  },
  "an epoch that cannot be begun is no one's, also if its entry stands": {
    in: ' 1----2-----',
    out: '--X------B',
    events: { 1: beginEpoch, 2: beginEpoch },
    means: { X: 'no epoch', B: 'epoch 2' },
    store: { 'append 5': 'the first fails, but takes place' },
    left: [5, 6],
  },
  "the number of another run's start gives no epoch": {
    in: ' 1----',
    out: '--F',
    events: { 1: beginEpoch },
    means: { F: 'failed: FENCED' },
    given: store =>
      store.append(5, encodedEntry({ kind: 'start', epoch: 2, from: 'latest', nextCheckpoint: 1 }, encoding)),
  },
  'what tasks that are stopped have under way is given up, their last snapshots too; what they write when restarted is not':
    {
      in: ' ae-s-b-----',
      out: '-------B----',
      events: {
        a: snap('a1', { durable: [NEVER] }),
        e: snap('b1', { ended: true, durable: [NEVER] }),
        s: stop,
        b: snap('b2', { epoch: 2, ended: true }),
      },
      means: { B: 'ack b2 ended' },
      left: ['e000002/ended/b.1'],
    },
  "another run's entry fails the job": {
    in: ' 1-----',
    out: '--F-',
    events: { 1: commit(1) },
    means: { F: 'failed: FENCED' },
    given: store =>
      store.append(5, encodedEntry({ kind: 'start', epoch: 2, from: 'latest', nextCheckpoint: 1 }, encoding)),
  },
  'what is released is deleted, objects and entries': {
    in: ' r---',
    out: '----',
    events: { r: release(['e000001/c000001/a', 'b'], [3]) },
    log: ['0 delete entry 3', '2 delete c1/a', '2 delete b'],
  },
  'while an entry cannot be deleted, what it names stays': {
    in: ' r---',
    out: '----',
    events: { r: release(['a'], [3]) },
    store: { 'delete entry 3': broken },
    log: ['0 delete entry 3'],
  },
  'what cannot be deleted is left': {
    in: ' r-----a---',
    out: '--------A-',
    events: { r: release(['a', 'b'], []), a: snap('a1') },
    means: { A: 'ack a1' },
    store: { 'delete a': broken },
    log: ['0 delete a', '0 delete b', '6 put c1/a'],
  },
  'events of others pass, orders do not': {
    in: ' pnt--',
    out: 'P----',
    events: {
      p: { kind: 'published', tasks: ['a'], checkpoint: 1 },
      n: { kind: 'notify', checkpoint: 1, tasks: [] },
      t: { kind: 'finished' },
    },
    means: { P: 'published' },
  },
  'it completes with its source, once all is written': {
    in: ' a|',
    out: '--(A|)',
    events: { a: snap('a1') },
    means: { A: 'ack a1' },
  },
}

test.each(Object.entries(cases))(
  '%s',
  (_, { in: marbles, events, out, means, store: behaves = {}, writesMax = 4, log, left, given }) => {
    releases.length = 0
    const scheduler = new TestScheduler((actual, expected) => expect(actual).toEqual(expected))
    const slow = slowStore(() => scheduler.now(), scheduler, behaves)
    given?.(slow.inner).subscribe()
    const written = Object.values(events).flatMap(event => {
      const of = typeof event === 'function' ? event(scheduler) : event
      return of.kind === 'snapshot' ? [`${of.task}${of.checkpoint}`] : []
    })
    scheduler.run(({ hot, expectObservable }) => {
      const values = Object.fromEntries(
        Object.entries(events).map(([name, event]) => [name, typeof event === 'function' ? event(scheduler) : event]),
      )
      const said$ = hot(marbles.trim(), values).pipe(
        serialize<Passing>({
          store: slow.store,
          encoding,
          scheduler,
          writesMax,
          epoch,
          inlineBytesMax,
          job,
          nextEntry: 5,
        }),
        map(said),
      )
      expectObservable(said$).toBe(out, means)
    })
    expect([...releases].sort()).toEqual(written.sort())
    if (log !== undefined) expect(slow.log).toEqual(log)
    if (left !== undefined) {
      const found: (string | number)[] = []
      slow.inner
        .list('')
        .subscribe(names =>
          found.push(...names.map(name => name.replace('e000001/c00000', 'c').replace('e000001/', ''))),
        )
      slow.inner.entries().subscribe(numbers => found.push(...numbers))
      expect(found).toEqual(left)
    }
  },
)

const all = async (events: readonly SerializeEvent[], store: Store): Promise<readonly CoordinateEvent[]> => {
  const options = {
    store,
    encoding,
    scheduler: new TestScheduler(() => {}),
    writesMax: 4,
    epoch,
    inlineBytesMax,
    job,
    nextEntry: 1,
  }
  const result = lastValueFrom(of(...events).pipe(serialize<Passing>(options), toArray()))
  options.scheduler.flush()
  return result
}

const restoredFrom = async (store: Store, snapshot: StoredSnapshot): Promise<ReadSnapshot> => {
  const read = await lastValueFrom(readSnapshots(store, [{ entry: 1, snapshot }], { encoding, readsMax: 2 }))
  return read.get(snapshot.task) as ReadSnapshot
}

test('what is in the store is what was in the snapshot, and the part names it with its size and checksum', async () => {
  const store = memoryStore()
  const [event] = await all([snapshot('a1', { kept: { position: 9 }, inFlight: ['r', 's'] })], store)
  if (event?.kind !== 'acknowledged') throw new Error('not acknowledged')
  expect(event).toMatchObject({
    sizes: { inFlightRecords: 2, stateBytes: expect.any(Number), inFlightBytes: expect.any(Number) },
    times: {
      startDelayMs: 1,
      alignmentMs: 2,
      processedDuringAlignment: 0,
      syncMs: 3,
      begunAtMs: 0,
      wholeAtMs: 0,
      asyncMs: 0,
    },
  })
  const [state, inFlight] = event.snapshot.pieces as readonly [Piece, Piece]
  expect([state.holds, inFlight.holds]).toEqual(['state', 'inFlight'])
  for (const { object, begin, bytes, crc } of [state, inFlight]) {
    const read = await lastValueFrom(store.get(object))
    expect([begin, read.length, checksumOf(read)]).toEqual([0, bytes, crc])
  }
  const restored = await restoredFrom(store, event.snapshot)
  expect(restored.operators.get('scan')?.kept).toEqual({ position: 9 })
  expect([...(restored.operators.get('scan')?.tables.get('total') ?? [])]).toEqual([[[3, 'k', 7]]])
  expect(restored.inFlight).toEqual([{ input: 0, from: 1, elements: [buffer(['r', 's'])] }])

  const parts = [{ tasks: [event.snapshot] }]
  await all([{ kind: 'commit', checkpoint: 1, parts }], store)
  const entry = readEntry(1, await lastValueFrom(store.entry(1)), encoding)
  expect(entry).toEqual({ kind: 'commit', epoch, checkpoint: 1, ...job, parts })
})

test('a source that emits at once is subscribed to once, and heard in its order', async () => {
  let subscriptions = 0
  const store = memoryStore()
  const scheduler = new TestScheduler(() => {})
  const source = defer(() => {
    subscriptions++
    return of(snapshot('a1'), abort(1), snapshot('b2'))
  })
  const options = { store, encoding, scheduler, writesMax: 4, epoch, inlineBytesMax, job, nextEntry: 1 }
  const result = lastValueFrom(source.pipe(serialize<Passing>(options), map(said), toArray()))
  scheduler.flush()
  expect([await result, subscriptions]).toEqual([['ack b2'], 1])
})

test('an abort that the acknowledgement itself brings about deletes nothing that is acknowledged', async () => {
  const store = memoryStore()
  const scheduler = new TestScheduler(() => {})
  const source = new Subject<SerializeEvent>()
  const heard: string[] = []
  source
    .pipe(serialize<Passing>({ store, encoding, scheduler, writesMax: 4, epoch, inlineBytesMax, job, nextEntry: 1 }))
    .subscribe(event => {
      heard.push(said(event))
      if (event.kind === 'acknowledged') source.next(abort(2))
    })
  source.next(snapshot('a1'))
  scheduler.flush()
  expect([heard, await lastValueFrom(store.list(''))]).toEqual([['ack a1'], ['e000001/c000001/a']])
})

test('a small snapshot is not put, but stands in the entry that commits it', async () => {
  const store = memoryStore()
  const scheduler = new TestScheduler(() => {})
  const options = { store, encoding, scheduler, writesMax: 4, epoch, inlineBytesMax: 1_000, job, nextEntry: 1 }
  const events$ = new Subject<SerializeEvent>()
  const heard: CoordinateEvent[] = []
  events$.pipe(serialize<Passing>(options)).subscribe(event => heard.push(event))
  events$.next(snapshot('a1', { kept: { position: 9 }, inFlight: ['r', 's'] }))
  scheduler.flush()
  const [event] = heard
  if (event?.kind !== 'acknowledged') throw new Error('not acknowledged')
  expect(event.snapshot).toMatchObject({ task: 'a', ended: false, sections: expect.any(Array) })
  events$.next({ kind: 'commit', checkpoint: 1, parts: [{ tasks: [event.snapshot] }] })
  expect(await lastValueFrom(store.list(''))).toEqual([])
  const entry = readEntry(1, await lastValueFrom(store.entry(1)), encoding)
  const [part] = entry.kind === 'commit' ? entry.parts : []
  const restored = readSections(part?.tasks[0] as StoredSnapshot, { place: 'entry 1', encoding })
  expect(restored.operators.get('scan')?.kept).toEqual({ position: 9 })
  expect(restored.inFlight).toEqual([{ input: 0, from: 1, elements: [buffer(['r', 's'])] }])
})

test.each([0, 1_000])('an abort stops what waits to be encoded, with %d bytes inline', inlineBytesMax => {
  const scheduler = new TestScheduler(() => {})
  const { store, log } = slowStore(() => scheduler.now(), scheduler, {})
  const options = { store, encoding, scheduler, writesMax: 2, epoch, inlineBytesMax, job, nextEntry: 1 }
  const events$ = new Subject<SerializeEvent>()
  const heard: string[] = []
  events$.pipe(serialize<Passing>(options)).subscribe(event => heard.push(said(event)))
  const small = { ...snapshot('a1'), operators: [{ operator: 'scan', kept: { n: 1 }, tables: [] }], inFlight: [] }
  events$.next(small)
  events$.next(abort(1))
  events$.next({ ...small, checkpoint: 2 })
  scheduler.flush()
  expect({ heard, log }).toEqual({ heard: ['ack a2'], log: inlineBytesMax === 0 ? ['0 put c2/a'] : [] })
})

test('thousands of snapshots that wait when their checkpoint is aborted are passed over, and what follows is written', () => {
  const scheduler = new TestScheduler(() => {})
  const { store } = slowStore(() => scheduler.now(), scheduler, {})
  const options = { store, encoding, scheduler, writesMax: 2, epoch, inlineBytesMax, job, nextEntry: 1 }
  const events$ = new Subject<SerializeEvent>()
  const heard: string[] = []
  let failed: unknown
  events$.pipe(serialize<Passing>(options)).subscribe({
    next: event => heard.push(said(event)),
    error: error => {
      failed = error
    },
  })
  for (let i = 0; i < 20_000; i++) events$.next(snapshot('a1'))
  events$.next(abort(1))
  events$.next(snapshot('a2'))
  scheduler.flush()
  expect(failed).toBeUndefined()
  expect(heard).toEqual(['ack a2'])
})
