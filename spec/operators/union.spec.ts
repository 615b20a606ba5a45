import { Observable, of, Subject } from 'rxjs'
import {
  active,
  barrier,
  buffer,
  cancel,
  end,
  idle,
  operator,
  Stream,
  type StreamElement,
  side,
  splits,
  stream,
  watermark,
} from 'spillway'
import { filter, fromArray, map, union } from 'spillway/operators'
import { inPlace } from 'spillway/testing'
import { expect, test } from 'vitest'
import { elementsOf, lane, plain } from '../lane.ts'

type Input = 'a' | 'b' | 'c'
type Sent = readonly [from: Input, element: StreamElement<string>]

/** Three streams that emit what they are told to, when they are told to. */
const threeInputs = () => {
  const subjects = {
    a: new Subject<StreamElement<string>>(),
    b: new Subject<StreamElement<string>>(),
    c: new Subject<StreamElement<string>>(),
  }
  const input = (name: Input) => new Stream<string>({ name, inputs: [] }, () => subjects[name])
  return { subjects, a: input('a'), b: input('b'), c: input('c') }
}

const given = (...records: readonly string[]) => buffer(records)
const times = Float64Array.of(10, 20)
const notes = Float64Array.of(Number.NEGATIVE_INFINITY, 25)
const groups = Uint16Array.of(7, 8)

const cases: Record<string, { sent: readonly Sent[]; gives: readonly StreamElement<string>[] }> = {
  'records come as they come': {
    sent: [
      ['b', given('x', 'y')],
      ['a', given('z')],
      ['c', given('u')],
      ['b', given('v')],
    ],
    gives: [given('x', 'y'), given('z'), given('u'), given('v')],
  },
  'times, notes and key groups stay, and keys and the split do not': {
    sent: [
      ['a', buffer(['x', 'y'], { times, notes, groups, keys: ['k', 'l'], split: 's' })],
      ['b', given('z')],
    ],
    gives: [buffer(['x', 'y'], { times, notes, groups }), given('z')],
  },
  'the watermark is the smallest': {
    sent: [
      ['a', watermark(10)],
      ['b', watermark(30)],
      ['c', watermark(20)],
      ['a', watermark(40)],
      ['c', watermark(25)],
    ],
    gives: [watermark(10), watermark(20), watermark(25)],
  },
  'an input that is idle does not count until it is active': {
    sent: [
      ['a', watermark(10)],
      ['b', watermark(20)],
      ['c', idle],
      ['a', watermark(15)],
      ['c', active],
      ['a', watermark(18)],
      ['c', watermark(30)],
    ],
    gives: [watermark(10), watermark(15), watermark(18)],
  },
  'it is idle while all inputs are': {
    sent: [
      ['a', idle],
      ['b', idle],
      ['c', idle],
      ['b', given('x')],
    ],
    gives: [idle, active, given('x')],
  },
  'an input that has ended holds no watermark back': {
    sent: [
      ['a', watermark(10)],
      ['b', watermark(20)],
      ['c', end],
    ],
    gives: [watermark(10)],
  },
  'a barrier waits for those of all inputs, and what is behind it waits with it': {
    sent: [
      ['a', barrier(1)],
      ['a', given('behind')],
      ['a', watermark(10)],
      ['b', given('before')],
      ['b', barrier(1)],
      ['b', given('behind too')],
      ['c', barrier(1)],
    ],
    gives: [given('before'), barrier(1), given('behind'), given('behind too')],
  },
  'an unaligned barrier is aligned': {
    sent: [
      ['a', barrier(1, { alignment: 'unaligned' })],
      ['a', given('behind')],
      ['b', given('before')],
      ['b', barrier(1, { alignment: 'unaligned' })],
      ['c', barrier(1, { alignment: 'unaligned' })],
    ],
    gives: [given('before'), barrier(1), given('behind')],
  },
  'an input that has ended counts as having sent the barrier': {
    sent: [
      ['a', end],
      ['b', barrier(1)],
      ['b', given('behind')],
      ['c', barrier(1)],
    ],
    gives: [barrier(1), given('behind')],
  },
  'a checkpoint that is given up releases what waits behind its barrier': {
    sent: [
      ['a', barrier(1)],
      ['a', given('behind')],
      ['b', cancel(1)],
      ['c', barrier(1)],
    ],
    gives: [cancel(1), given('behind')],
  },
  'it ends once, after the last input': {
    sent: [
      ['a', given('x')],
      ['a', end],
      ['c', end],
      ['b', given('y')],
      ['b', end],
    ],
    gives: [given('x'), given('y'), end],
  },
  'side records and splits stay before it': {
    sent: [
      ['a', splits(['s'])],
      ['a', side('late', given('x'))],
      ['a', given('y')],
    ],
    gives: [given('y')],
  },
}

for (const [title, { sent, gives }] of Object.entries(cases)) {
  test(title, () => {
    const { subjects, a, b, c } = threeInputs()
    const out: StreamElement<string>[] = []
    union(a, b, c).subscribe(element => out.push(element))
    for (const [from, element] of sent) subjects[from].next(element)
    expect(out.map(plain)).toEqual(gives.map(plain))
  })
}

