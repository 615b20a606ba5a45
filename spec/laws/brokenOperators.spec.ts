import * as t from 'io-ts'
import { catchError, Observable, of } from 'rxjs'
import {
  buffer,
  keyedOperator,
  operator,
  perElement,
  Stream,
  type StreamElement,
  type Task,
  watermark,
  withRecords,
} from 'spillway'
import { map } from 'spillway/operators'
import { operatorLaws } from 'spillway/testing'
import { expect, test } from 'vitest'
import { claims, failing } from './failing.ts'
import { type Sample, samples } from './inputs.ts'

type Operator = (source: Stream<Sample>) => Stream<any>
type Elements = Observable<StreamElement<any>>

/** An operator by its elements, in each task. */
const raw =
  (build: (source: Elements, task: Task, node: { readonly name: string }) => Elements): (() => Operator) =>
  () =>
  source =>
    new Stream<any>({ name: 'broken', inputs: [source] }, (task, node) => build(source.in(task), task, node))

/** Counts records, and gives the count again at the end; `stored` says what a snapshot holds of it. */
const counting = (stored: (count: number) => number | undefined) =>
  raw((source, task, node) => {
    let count = 0
    count = task.open(node).keep('count', t.number, () => stored(count)) ?? 0
    return perElement<any, any>(source, (element, next) => {
      if (element.kind === 'end') next(buffer([count]))
      next(
        element.kind === 'buffer'
          ? withRecords(
              element,
              element.records.map(() => ++count),
            )
          : element,
      )
    })
  })

/** Gives each record twice, and is suspended in between; `stored` says what a snapshot holds of what is left. */
const doubling = (stored: (left: readonly unknown[], options: { readonly restored: boolean }) => readonly unknown[]) =>
  raw((source, task, node) => {
    let left: readonly unknown[] = []
    let restored = false
    const type = t.readonlyArray(t.unknown)
    const found = task.open(node).keep('left', type, () => stored(left, { restored }))
    restored = found !== undefined
    left = found ?? []
    return new Observable(subscriber => {
      const resume = () => {
        while (left.length > 0) {
          const [first, ...others] = left
          left = others
          subscriber.next(buffer([first]))
          if (left.length > 0 && !task.mayGoOn(1)) return task.suspend({ position: 1, resume })
        }
      }
      if (left.length > 0) task.suspend({ position: 1, resume })
      return perElement<any, any>(source, (element, next) => {
        if (element.kind !== 'buffer') return next(element)
        left = element.records.flatMap(record => [record, record])
        resume()
      }).subscribe(subscriber)
    })
  })

