import * as t from 'io-ts'
import {
  barrier,
  buffer,
  end,
  type KeyedContext,
  keyedOperator,
  type OperatorContext,
  operator,
  type Stream,
  type StreamElement,
  type ValueState,
  watermark,
} from 'spillway'
import { keyBy } from 'spillway/operators'
import { harness } from 'spillway/testing'
import { expect, test } from 'vitest'
import { elementsOf, lane, plain } from '../lane.ts'

test('a record without a time has none, whatever came before it', async () => {
  const seen: unknown[] = []
  const times = operator<number>('times', () => ({ record: (_, _out, { timeMs }) => void seen.push(timeMs) }), {})
  const timed = buffer([1], { times: Float64Array.of(10) })
  await elementsOf(lane(timed, buffer([2]), timed).pipe(times))
  expect(seen).toEqual([10, Number.NEGATIVE_INFINITY, 10])
})

test('a record without a time has none behind a timer that has fired', async () => {
  const timed = keyedOperator<number, number, string>('timed', ({ timers }) => ({
    record(n, out, { timeMs }) {
      timers.at(n)
      out.emit(`record at ${timeMs}`)
    },
    timer: (timeMs, out) => out.emit(`timer at ${timeMs}`),
  }))
  const out = await elementsOf(
    lane<number>(buffer([5]), watermark(7), buffer([9])).pipe(
      keyBy(n => n),
      timed,
    ),
  )
  const records = out.flatMap(element => (element.kind === 'buffer' ? element.records : []))
  expect(records).toEqual(['record at -Infinity', 'timer at 5', 'record at -Infinity'])
})

test('a result may get a time where its record has none; those behind it in the buffer have none', async () => {
  const retimed = operator<number, number>('retimed', () => ({
    record: (n, out) => (n === 2 ? out.emitAt(50, n) : out.emit(n)),
  }))
  const elements: StreamElement<number>[] = [
    buffer([0], { times: Float64Array.of(10) }),
    buffer([1, 2, 3]),
    barrier(1),
    end,
  ]
  const out = await elementsOf(lane(...elements).pipe(retimed))
  expect(out.map(plain)).toEqual([
    { records: [0], times: [10] },
    { records: [1] },
    { records: [2, 3], times: [50, '-Infinity'] },
    barrier(1),
    end,
  ])
})

test('results of the end have no time but that which they are given', async () => {
  const closing = operator<number, number>('closing', () => ({
    record: () => {},
    end(out) {
      out.emitAt(50, 1)
      out.emit(2)
    },
  }))
  const out = await elementsOf(lane<number>(buffer([0], { times: Float64Array.of(10) }), end).pipe(closing))
  expect(out.map(plain)).toEqual([{ records: [1, 2], times: [50, '-Infinity'] }, end])
})

test('side records before and behind a result with a time of its own both arrive', async () => {
  const parted = operator<number, number, { other: number }>(
    'parted',
    () => ({ record: (n, out) => (n === 2 ? out.emitAt(50, n) : out.side('other', n)) }),
    { sides: ['other'] },
  )
  const out = await elementsOf(
    lane(buffer([1, 2, 3]))
      .pipe(parted)
      .side('other'),
  )
  expect(out.map(plain)).toEqual([{ records: [1] }, { records: [3], times: ['-Infinity'] }])
})

const keyed = (open: Parameters<typeof keyedOperator<number, number, number>>[1]) => () =>
  harness(keyedOperator<number, number, number>('own', open), { keyBy: n => n % 2 })

const outOfReach: Readonly<Record<string, () => unknown>> = {
  'beside the handlers': keyed(({ state }) => {
    state.value('count', t.number, 0).set(1)
    return { record() {} }
  }),
  'in watermark': () => {
    const h = keyed(({ state }) => {
      const count = state.value('count', t.number, 0)
      return { record: n => count.set(n), watermark: (_, out) => out.emit(count.get()) }
    })()
    h.push(1)
    h.watermark(5)
  },
  'in end': () => {
    const h = keyed(({ state }) => {
      const count = state.value('count', t.number, 0)
      return { record: n => count.set(n), end: () => count.set(9) }
    })()
    h.push(1)
    h.end()
  },
  'by a timer in end': () => keyed(({ timers }) => ({ record() {}, end: () => timers.at(9) }))().end(),
}

test.each(Object.entries(outOfReach))('keyed state is out of reach %s', (_, reach) => {
  expect(reach).toThrow(/own: (state count|a timer) is of a key.*NO_KEY/)
})

test('in watermark and end, state of the task is within reach', () => {
  const h = harness(
    operator<number, number>('own', ({ state }) => {
      const count = state.value('count', t.number, 0)
      return {
        record: n => void count.update(before => before + n),
        watermark: (_, out) => out.emit(count.get()),
        end: out => out.emit(-count.get()),
      }
    }),
  )
  h.push(2)
  h.watermark(5)
  h.end()
  expect(h.output).toEqual([2, -2])
})

test('a keyed operator refuses records without keys', () => {
  const h = harness(
    keyedOperator<number, number>('own', () => ({ record() {} })) as (of: Stream<number>) => Stream<never>,
  )
  expect(() => h.push(1)).toThrow(/its records have no keys.*NO_KEY/)
})

test('a timer at the time of a record that has none is refused', () => {
  const h = keyed(({ timers }) => ({ record: (_, __, { timeMs }) => timers.at(timeMs + 10) }))()
  h.push(1, { timeMs: 5 })
  expect(h.timers(1)).toEqual([15])
  expect(() => h.push(1)).toThrow('NO_EVENT_TIME')
})

test('a state is declared once, and before the handlers', () => {
  const twice = keyed(({ state }) => {
    state.value('count', t.number, 0)
    state.value('count', t.number, 0)
    return { record() {} }
  })
  expect(twice).toThrow(/state count twice.*DUPLICATE_NAME/)
  const inHandler = keyed(({ state }) => ({ record: n => state.value('count', t.number, 0).set(n) }))()
  inHandler.push(1)
  expect(() => inHandler.push(2)).toThrow(/state count twice.*not in a handler.*DUPLICATE_NAME/)
})

test('a handler that returns a promise is refused', () => {
  const waits = async () => {}
  const h = harness(operator<number>('own', () => ({ record: waits as unknown as () => void })))
  expect(() => h.push(1)).toThrow('it gave [object Promise], not an iterable')
})

const changing: Readonly<Record<string, (count: ValueState<number[]>, n: number) => unknown>> = {
  'the initial value': (count, n) => count.get().push(n),
  'a value that it has set': (count, n) => {
    const value = [n]
    count.set(value)
    value.push(n)
  },
  'a value in update': (count, n) =>
    count.update(value => {
      value.push(n)
      return value
    }),
}

test.each(Object.entries(changing))(
  'where checks are on, a handler that changes %s of its state throws there',
  (_, change) => {
    const open = ({ state }: OperatorContext | KeyedContext) => {
      const count = state.value<number[]>('count', t.array(t.number), [])
      return { record: (n: number) => void change(count, n) }
    }
    for (const h of [harness(operator<number>('own', open)), keyed(open)()])
      expect(() => h.push(1)).toThrow('not extensible')
  },
)