test('in place it completes once all inputs have, and fails with the first that does', () => {
  const happened: string[] = []
  const heard = { complete: () => happened.push('completed'), error: (error: unknown) => happened.push(`${error}`) }
  const completing = threeInputs()
  union(completing.a, completing.b).subscribe(heard)
  completing.subjects.a.complete()
  expect(happened).toEqual([])
  completing.subjects.b.complete()
  const failing = threeInputs()
  union(failing.a, failing.b).subscribe(heard)
  failing.subjects.b.error('broken')
  expect(happened).toEqual(['completed', 'broken'])
  expect(failing.subjects.a.observed).toBe(false)
})

test('what an element leads to on another input comes behind it, in order', () => {
  const { subjects, a, b } = threeInputs()
  const out: unknown[] = []
  union(a, b).records$.subscribe(record => {
    out.push(record)
    if (record === 'x') {
      subjects.b.next(given('led to'))
      subjects.b.complete()
      subjects.a.complete()
    }
  })
  subjects.a.next(given('x', 'y'))
  expect(out).toEqual(['x', 'y', 'led to'])
})

test('unsubscribing leaves no input subscribed to', () => {
  const { subjects, a, b } = threeInputs()
  const subscription = union(a, b).subscribe()
  expect([subjects.a.observed, subjects.b.observed]).toEqual([true, true])
  subscription.unsubscribe()
  expect([subjects.a.observed, subjects.b.observed]).toEqual([false, false])
})

/** Emits at once, and counts how often it is asked to. */
const counted = (records: readonly number[]) => {
  let runs = 0
  const source = new Stream<number>({ name: 'counted', inputs: [] }, () => {
    const elements = [...records.map(record => buffer([record])), end]
    return new Observable(subscriber => {
      runs++
      for (const element of elements) subscriber.next(element)
      subscriber.complete()
    })
  })
  return { source, runs: () => runs }
}

const shared: Record<string, { of: (source: Stream<number>) => Stream<number>; gives: readonly number[] }> = {
  'a stream and itself': { of: source => union(source, source), gives: [1, 1, 2, 2, 3, 3] },
  'branches of a stream': {
    of: source => union(source.pipe(map(n => -n)), source.pipe(filter(n => n > 1))),
    gives: [-1, -2, 2, -3, 3],
  },
  'a stream and its side output': {
    of: source => {
      const parted = source.pipe(
        operator<number, number, { odd: number }>(
          'parted',
          () => ({ record: (n, out) => (n % 2 === 0 ? out.emit(n) : out.side('odd', n)) }),
          { sides: ['odd'] },
        ),
      )
      return union(parted, parted.side('odd'), parted.side('odd'))
    },
    gives: [1, 1, 2, 3, 3],
  },
  'a union in a union, of one stream': {
    of: source => union(union(source, source.pipe(map(n => 10 * n))), source),
    gives: [1, 10, 1, 2, 20, 2, 3, 30, 3],
  },
}

for (const [name, { of: built, gives }] of Object.entries(shared)) {
  test(`in place a union of ${name} loses nothing, and the stream runs once`, async () => {
    const { source, runs } = counted([1, 2, 3])
    const elements = await elementsOf(built(source))
    const records = elements.flatMap(element => (element.kind === 'buffer' ? element.records : []))
    expect(records).toEqual(gives)
    expect(elements.filter(({ kind }) => kind !== 'buffer')).toEqual([end])
    expect(runs()).toBe(1)
  })
}

test('in place a source is read once for all that share it', () => {
  const array = fromArray([1, 2, 3])
  const opened: string[] = []
  const source = stream<number, number>({
    ...array,
    open(split, from) {
      opened.push(split)
      return array.open(split, from)
    },
  })
  const records: number[] = []
  union(source, source.pipe(map(n => 10 * n))).records$.subscribe(record => records.push(record))
  expect(records.toSorted((a, b) => a - b)).toEqual([1, 2, 3, 10, 20, 30])
  expect(opened).toHaveLength(1)
})

test('a snapshot in place holds the watermark of each input', () => {
  const run = (sent: readonly Sent[], restored?: ReturnType<ReturnType<typeof inPlace>['snapshot']>) => {
    const { subjects, a, b, c } = threeInputs()
    const task = inPlace(restored === undefined ? {} : { restored })
    const out: StreamElement<string>[] = []
    union(union(a, b), c)
      .in(task)
      .subscribe(element => out.push(element))
    for (const [from, element] of sent) subjects[from].next(element)
    return { out, task }
  }
  const before: readonly Sent[] = [
    ['a', watermark(10)],
    ['b', watermark(20)],
    ['c', watermark(5)],
  ]
  const after: readonly Sent[] = [
    ['c', watermark(15)],
    ['a', watermark(40)],
  ]
  const first = run(before)
  expect([...first.out, ...run(after, first.task.snapshot()).out]).toEqual(run([...before, ...after]).out)
})

test('a union of one stream is that stream', () => {
  const only = lane(buffer([1]))
  expect(union(only)).toBe(only)
})

test('a union of none is refused, and one of a plain Observable too', () => {
  expect(() => union(...([] as Stream<number>[]))).toThrow(
    expect.objectContaining({ code: 'NO_SOURCE', place: 'union' }),
  )
  const plainOnes = [of(1), of(1)] as unknown as Stream<number>[]
  expect(() => union(...plainOnes)).toThrow(expect.objectContaining({ code: 'NOT_A_STREAM', place: 'union' }))
  const twice = of(1) as unknown as Stream<number>
  expect(() => union(twice, twice)).toThrow(expect.objectContaining({ code: 'NOT_A_STREAM', place: 'union' }))
})
