import * as rx from 'rxjs'
import { type AtMostOnce, keyedOperator, named, type Pipeline, run, type Stream, stream } from 'spillway'
import {
  asyncMap,
  collect,
  eventTime,
  fromArray,
  fromAsyncIterable,
  fromEmitter,
  fromObservable,
  into,
  keyBy,
  map,
  mean,
  rebalance,
  tumblingWindow,
  union,
} from 'spillway/operators'
import { expectTypeOf, test } from 'vitest'

const pushed = () => stream(fromObservable(rx.of(1, 2), { name: 'ticks', onFull: 'error', bufferRecordsMax: 2 }))
const exact = () => stream(fromArray([1, 2]))
const lossy = () => pushed().pipe(into(collect<number>()))

test('streams of what is pushed, listened to or pulled are at most once, those of what can be read again are not', () => {
  const emitter = new EventTarget()
  const listened = stream(fromEmitter<Event>(emitter, { event: 'tick', onFull: 'dropOldest', bufferRecordsMax: 2 }))
  const pulled = stream(fromAsyncIterable(async function* () {}, { bufferRecordsMax: 2 }))
  expectTypeOf(pushed()).toEqualTypeOf<Stream<number> & AtMostOnce>()
  expectTypeOf(listened).toExtend<AtMostOnce>()
  expectTypeOf(pulled).toExtend<AtMostOnce>()
  expectTypeOf(exact()).not.toExtend<AtMostOnce>()
})

test('what a source gives at most once stays so through operators, names, side outputs and functions of operators', () => {
  const perHour = (numbers: Stream<number>) =>
    numbers.pipe(
      eventTime({ timeMs: n => n, outOfOrderMs: 0 }),
      keyBy(n => n),
      tumblingWindow(
        { sizeMs: 3_600_000, late: 'side' },
        mean((n: number) => n),
      ),
    )
  const hourly = pushed().pipe(
    map(n => n + 1),
    asyncMap(async n => n, { inFlightMax: 2, ordered: true }),
    named('hours', perHour),
  )
  expectTypeOf(hourly).toExtend<AtMostOnce>()
  expectTypeOf(hourly.side('late')).toEqualTypeOf<Stream<number> & AtMostOnce>()
  expectTypeOf(hourly.pipe(rebalance(), into(collect()))).toEqualTypeOf<Pipeline & AtMostOnce>()
  expectTypeOf(exact().pipe(perHour)).not.toExtend<AtMostOnce>()
})

test('keys are inferred of a stream that is at most once as of any other', () => {
  const keys = pushed().pipe(
    keyBy(n => `${n}`),
    keyedOperator<number, string, string>('keys', () => ({ record: (_, out, { key }) => out.emit(key) })),
  )
  expectTypeOf(keys).toEqualTypeOf<Stream<string> & AtMostOnce>()
})

test('what is joined is not at most once to the compiler, only to run', () => {
  expectTypeOf(union(pushed(), exact())).toEqualTypeOf<Stream<number>>()
})

test('to run a pipeline that is at most once without accepting loss is a type error', () => {
  const wrong = () => {
    // @ts-expect-error 'at most once: name its source by run(..., { acceptLoss: ['...'] })'
    run(lossy())
    // @ts-expect-error also with other options
    run(lossy(), { checks: true })
    // @ts-expect-error also among others
    run([exact().pipe(into(collect<number>())), lossy()])
  }
  const right = () => {
    run(lossy(), { acceptLoss: ['ticks'] })
    run([exact().pipe(into(collect<number>())), lossy()], { acceptLoss: ['ticks'] })
    run(exact().pipe(into(collect<number>())))
    run([exact().pipe(into(collect<number>()))], { checks: true })
  }
  void [wrong, right]
})
