import * as t from 'io-ts'
import { EMPTY, firstValueFrom, of } from 'rxjs'
import {
  type Compression,
  keyedOperator,
  memoryStore,
  type Pipeline,
  type Sink,
  SpillwayError,
  type Store,
  stream,
} from 'spillway'
import { zlib } from 'spillway/node'
import { collect, fromArray, into, keyBy, rebalance } from 'spillway/operators'
import { describe, expect, test } from 'vitest'
import { found } from '../../lib/runtime/restore.ts'
import type { RestoredJob } from '../../lib/runtime/restoredJob.ts'
import type { Coding } from '../../lib/snapshot/chunk.ts'
import { readContainer } from '../../lib/snapshot/container.ts'
import { msgpackEncoding } from '../../lib/snapshot/encoding.ts'
import { ownState } from '../../lib/snapshot/frame.ts'
import { readEntry } from '../../lib/snapshot/log.ts'
import { run } from '../run.ts'

/**
 * Stores with a real checkpoint in them, damaged in all places: keyed state, in-flight data that an unaligned barrier has overtaken,
 * sinks' transactions, as objects and in the log's entries, compressed and not.
 */
interface Kept {
  readonly objects: ReadonlyMap<string, Uint8Array>
  readonly log: ReadonlyMap<number, Uint8Array>
}

interface Way {
  readonly compression?: Compression
  readonly inlineBytesMax?: number
  readonly keys: number
}

const small: Record<string, Way> = {
  'in objects': { inlineBytesMax: 0, keys: 45 },
  'in the log': { keys: 45 },
  'in objects, compressed': { inlineBytesMax: 0, keys: 45, compression: zlib() },
  'in the log, compressed': { keys: 45, compression: zlib() },
}

/** A sink that has no room after so many records, so that the others wait in the channels. */
const fullAfter = (records: number): Sink<unknown> => {
  const sink = collect<unknown>()
  return {
    ...sink,
    open: task => {
      const writer = sink.open(task)
      let written = 0
      return {
        ...writer,
        mayWrite: () => written < records,
        write: batch => {
          written += batch.length
          writer.write(batch as unknown[])
        },
      } as ReturnType<Sink<unknown>['open']>
    },
  }
}

const pipeline = ({ keys }: Way): Pipeline =>
  stream(fromArray(Array.from({ length: 1_000_000 }, (_, n) => n))).pipe(
    keyBy(n => n % keys),
    keyedOperator<number, number, unknown>('remember', ({ state }) => {
      const last = state.value('last', t.type({ n: t.number, text: t.string }), { n: -1, text: '' })
      return {
        record: (n, out) => {
          last.set({ n, text: `last of its key: ${n}` })
          out.emit(n)
        },
      }
    }),
    rebalance(),
    into(fullAfter(2 * keys)),
  )

const optionsOf = ({ compression, inlineBytesMax }: Way, store: Store) => ({
  store,
  channels: { buffersMax: 2, bufferRecordsMax: 8 },
  checkpoints: {
    ...(compression === undefined ? {} : { compression }),
    ...(inlineBytesMax === undefined ? {} : { inlineBytesMax }),
  },
})

const codingOf = ({ compression }: Way): Coding => ({ ...msgpackEncoding(), compression })

/** What the store has once the job has come to a stand, has taken a checkpoint, and has been cancelled. */
const checkpointed = async (way: Way): Promise<Kept> => {
  const store = memoryStore()
  const job = run(pipeline(way), optionsOf(way, store))
  const recordsRead = () => job.sources()[0]?.recordsRead ?? 0
  // A machine with other work may give it no time for some looks.
  for (let [before, looks] = [0, 0]; looks < 10; await later()) {
    looks = before > 0 && before === recordsRead() ? looks + 1 : 0
    before = recordsRead()
  }
  const report = await job.triggerCheckpoint({ alignment: 'unaligned' })
  expect(report.outcome).toBe('completed')
  await job.cancel()
  const names = await firstValueFrom(store.list(''))
  const entries = await firstValueFrom(store.entries())
  return {
    objects: new Map(
      await Promise.all(names.map(async name => [name, await firstValueFrom(store.get(name))] as const)),
    ),
    log: new Map(await Promise.all(entries.map(async n => [n, await firstValueFrom(store.entry(n))] as const))),
  }
}

const later = (): Promise<void> => new Promise(resolve => setTimeout(resolve, 20))

const storeOf = ({ objects, log }: Kept): Store => {
  const store = memoryStore()
  for (const [object, bytes] of objects) store.put(object, bytes).subscribe()
  for (const [n, bytes] of log) store.append(n, bytes).subscribe()
  return store
}

