import * as t from 'io-ts'
import * as rx from 'rxjs'
import { type KeyedStream, keyedOperator, type Pipeline, type Stream, stream } from 'spillway'
import {
  aggregates,
  asyncMap,
  collect,
  count,
  eachRecord,
  eventTime,
  filter,
  flatMap,
  fromArray,
  into,
  keyBy,
  map,
  mean,
  scan,
  tumblingWindow,
  union,
  type WindowResult,
} from 'spillway/operators'
import { expectTypeOf, test } from 'vitest'

interface Flight {
  readonly origin: string
  readonly departureMs: number
  readonly delayMin: number
}
const flights = () => stream(fromArray<Flight>([]))

interface Count<K> {
  readonly key: K
  readonly count: number
}

const countPerKey = <T, K extends string>() =>
  keyedOperator<T, K, Count<K>>('countPerKey', ({ state }) => {
    const counted = state.value('count', t.number, 0)
    return { record: (_, out, { key }) => out.emit({ key, count: counted.update(n => n + 1) }) }
  })

test('types are inferred through six operators', () => {
  const sixth = flights().pipe(
    filter(flight => flight.delayMin > 0),
    map(flight => ({ from: flight.origin, minutes: [flight.delayMin] })),
    flatMap(({ from, minutes }) => minutes.map(m => [from, m] as const)),
    keyBy(([from]) => from),
    scan((total, [, m]) => total + m, 0),
    map(total => total.toFixed(1)),
  )
  expectTypeOf(sixth).toEqualTypeOf<Stream<string>>()
  expectTypeOf(sixth.records$).toEqualTypeOf<rx.Observable<string>>()
})

test('a window has its result and its late records typed', () => {
  const hourly = flights().pipe(
    eventTime({ timeMs: flight => flight.departureMs, outOfOrderMs: 0 }),
    keyBy(flight => flight.origin),
    tumblingWindow(
      { sizeMs: 1, late: 'side' },
      aggregates({ meanDelayMin: mean((flight: Flight) => flight.delayMin), flights: count() }),
    ),
  )
  expectTypeOf(hourly.side('late')).toEqualTypeOf<Stream<Flight>>()
  const results = hourly.pipe(map(result => result))
  expectTypeOf(results).toEqualTypeOf<Stream<WindowResult<string, { meanDelayMin: number; flights: number }>>>()
  const means = flights().pipe(
    keyBy(flight => flight.origin),
    tumblingWindow(
      { sizeMs: 1, late: 'drop' },
      mean(flight => flight.delayMin),
    ),
  )
  // @ts-expect-error a window that drops late records has no side output
  means.side('late')
})

test('a pipeline ends in a sink that takes its records', () => {
  expectTypeOf(flights().pipe(into(collect<Flight>()))).toEqualTypeOf<Pipeline>()
  // @ts-expect-error a sink of numbers takes no flights
  flights().pipe(into(collect<number>()))
})

test('a keyed operator needs keyBy directly before it', () => {
  const keyed = flights().pipe(keyBy(flight => flight.origin))
  expectTypeOf(keyed).toExtend<KeyedStream<Flight, string>>()
  expectTypeOf(keyed.pipe(countPerKey())).toEqualTypeOf<Stream<Count<string>>>()
  // @ts-expect-error Property ''keyed: put keyBy(...) directly before this operator'' is missing
  flights().pipe(countPerKey())
  const mapped = keyed.pipe(map(flight => flight))
  // @ts-expect-error the same: map gives a stream without keys
  mapped.pipe(countPerKey())
})

test('an RxJS operator does not stand between ours', () => {
  const taken = rx.take<any>(1)
  // @ts-expect-error Property ''a Spillway stream (RxJS operators go inside eachRecord(...))'' is missing
  const wrong = () => flights().pipe(taken, countPerKey())
  void wrong
})

test('a union has the records of all its streams, and no keys', () => {
  const numbers = stream(fromArray([1]))
  const origins = flights().pipe(map(flight => flight.origin))
  expectTypeOf(union(numbers, origins)).toEqualTypeOf<Stream<number | string>>()
  expectTypeOf(union(union(numbers, flights()), origins)).toEqualTypeOf<Stream<number | Flight | string>>()
  expectTypeOf(union(...[numbers, numbers])).toEqualTypeOf<Stream<number>>()
  const keyed = flights().pipe(keyBy(flight => flight.origin))
  const both = union(keyed, keyed)
  expectTypeOf(both).toEqualTypeOf<Stream<Flight>>()
  // @ts-expect-error Property ''keyed: put keyBy(...) directly before this operator'' is missing
  both.pipe(countPerKey())
  // @ts-expect-error 'union takes one stream or more'
  const none = () => union()
  // @ts-expect-error a plain Observable is no stream
  const plain = () => union(numbers, rx.of(1))
  void [none, plain]
})

test('types are inferred through the RxJS operators of eachRecord', () => {
  const sixth = flights().pipe(
    eachRecord(
      rx.filter(flight => flight.delayMin > 0),
      rx.map(flight => [flight.delayMin]),
      rx.mergeMap(minutes => minutes),
      rx.scan((total, minutes) => total + minutes, 0),
      rx.take(1),
      rx.map(total => total.toFixed(1)),
    ),
    map(text => text.length),
  )
  expectTypeOf(sixth).toEqualTypeOf<Stream<number>>()
  // @ts-expect-error the first operator takes no flights
  flights().pipe(eachRecord(rx.map((text: string) => text)))
  // @ts-expect-error without an operator it is nothing
  const none = () => eachRecord()
  void none
})

test('map takes no async function', () => {
  // @ts-expect-error 'map calls synchronous functions: use asyncMap(f, { inFlightMax, ordered })'
  flights().pipe(map(async flight => flight.origin))
})

test('a handler that returns a string has not returned an iterable of letters', () => {
  // @ts-expect-error string is not Iterable & object
  flatMap((record: Flight) => record.origin)
})

test('emitting what the operator does not declare is an error', () => {
  keyedOperator<Flight, string>('nothing', () => ({
    // @ts-expect-error the operator has no results: R = never
    record: (flight, out) => out.emit(flight),
  }))
})

test("asyncMap gives what a promise, or an Observable's first value, is", () => {
  const byPromise = flights().pipe(asyncMap(async ({ delayMin }) => `${delayMin}`, { inFlightMax: 1, ordered: true }))
  expectTypeOf(byPromise).toEqualTypeOf<Stream<string>>()
  const byObservable = flights().pipe(
    asyncMap((flight, { scheduler }) => rx.timer(flight.delayMin, scheduler), { inFlightMax: 1, ordered: false }),
  )
  expectTypeOf(byObservable).toEqualTypeOf<Stream<0>>()
  // @ts-expect-error what it gives at once is no lookup: use map
  asyncMap(({ delayMin }: Flight) => delayMin, { inFlightMax: 1, ordered: true })
  // @ts-expect-error the order has no default
  asyncMap(async (flight: Flight) => flight, { inFlightMax: 1 })
})
