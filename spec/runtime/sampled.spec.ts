import * as t from 'io-ts'
import { keyedOperator, keyedWithBroadcast, operator, type Pipeline, type Sink, stream } from 'spillway'
import { broadcast, collect, fromArray, into, keyBy, map, rebalance, scan } from 'spillway/operators'
import { describe, expect, test } from 'vitest'
import { run } from '../run.ts'

/** Jobs that take no checkpoint before their end: what could not be part of one is refused as it comes. */
const count = 40_000
const numbers = (name = 'numbers') => stream({ ...fromArray(Array.from({ length: count }, (_, n) => n)), name })

class Money {
  readonly cents = 1
}

const lone = 'a\ud800'

/** Records with something else in them from number `first` on. */
const from =
  (first: number, good: unknown, bad: unknown) =>
  (n: number): unknown => ({ n, of: n >= first ? bad : good })

const crossing = (record: (n: number) => unknown) => numbers().pipe(map(record), rebalance(), into(collect<unknown>()))

const keyed = (value: (n: number) => unknown, codec: t.Type<any> = t.unknown as t.Type<any>) =>
  numbers().pipe(
    keyBy(n => n % 10),
    keyedOperator<number, number, number>('remember', ({ state }) => {
      const last = state.value<any>('last', codec, undefined)
      return { record: n => last.set(value(n)) }
    }),
    into(collect<number>()),
  )

const ofTask = (value: (n: number) => unknown) =>
  numbers().pipe(
    operator<number, number>('remember', ({ state }) => {
      const last = state.value<any>('last', t.unknown as t.Type<any>, undefined)
      return { record: n => last.set(value(n)) }
    }),
    into(collect<number>()),
  )

const cases: Record<string, { pipeline: () => Pipeline; place: string; says: string }> = {
  'a record of an edge': {
    pipeline: () => crossing(n => ({ n, of: [new Money()] })),
    place: 'record of map at .of[0]',
    says: 'an instance of Money',
  },
  'a record of an edge, later': {
    pipeline: () => crossing(from(count / 2, 'fine', () => 1)),
    place: 'record of map at .of',
    says: 'a function',
  },
  'a record of an edge that would come back as another': {
    pipeline: () => crossing(from(100, 'fine', lone)),
    place: 'record of map at .of',
    says: 'found "a\\ud800", which would come back as "a',
  },
  'a value of a key': {
    pipeline: () => keyed(() => ({ price: new Money() })),
    place: 'remember, state last at .price',
    says: 'an instance of Money',
  },
  'a value of a key, later': {
    pipeline: () => keyed(n => new Map([['price', n < count / 2 ? n : Symbol('n')]])),
    place: 'remember, state last at .get("price")',
    says: 'a symbol',
  },
  'a value of a key that would come back as another': {
    pipeline: () => keyed(n => new Set([n, lone])),
    place: 'remember, state last at [member 1]',
    says: 'would come back as',
  },
  'a value of a key that its codec does not read': {
    pipeline: () => keyed(n => ({ n: n < 1_000 ? n : undefined }), t.type({ n: t.number })),
    place: 'remember, state last',
    says: 'n: expected number, found nothing',
  },
  'a value of the whole task': {
    pipeline: () => ofTask(n => [n < 1_000 ? 1 : new Money()]),
    place: 'remember, state last at [0]',
    says: 'an instance of Money',
  },
  'an element of a list of the task': {
    pipeline: () =>
      numbers().pipe(
        operator<number, number>('remember', ({ state }) => {
          const all = state.list<unknown>('all', t.unknown)
          return { record: () => all.add(new Money()) }
        }),
        into(collect<number>()),
      ),
    place: 'remember, state all',
    says: 'an instance of Money',
  },
  "a scan's accumulator": {
    pipeline: () =>
      numbers().pipe(
        keyBy(() => 'all'),
        scan(
          (_: unknown, n: number): unknown =>
            () =>
              n,
          0,
        ),
        into(collect<unknown>()),
      ),
    place: 'scan, state accumulator',
    says: 'a function',
  },
  'broadcast state': {
    pipeline: () =>
      keyedWithBroadcast<number, number, number, number>(
        'rules',
        numbers().pipe(keyBy(n => n)),
        numbers('rules source').pipe(broadcast()),
        ({ broadcastState }) => {
          const rule = broadcastState.value<unknown>('rule', t.unknown, undefined)
          return { record: () => {}, broadcast: n => rule.set({ n, of: new Money() }) }
        },
        { effect: 'broadcastState' },
      ).pipe(into(collect<number>())),
    place: 'rules, state rule at .of',
    says: 'an instance of Money',
  },
  "a source's position": {
    pipeline: () => {
      const source = fromArray([1, 2, 3])
      const open: typeof source.open = (split, position) => ({
        ...source.open(split, position),
        position: () => new Money() as never,
      })
      return stream({ ...source, position: t.unknown as never, open }).pipe(into(collect<number>()))
    },
    place: 'fromArray, state position',
    says: 'an instance of Money',
  },
  "a sink's transaction": {
    pipeline: () => {
      const sink: Sink<number> = collect<number>()
      const opened: typeof sink.open = task => {
        const writer = sink.open(task)
        return { ...writer, cut: n => ({ ...(writer.cut(n) as object), tx: () => n }) as never }
      }
      return numbers().pipe(into({ ...sink, transaction: t.unknown as never, open: opened }))
    },
    place: 'collect, state (transactions)',
    says: 'the function tx',
  },
}

describe.each([{ checks: false }, { checks: true }])('%j', ({ checks }) => {
  test.each(Object.entries(cases))('%s is NOT_ENCODABLE, naming operator and path', async (_, { pipeline, ...of }) => {
    const failure = run(pipeline(), { checks, channels: { bufferRecordsMax: 64 } }).done
    await expect(failure).rejects.toMatchObject({ code: 'NOT_ENCODABLE', place: of.place })
    await expect(failure).rejects.toThrow(of.says)
  })
})

test('what comes back as it was passes', async () => {
  const values = [-0, Number.NaN, 1n << 70n, undefined, null, new Date(5), [new Map([[1, new Set(['a'])]])], /a/g]
  const more = [new Float64Array([Number.NaN, -0]), new ArrayBuffer(3), Object.create(null), new Array(2)]
  const all = [...values, ...more, Object.freeze({ a: Object.freeze([1]) })]
  const sink = collect<unknown>()
  await run(
    numbers().pipe(
      map(n => ({ n, of: all[n % all.length] })),
      keyBy(({ n }) => n % 100),
      scan((_: unknown, record: unknown): unknown => record, undefined),
      into(sink),
    ),
  ).done
  expect(sink.records).toHaveLength(count)
})