/** What is damaged: an object by its name, an entry by its number. */
type Place = string | number

const placesOf = ({ objects, log }: Kept): readonly (readonly [Place, Uint8Array])[] => [...objects, ...log]
const nameOf = (place: Place) => (typeof place === 'string' ? place : `log entry ${place}`)

/** Reads it as a start does; a store in memory answers at once. Tables are read when they are asked for. */
const read = (store: Store, way: Way): RestoredJob | undefined => {
  let restored: RestoredJob | undefined
  let failure: { readonly error: unknown } | undefined
  found(store, { restore: 'latest', retainedCount: 1, sinks: [], encoding: codingOf(way), readsMax: 4 }).subscribe({
    next: of => {
      restored = of.restored
    },
    error: error => {
      failure = { error }
    },
  })
  if (failure !== undefined) throw failure.error
  return restored
}

/** The store with other bytes in one place. */
const withBytes = (store: Store, place: Place, bytes: Uint8Array): Store => ({
  ...store,
  get: (object, range) => (object === place ? of(bytes) : store.get(object, range)),
  entry: n => (n === place ? of(bytes) : store.entry(n)),
})

const failureOf = (call: () => unknown): SpillwayError => {
  try {
    call()
  } catch (error) {
    if (error instanceof SpillwayError) return error
    throw error
  }
  throw new Error('it was read as if it were whole')
}

/** Compared before it is expected, which takes longer than reading a small store. */
const expectDamaged = (
  { code, place, message }: SpillwayError,
  { place: of, where, says = '' }: { readonly place: Place; readonly where: string; readonly says?: string },
): void => {
  if (code === 'DAMAGED' && place.startsWith(nameOf(of)) && message.includes(says)) return
  expect({ code, place, message }, `${where} of ${nameOf(of)}`).toEqual({
    code: 'DAMAGED',
    place: expect.stringContaining(nameOf(of)),
    message: expect.stringContaining(says),
  })
}

/** Where containers begin and end: an object has one of each task that has a piece of it. */
const containersIn = (
  kept: Kept,
  way: Way,
  place: Place,
): readonly { readonly begin: number; readonly bytes: number }[] => {
  if (typeof place === 'number') return [{ begin: 0, bytes: (kept.log.get(place) as Uint8Array).length }]
  return [...kept.log].flatMap(([n, bytes]) => {
    const entry = readEntry(n, bytes, codingOf(way))
    const tasks = entry.kind === 'commit' ? entry.parts.flatMap(part => part.tasks) : []
    return tasks.flatMap(({ pieces }) => pieces.filter(({ object }) => object === place))
  })
}

/** By the bytes of chunks: their section. */
const sectionsIn = (kept: Kept, way: Way, place: Place): readonly (string | undefined)[] => {
  const bytes = new Map<Place, Uint8Array>([...kept.objects, ...kept.log]).get(place) as Uint8Array
  const sections = new Array<string | undefined>(bytes.length).fill(undefined)
  for (const { begin, bytes: length } of containersIn(kept, way, place)) {
    const container = bytes.subarray(begin, begin + length)
    for (const [section, chunks] of readContainer(container, { object: nameOf(place), encoding: 'msgpack' })) {
      for (const { byteOffset, length } of chunks) {
        sections.fill(section, byteOffset - bytes.byteOffset, byteOffset - bytes.byteOffset + length)
      }
    }
  }
  return sections
}

