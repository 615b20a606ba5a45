import * as t from 'io-ts'
import { filter, firstValueFrom, lastValueFrom } from 'rxjs'
import { keyedOperator, memoryStore, named, operator, type RunOptions, type Source, stream, versioned } from 'spillway'
import { fromArray, into, keyBy } from 'spillway/operators'
import { expect, test } from 'vitest'
import { run } from '../run.ts'
import { slowCollect } from './restored.ts'

const numbers = Array.from({ length: 600 }, (_, n) => n)
const source = fromArray(numbers)

const second = t.type({ total: t.number, history: t.string })
const third = t.type({ total: t.number, steps: t.array(t.number) })
const toSecond = { codec: t.number, migrate: (total: number) => ({ total, history: '' }) }
const toThird = {
  codec: second,
  migrate: ({ total, history }: t.TypeOf<typeof second>) => ({ total, steps: history === '' ? [] : [1] }),
}

/** The program as it was, and as it has become: totals of the key, and the number of records of the task. */
const secondPosition = versioned({
  version: 2,
  codec: t.type({ at: t.number }),
  migrations: { 1: { codec: source.position, migrate: (at: number) => ({ at }) } },
})
const secondSeen = versioned({
  version: 2,
  codec: t.number,
  migrations: { 1: { codec: t.number, migrate: (n: number) => n } },
})

const versions = {
  1: {
    position: source.position,
    total: (name: string) =>
      keyedOperator<number, number, number>(name, ({ state }) => {
        const total = state.value('total', t.number, 0)
        return { record: (_, out) => out.emit(total.update(n => n + 1)) }
      }),
    seen: t.number,
  },
  2: {
    position: secondPosition,
    total: (name: string) =>
      keyedOperator<number, number, number>(name, ({ state }) => {
        const codec = versioned({ version: 2, codec: second, migrations: { 1: toSecond } })
        const total = state.value('total', codec, { total: 0, history: '' })
        return { record: (_, out) => out.emit(total.update(of => ({ ...of, total: of.total + 1 })).total) }
      }),
    seen: secondSeen,
  },
  3: {
    position: secondPosition,
    total: (name: string) =>
      keyedOperator<number, number, number>(name, ({ state }) => {
        const codec = versioned({ version: 3, codec: third, migrations: { 1: toSecond, 2: toThird } })
        const total = state.value('total', codec, { total: 0, steps: [] })
        return { record: (_, out) => out.emit(total.update(of => ({ ...of, total: of.total + 1 })).total) }
      }),
    seen: secondSeen,
  },
} as const
type Version = keyof typeof versions

/** fromArray, with positions as the version has them. */
const sourceOf = (version: Version): Source<number, any> =>
  version === 1
    ? source
    : {
        ...source,
        position: versions[version].position,
        open: (split, from) => {
          const reader = source.open(split, from?.at)
          return { ...reader, next: n => reader.next(n), position: () => ({ at: reader.position() }) }
        },
      }

/** `seen` is state of a whole task, which no other parallelism takes over. */
const pipelineOf = (version: Version, records: number[], { counts }: { readonly counts: boolean }) => {
  const { total, seen } = versions[version]
  const count = operator<number, number>('seen', ({ state }) => {
    const value = state.value<number>('seen', seen as t.Type<number, any>, 0)
    return {
      record: (n, out) => {
        value.update(of => of + 1)
        out.emit(n)
      },
    }
  })
  return stream(sourceOf(version), { parallelism: 1 }).pipe(
    counts ? count : records$ => records$,
    keyBy(n => n % 7),
    total('total'),
    named('out', into(slowCollect(records, { macrotasks: 1 }))),
  )
}

const options = { checks: true, channels: { bufferRecordsMax: 4, buffersMax: 2 } }

/** Takes a checkpoint and stops, unless it is the last. */
const ran = async (version: Version, records: number[], more: RunOptions & { last?: true; counts: boolean }) => {
  const { last, counts, ...rest } = more
  const job = run(pipelineOf(version, records, { counts }), { ...options, ...rest })
  if (last) return job.done
  await firstValueFrom(job.status$.pipe(filter(({ kind }) => kind === 'running')))
  await job.triggerCheckpoint()
  await job.cancel()
}

test.each([
  ['at the same parallelism', [2, 2, 2, 2], true],
  ['at another one', [2, 3, 1, 2], false],
] as const)(
  'what one program has stored the next goes on from, and the one after it: %s',
  async (_, parallelism, counts) => {
    const store = memoryStore()
    const records: number[] = []
    await ran(1, records, { store, counts, parallelism: parallelism[0] })
    await ran(2, records, { store, counts, parallelism: parallelism[1] })
    // Some keys have been written anew since, all are stored in the version of the program.
    await ran(3, records, { store, counts, parallelism: parallelism[2] })
    await ran(3, records, { store, counts, parallelism: parallelism[3], last: true })
    const expected = numbers.map(n => Math.floor(n / 7) + 1)
    expect(records.toSorted((a, b) => a - b)).toEqual(expected.toSorted((a, b) => a - b))
  },
)

test('an older program does not begin with what a later one has stored, and writes nothing', async () => {
  const store = memoryStore()
  await ran(2, [], { store, counts: true })
  const before = await lastValueFrom(store.entries())
  await expect(ran(1, [], { store, counts: true, last: true })).rejects.toMatchObject({
    code: 'STATE_VERSION_UNKNOWN',
    message: expect.stringContaining('it is stored in version 2, and the codec knows 1.'),
  })
  expect(await lastValueFrom(store.entries())).toEqual(before)
})
