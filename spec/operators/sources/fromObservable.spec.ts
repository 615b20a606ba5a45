import { Observable, of, range, Subject, throwError } from 'rxjs'
import { expect, test } from 'vitest'
import { type FromObservableOptions, fromObservable } from '../../../operators/sources/fromObservable.ts'

const opened = (onFull: FromObservableOptions['onFull'], from?: number) => {
  const pushed$ = new Subject<number>()
  const source = fromObservable(pushed$, { onFull, bufferRecordsMax: 3 })
  return { pushed$, source, reader: source.open('0/1', from) }
}

test.each([
  { onFull: 'dropOldest', left: [[3, 4, 5], [6]], dropped: 2 },
  { onFull: 'dropNewest', left: [[1, 2, 3], [6]], dropped: 2 },
] as const)('a burst of five into room for three by $onFull leaves $left, and counts what it drops', expected => {
  const { pushed$, source, reader } = opened(expected.onFull)
  expect(reader.next(10)).toBe('wait')
  for (const n of [1, 2, 3, 4, 5]) pushed$.next(n)
  const first = reader.next(10)
  pushed$.next(6)
  expect([first, reader.next(10)]).toEqual(expected.left)
  expect(source.dropped()).toBe(expected.dropped)
})

test('what is taken leaves room, in any number of rounds', () => {
  const { pushed$, source, reader } = opened('error')
  const read: unknown[] = [reader.next(1)]
  for (let n = 0; n < 20; n += 2) {
    pushed$.next(n)
    pushed$.next(n + 1)
    read.push(...reader.next(1), ...reader.next(1))
  }
  expect(read).toEqual(['wait', ...Array.from({ length: 20 }, (_, n) => n)])
  expect(source.dropped()).toBe(0)
})

test("with onFull: 'error' the record too many fails the task, and the Observable is let go", () => {
  const { pushed$, reader } = opened('error')
  reader.next(1)
  for (const n of [1, 2, 3, 4]) pushed$.next(n)
  expect(() => reader.next(1)).toThrow(expect.objectContaining({ code: 'INPUT_OVERFLOW' }))
  expect(pushed$.observed).toBe(false)
})

test('an Observable that overflows while it is subscribed to is let go too', () => {
  let closed = false
  const endless$ = new Observable<number>(subscriber => {
    for (let n = 0; n < 10; n++) subscriber.next(n)
    return () => {
      closed = true
    }
  })
  const reader = fromObservable(endless$, { onFull: 'error', bufferRecordsMax: 3 }).open('0/1', undefined)
  expect(() => reader.next(1)).toThrow(expect.objectContaining({ code: 'INPUT_OVERFLOW' }))
  expect(closed).toBe(true)
})

test('each start subscribes once, when it first reads, and closing unsubscribes', () => {
  let subscribed = 0
  const pushed$ = new Subject<number>()
  const counted$ = new Observable<number>(subscriber => {
    subscribed++
    return pushed$.subscribe(subscriber)
  })
  const source = fromObservable(counted$, { onFull: 'error', bufferRecordsMax: 3 })
  for (const start of [1, 2]) {
    const reader = source.open('0/1', undefined)
    expect(subscribed).toBe(start - 1)
    reader.next(1)
    reader.next(1)
    expect(subscribed).toBe(start)
    reader.close()
    expect(pushed$.observed).toBe(false)
  }
})

test('what waits when the Observable completes is given before the end', () => {
  const reader = fromObservable(range(1, 3), { onFull: 'error', bufferRecordsMax: 3 }).open('0/1', undefined)
  expect([reader.next(2), reader.next(2), reader.next(2)]).toEqual([[1, 2], [3], 'end'])
})

test('an error of the Observable fails the task', () => {
  const failed$ = throwError(() => new Error('boom'))
  const reader = fromObservable(failed$, { onFull: 'error', bufferRecordsMax: 3 }).open('0/1', undefined)
  expect(() => reader.next(1)).toThrow('boom')
})

test('ready$ tells that a record has come, and the position goes on from the restored one', () => {
  const { pushed$, reader } = opened('error', 7)
  let woken = 0
  expect(reader.next(1)).toBe('wait')
  reader.ready$.subscribe(() => woken++)
  pushed$.next(1)
  expect(woken).toBe(1)
  reader.next(1)
  expect(reader.position()).toBe(8)
})

test.each([
  { onFull: 'pause', bufferRecordsMax: 3 },
  { onFull: 'error', bufferRecordsMax: 0 },
  { onFull: 'error', bufferRecordsMax: 1.5 },
])('%o is refused', options => {
  expect(() => fromObservable(of(1), options as FromObservableOptions)).toThrow(
    expect.objectContaining({ code: 'INVALID_OPTION' }),
  )
})