describe.each(Object.entries(small))('of a checkpoint %s', (_, way) => {
  const kept = checkpointed(way)

  test('state, in-flight data and a transaction are read', async () => {
    const restored = read(storeOf(await kept), way)
    const operators = [...(restored?.tasks.values() ?? [])].flatMap(task => [...task.operators])
    const tables = operators.flatMap(([name, { tables }]) =>
      [...tables].map(([of, chunks]) => [name, of, [...chunks].flat()]),
    )
    expect(tables).toEqual([['remember', 'last', expect.objectContaining({ length: way.keys })]])
    expect(restored?.recordsInFlight).toBeGreaterThan(5)
    expect(operators.map(([, { kept: values }]) => values[ownState.transactions])).toContainEqual([
      { checkpoint: 1, tx: expect.objectContaining({ records: expect.anything() }) },
    ])
    expect((await kept).objects.size).toBe(way.inlineBytesMax === 0 ? 4 : 0)
    const isCompressed = placesOf(await kept).some(([, bytes]) => Buffer.from(bytes).includes('\x04zlib'))
    expect(isCompressed).toBe(way.compression !== undefined)
  })

  test('any byte that is another is found, naming the file, and of a chunk its section', async () => {
    const store = storeOf(await kept)
    for (const [place, bytes] of placesOf(await kept)) {
      const sections = sectionsIn(await kept, way, place)
      for (const [at, section] of sections.entries()) {
        const mask = 1 << (at % 8)
        const flipped = bytes.with(at, (bytes[at] as number) ^ mask)
        const failure = failureOf(() => read(withBytes(store, place, flipped), way))
        // What stands in the log is named as the section of a task's snapshot.
        const named = section === 'snapshots' || section === 'in flight' ? '["' : section
        const says = section === undefined ? '' : `its section ${named}`
        expectDamaged(failure, { place, where: `byte ${at}`, says })
      }
    }
  })

  test('any end that is missing is found, naming the file, and so is what is appended to an entry', async () => {
    const store = storeOf(await kept)
    for (const [place, bytes] of placesOf(await kept)) {
      // Behind the last piece of an object there may be pieces that nobody names.
      const end = typeof place === 'number' ? bytes.length + 1 : bytes.length
      for (let length = 0; length < end; length++) {
        const cut = length < bytes.length ? bytes.subarray(0, length) : Uint8Array.of(...bytes, 0)
        const failure = failureOf(() => read(withBytes(store, place, cut), way))
        expectDamaged(failure, { place, where: `${length} bytes` })
      }
    }
  })

  test('a start on it fails before anything is written', async () => {
    for (const [place, bytes] of placesOf(await kept)) {
      const at = bytes.length >> 1
      const written: unknown[] = []
      const store: Store = {
        ...withBytes(storeOf(await kept), place, bytes.with(at, ~(bytes[at] as number) & 0xff)),
        put: object => {
          written.push(object)
          return EMPTY
        },
        append: n => {
          written.push(n)
          return EMPTY
        },
      }
      await expect(run(pipeline(way), optionsOf(way, store)).done).rejects.toMatchObject({
        code: 'DAMAGED',
        place: expect.stringContaining(nameOf(place)),
      })
      expect(written).toEqual([])
    }
  })
})

test.each([
  ['an object', { inlineBytesMax: 0, keys: 45 }],
  ['the log', { keys: 45 }],
])('damage in %s names task, section and operator', async (_, way: Way) => {
  const kept = await checkpointed(way)
  const says = new Set<string>()
  const inLog = way.inlineBytesMax === undefined
  for (const [place, bytes] of inLog ? kept.log : kept.objects) {
    const sections = sectionsIn(kept, way, place)
    for (const [at, section] of sections.entries()) {
      if (section === undefined || (!inLog && sections.indexOf(section) !== at)) continue
      const flipped = bytes.with(at, (bytes[at] as number) ^ 1)
      says.add(failureOf(() => read(withBytes(storeOf(kept), place, flipped), way)).message.replace(/ Restore .*/, ''))
    }
  }
  const of = (object: string) => (inLog ? 'log entry 2' : `e000001/c000001/${object}`)
  expect([...says]).toEqual(
    expect.arrayContaining([
      `${of('1%3Aremember%2F0')}, 1:remember/0: its section ["table","remember","last"] does not match its checksum.`,
      `${of('2%3Acollect%2F0')}, 2:collect/0: its section ["kept","collect"] does not match its checksum.`,
      `${of('in-flight.1')}, 1:remember/0: of in-flight data its section ["channel",0,0] does not match its checksum.`,
    ]),
  )
})

const seed = Number(process.env.SEED ?? Date.now() % 1e9)
test(`any of many random bytes of a large checkpoint is found (SEED=${seed})`, async () => {
  const way = { keys: 20_000, compression: zlib() }
  const kept = await checkpointed(way)
  const store = storeOf(kept)
  let random = seed
  const below = (n: number) => {
    random = (Math.imul(random, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((random / 2 ** 32) * n)
  }
  const places = placesOf(kept).filter(([, bytes]) => bytes.length > 100_000)
  expect(places.length).toBeGreaterThan(0)
  for (let i = 0; i < 40; i++) {
    const [place, bytes] = places[below(places.length)] as readonly [Place, Uint8Array]
    const [at, mask] = [below(bytes.length), 1 + below(255)]
    const failure = failureOf(() => read(withBytes(store, place, bytes.with(at, (bytes[at] as number) ^ mask)), way))
    expectDamaged(failure, { place, where: `byte ${at} ^ ${mask}` })
  }
})
