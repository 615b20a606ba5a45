import * as rx from 'rxjs'
import { barrier, buffer, end, named, type Output, type Stream, type StreamElement, watermark } from 'spillway'
import { eachRecord } from 'spillway/operators'
import { inPlace } from 'spillway/testing'
import { expect, test } from 'vitest'
import { elementsOf, lane, plain } from '../lane.ts'

test('results have time, note and key group of their record; watermarks, barriers and the end pass', async () => {
  const times = Float64Array.of(10, 20, 30)
  const notes = Float64Array.of(Number.NEGATIVE_INFINITY, 25, Number.NEGATIVE_INFINITY)
  const groups = Uint16Array.of(1, 2, 3)
  const input = lane(buffer([1, 2, 3], { times, notes, groups, split: 'a' }), watermark(15), barrier(1), end)
  const out = await elementsOf(input.pipe(eachRecord(rx.concatMap(n => (n === 1 ? [] : [n, -n])))))
  expect(out.map(plain)).toEqual([
    {
      records: [2, -2, 3, -3],
      times: [20, 20, 30, 30],
      notes: [25, 25, '-Infinity', '-Infinity'],
      groups: [2, 2, 3, 3],
      split: 'a',
    },
    watermark(15),
    barrier(1),
    end,
  ])
})

const afresh: Record<string, { operator: (source: Stream<number>) => Stream<unknown>; gives: readonly unknown[] }> = {
  scan: { operator: eachRecord(rx.scan((total, n) => total + n, 0)), gives: [5, 5, 6] },
  take: { operator: eachRecord(rx.take(1)), gives: [5, 5, 6] },
  distinct: { operator: eachRecord(rx.distinct()), gives: [5, 5, 6] },
  'the index of map': {
    operator: eachRecord(rx.map((n, i) => [n, i])),
    gives: [
      [5, 0],
      [5, 0],
      [6, 0],
    ],
  },
  shareReplay: { operator: eachRecord(rx.shareReplay(1)), gives: [5, 5, 6] },
  reduce: {
    operator: eachRecord(
      rx.mergeMap(n => [n, n]),
      rx.reduce((sum, n) => sum + n, 0),
    ),
    gives: [10, 10, 12],
  },
  repeat: { operator: eachRecord(rx.repeat(2)), gives: [5, 5, 5, 5, 6, 6] },
}

for (const [name, { operator, gives }] of Object.entries(afresh)) {
  test(`${name} begins afresh for each record`, async () => {
    const [out] = await elementsOf(lane(buffer([5, 5, 6])).pipe(operator))
    expect(out).toMatchObject({ records: gives })
  })
}

test('six operators are applied in order', async () => {
  const append = (letter: string) => rx.map((text: string) => text + letter)
  const [out] = await elementsOf(
    lane(buffer(['', '-'])).pipe(
      eachRecord(append('a'), append('b'), append('c'), append('d'), append('e'), append('f')),
    ),
  )
  expect(out).toMatchObject({ records: ['abcdef', '-abcdef'] })
})

const errorOf = (of: Stream<unknown>): unknown => {
  let failure: unknown
  of.subscribe({
    error: error => {
      failure = error
    },
  })
  return failure
}

const waits = (inner: rx.Observable<unknown>) => rx.mergeMap((n: number) => (n === 2 ? inner : [n]))

const asynchronous: Record<string, rx.OperatorFunction<number, unknown>> = {
  'a delay': rx.delay(1),
  'a promise': waits(rx.from(Promise.resolve(1))),
  'an Observable that never completes': waits(rx.NEVER),
  'an Observable that emits at once and does not complete': waits(rx.concat([1], rx.NEVER)),
}

for (const [name, operator] of Object.entries(asynchronous)) {
  test(`${name} is refused, by the operator's name and the record`, () => {
    const error = errorOf(lane(buffer([2])).pipe(named('looked up', eachRecord(operator))))
    expect(error).toMatchObject({ code: 'EACH_RECORD_ASYNC', place: 'looked up' })
    expect((error as Error).message).toContain('record 2')
  })
}

test('what is refused is not left subscribed to, and gives nothing later', () => {
  const inner = new rx.Subject<number>()
  const out: unknown[] = []
  lane(buffer([2]))
    .pipe(eachRecord(waits(inner)))
    .subscribe({ next: element => out.push(element), error: () => {} })
  expect(inner.observed).toBe(false)
  inner.next(7)
  expect(out).toEqual([])
})

test('an error inside names the record, and leaves nothing subscribed to', () => {
  const other = new rx.Subject<number>()
  const failing = rx.mergeMap((n: number) =>
    n === 2
      ? rx.merge(
          other,
          rx.throwError(() => new Error('broken')),
        )
      : [n],
  )
  const error = errorOf(lane(buffer([1, 2, 3])).pipe(named('checked', eachRecord(failing))))
  expect(error).toMatchObject({ code: 'USER_FUNCTION_FAILED', place: 'checked', cause: new Error('broken') })
  expect((error as Error).message).toContain('record 2')
  expect(other.observed).toBe(false)
})

test('an operator that throws where it is applied names the record', () => {
  const broken = () => {
    throw new Error('no operator')
  }
  const error = errorOf(lane(buffer([1])).pipe(eachRecord(broken)))
  expect(error).toMatchObject({ code: 'USER_FUNCTION_FAILED', place: 'eachRecord', cause: new Error('no operator') })
})

test('a full output suspends it between two results, and a restore goes on with the next', () => {
  const triple = (...elements: readonly StreamElement<number>[]) =>
    lane(...elements).pipe(eachRecord(rx.mergeMap(n => [n, 10 * n, 100 * n])))
  const upTo = (results: number, of: Stream<number>, restored?: ReturnType<ReturnType<typeof inPlace>['snapshot']>) => {
    let room = results
    const free$ = new rx.Subject<void>()
    const output: Output = { mayGoOn: () => --room > 0, free$ }
    const task = inPlace({ output, ...(restored === undefined ? {} : { restored }) })
    const records: number[] = []
    of.in(task).subscribe(element => {
      if (element.kind === 'buffer') records.push(...element.records)
    })
    if (restored !== undefined) free$.next()
    return { records, task }
  }
  const whole = [1, 10, 100, 2, 20, 200]
  for (let delivered = 1; delivered < whole.length; delivered++) {
    const before = upTo(delivered, triple(buffer([1, 2])))
    expect(before.records).toEqual(whole.slice(0, delivered))
    const after = upTo(Number.POSITIVE_INFINITY, triple(), before.task.snapshot())
    expect([...before.records, ...after.records]).toEqual(whole)
  }
})