/** By the law that each breaks, first; and those that cannot hold without it. */
const broken: Readonly<Record<string, { readonly operator: () => Operator; readonly and?: readonly string[] }>> = {
  'an empty input gives its end, once and last': {
    operator: raw((source, task, node) => {
      let empty = true
      empty = task.open(node).keep('empty', t.boolean, () => empty) ?? true
      return perElement<any, any>(source, (element, next) => {
        if (element.kind === 'buffer') empty = false
        if (element.kind !== 'end' || !empty) next(element)
      })
    }),
  },
  'an input that gives nothing and does not end gives nothing': {
    operator: raw(
      (source, task) =>
        new Observable(subscriber => {
          subscriber.add(task.scheduler.schedule(() => subscriber.next(buffer(['tick'])), 1_000))
          return source.subscribe(subscriber)
        }),
    ),
  },
  'buffers of any cut give the same results, each with its time and note': {
    operator: raw(source =>
      perElement<any, any>(source, (element, next) =>
        next(
          element.kind === 'buffer'
            ? withRecords(
                element,
                element.records.map((_, i) => i),
              )
            : element,
        ),
      ),
    ),
  },
  'an output that is full on every other call changes nothing': {
    operator: raw((source, task) =>
      perElement<any, any>(source, (element, next) => {
        if (element.kind !== 'buffer' || task.mayGoOn(1)) next(element)
      }),
    ),
  },
  'inputs and results are not changed': {
    operator: () => {
      const seen: { n: number }[] = []
      return map(({ n }: Sample) => {
        const result = { parts: { n } }
        for (const before of seen) before.n = 0
        seen.push(result.parts)
        return result
      })
    },
    and: ['two tasks of one stream do not disturb each other'],
  },
  'watermarks never go back, and none overtakes a result': {
    operator: () =>
      operator<Sample, number>('broken', () => ({ record: ({ n }, out, { timeMs }) => out.emitAt(timeMs - 100, n) })),
  },
  'it completes when its source does': {
    operator: raw(
      source =>
        new Observable(subscriber =>
          source.subscribe({ next: element => subscriber.next(element), error: error => subscriber.error(error) }),
        ),
    ),
  },
  'an error of the source comes out once, and nothing after it': {
    operator: raw(source => source.pipe(catchError(() => of(buffer(['sorry']))))),
  },
  'unsubscribing after any output unsubscribes the source, and nothing follows': {
    operator: raw(
      source =>
        new Observable(subscriber => {
          source.subscribe({
            next: element => subscriber.next(element),
            error: error => subscriber.error(error),
            complete: () => subscriber.complete(),
          })
        }),
    ),
  },
  'two tasks of one stream do not disturb each other': {
    operator: () => source => {
      let count = 0
      return new Stream<any>({ name: 'broken', inputs: [source] }, (task, node) => {
        count = task.open(node).keep('count', t.number, () => count) ?? 0
        return perElement<any, any>(source.in(task), (element, next) =>
          next(
            element.kind === 'buffer'
              ? withRecords(
                  element,
                  element.records.map(() => ++count),
                )
              : element,
          ),
        )
      })
    },
  },
  'a barrier passes once and at its place, wherever it comes': {
    operator: raw(source =>
      perElement<any, any>(source, (element, next) => {
        if (element.kind === 'barrier') next(element)
        next(element)
      }),
    ),
  },
  'one record alone comes through restores before and behind it': {
    operator: counting(count => (count === 1 ? undefined : count)),
    and: ['a snapshot taken at any position, restored into a new instance, gives the rest'],
  },
  'a snapshot taken at any position, restored into a new instance, gives the rest': {
    operator: counting(count => (count < 2 ? count : undefined)),
  },
  'a snapshot taken while the output is full holds what is suspended and what waits': {
    operator: doubling(() => []),
    and: ['a snapshot taken again and again after restores, two results apart, gives the rest'],
  },
  'a snapshot taken again and again after restores, two results apart, gives the rest': {
    operator: doubling((left, { restored }) => (restored ? [] : left)),
  },
}

for (const [law, { operator, and = [] }] of Object.entries(broken)) {
  test(`there is an operator that breaks: ${law}`, async () => {
    expect(await failing(operatorLaws('broken', operator, samples))).toEqual([law, ...and])
  })
}

test('each law of operators is broken by one of these', () => {
  expect(Object.keys(broken).sort()).toEqual(claims(operatorLaws('any', () => map(n => n), samples)).toSorted())
})

test('what fails says law, position, expected and received', async () => {
  const laws = operatorLaws(
    'counting',
    counting(() => undefined),
    samples,
  )
  const law = laws.find(({ title }) => title.includes('at any position'))
  await expect(law?.check()).rejects.toThrow(
    'It does not hold that of counting: a snapshot taken at any position, restored into a new instance, gives the rest. ' +
      'aligned snapshot behind element 1, restored, the main output, number 4 (13 expected, 13 received): ' +
      'expected {"record":4,"timeMs":12}, received {"record":1,"timeMs":12}',
  )
})

test('an operator that keeps its count in a variable is found out by one buffer', async () => {
  const inVariable = () =>
    keyedOperator<Sample, string, number>('inVariable', () => {
      let count = 0
      return { record: (_, out) => out.emit(++count) }
    })
  const records = buffer([1, 2, 3].map(n => ({ key: 'k', n })))
  expect(await failing(operatorLaws('inVariable', inVariable, [records], { keyBy: ({ key }) => key }))).toEqual([
    'a snapshot taken at any position, restored into a new instance, gives the rest',
  ])
})

test.each([[[]], [[watermark(5)]], [[[watermark(5)], []]]])('laws without a record to try are refused: %j', inputs => {
  const laws = () => operatorLaws('map', () => map(n => n), inputs as readonly StreamElement<unknown>[])
  expect(laws).toThrow('The laws of map are given no record')
})
