import * as rx from 'rxjs'
import { buffer, type Stream, stream, watermark } from 'spillway'
import { asyncMap, collect, flatMap, fromArray, into } from 'spillway/operators'
import { harness } from 'spillway/testing'
import { expect, test } from 'vitest'
import { run } from '../run.ts'

/** Each number comes back after as many ms as it is. */
const later =
  (options: { readonly ordered: boolean; readonly inFlightMax?: number }, called: number[] = []) =>
  (source: Stream<number>): Stream<number> =>
    source.pipe(
      asyncMap(
        (n, { scheduler }) => {
          called.push(n)
          return rx.timer(n, scheduler).pipe(rx.map(() => 10 * n))
        },
        { inFlightMax: 10, ...options },
      ),
    )

test('ordered results keep the order of the records', () => {
  const h = harness(later({ ordered: true }))
  h.send(buffer([3, 5, 1]))
  h.advance(2)
  expect(h.take()).toEqual([])
  h.advance(1)
  expect(h.take()).toEqual([30])
  h.advance(2)
  expect(h.take()).toEqual([50, 10])
})

test('unordered results come as they do, but none passes a watermark, and no watermark a result', () => {
  const h = harness(later({ ordered: false }))
  h.send(buffer([3, 1]), watermark(5), buffer([2]))
  h.end()
  h.advance(2)
  expect(h.take()).toEqual([10])
  h.advance(1)
  expect(h.elements.map(element => (element.kind === 'buffer' ? element.records : element.kind))).toEqual([
    [10],
    [30],
    'watermark',
    [20],
    'end',
  ])
})

test('no more calls than inFlightMax are under way, and no more data is taken', () => {
  const called: number[] = []
  const h = harness(later({ ordered: true, inFlightMax: 2 }, called))
  for (const n of [5, 6, 7, 8]) h.push(n)
  expect(called).toEqual([5, 6])
  h.advance(5)
  expect(called).toEqual([5, 6, 7])
  h.advance(20)
  expect(h.take()).toEqual([50, 60, 70, 80])
})

test('an operator before a full one is suspended between two results', () => {
  const called: number[] = []
  const h = harness((source: Stream<number>) =>
    source.pipe(
      flatMap(n => [n, n, n]),
      later({ ordered: true, inFlightMax: 1 }, called),
    ),
  )
  h.push(4)
  for (let i = 0; i < 3; i++) h.advance(4)
  expect(called).toEqual([4, 4, 4])
  expect(h.output).toEqual([40, 40, 40])
})

test.each(['aligned', 'unaligned'] as const)(
  'an %s snapshot holds what is under way: it is called again, before anything new',
  alignment => {
    for (const ordered of [true, false]) {
      const h = harness(later({ ordered, inFlightMax: 4 }))
      h.send(buffer([9, 1, 4]), watermark(3))
      h.advance(1)
      h.barrier(1, { alignment })
      const before = h.take()
      const called: number[] = []
      const again = harness(later({ ordered, inFlightMax: 4 }, called), { restored: h.snapshot() })
      again.push(2)
      again.end()
      again.advance(50)
      expect([...before, ...again.take()].sort((a, b) => a - b)).toEqual([10, 20, 40, 90])
      expect(called).toEqual(ordered ? [9, 1, 4, 2] : [9, 4, 2])
      expect(again.ended).toBe(true)
    }
  },
)

test('what fails names operator and record: a throw, a failure, no result, and one that takes too long', () => {
  const failing = (f: (n: number) => rx.ObservableInput<number>) => () => {
    const h = harness((source: Stream<number>) =>
      source.pipe(asyncMap(f, { inFlightMax: 1, ordered: true, timeoutMs: 5 })),
    )
    h.push(7)
    h.advance(10)
  }
  const thrown = failing(() => {
    throw new Error('broken')
  })
  expect(thrown).toThrow('asyncMap: its function threw "broken" on record 7')
  expect(failing(() => rx.throwError(() => new Error('refused')))).toThrow('"refused" on record 7')
  expect(failing(() => rx.EMPTY)).toThrow('"it completed without a result" on record 7')
  expect(failing(() => rx.NEVER)).toThrow('"Timeout has occurred" on record 7')
})

test('in a job and in place, promises give their results', async () => {
  const numbers = Array.from({ length: 1000 }, (_, n) => n)
  const doubled = () => stream(fromArray(numbers)).pipe(asyncMap(async n => 2 * n, { inFlightMax: 8, ordered: true }))
  const expected = numbers.map(n => 2 * n)
  expect(await rx.lastValueFrom(doubled().records$.pipe(rx.toArray()))).toEqual(expected)
  const into$ = collect<number>()
  await run(doubled().pipe(into(into$))).done
  expect(into$.records).toEqual(expected)
})

test('inFlightMax of none is refused', () => {
  expect(() => asyncMap(rx.of, { inFlightMax: 0, ordered: true })).toThrow('INVALID_OPTION')
})
