import * as t from 'io-ts'
import { from, Subject } from 'rxjs'
import {
  barrier,
  buffer,
  end,
  keyedOperator,
  type Output,
  operator,
  resumable,
  Stream,
  type StreamElement,
  watermark,
} from 'spillway'
import { flatMap, keyBy } from 'spillway/operators'
import { harness, inPlace } from 'spillway/testing'
import { expect, test } from 'vitest'

type Captured = ReturnType<ReturnType<typeof inPlace>['snapshot']>
const text = (records: readonly unknown[]) => records.join(' ')

/** An output that says so many times less one that there is room, and then that it is full, until it is given more. */
const narrow = (room: number) => {
  const free$ = new Subject<void>()
  let left = room
  return {
    output: { mayGoOn: () => --left > 0, free$ } satisfies Output,
    giveRoom(more: number) {
      left = more
      free$.next()
    },
  }
}

const lane = <T>(...elements: StreamElement<T>[]): Stream<T> =>
  new Stream<T>({ name: 'lane', inputs: [] }, () => from(elements))

/** Runs the stream until its output is full, takes a snapshot there, and gives what came out. */
const runUntilFull = <T>(stream: Stream<T>, room: number, restored?: Captured) => {
  const { output, giveRoom } = narrow(room)
  const task = inPlace({ output, ...(restored === undefined ? {} : { restored }) })
  const out: StreamElement<T>[] = []
  stream.in(task).subscribe({
    next: element => out.push(element),
    error: error => {
      throw error
    },
  })
  if (restored !== undefined) giveRoom(room)
  return {
    out,
    records: () => out.flatMap(element => (element.kind === 'buffer' ? element.records : [])),
    task,
    giveRoom,
  }
}

/** More than fill a buffer. */
const results = 300
const counted = keyedOperator<string, string, string>('counted', ({ state }) => {
  const count = state.value('count', t.number, 0)
  return {
    *record(record, _out, { key }) {
      const n = count.update(before => before + 1)
      for (let i = 0; i < results; i++) yield `${key}/${record}/${n}/${i}`
    },
  }
})

test('a handler that counts and then yields 300 is restored after every result: state once, each result once', () => {
  const input = lane(buffer(['a', 'b']))
  const nothing = lane<string>()
  const keyed = (source: Stream<string>) =>
    source.pipe(
      keyBy(() => 'key'),
      counted,
    )
  const expected = ['a', 'b'].flatMap((record, n) =>
    Array.from({ length: results }, (_, i) => `key/${record}/${n + 1}/${i}`),
  )
  for (let delivered = 1; delivered < 2 * results; delivered++) {
    const before = runUntilFull(keyed(input), delivered)
    expect(text(before.records()) === text(expected.slice(0, delivered))).toBe(true)
    const after = runUntilFull(keyed(nothing), Number.POSITIVE_INFINITY, before.task.snapshot())
    expect(text(after.records()) === text(expected.slice(delivered))).toBe(true)
    const [[, , count] = []] = [...(after.task.snapshot().get('counted')?.tables.get('count') ?? [])].flat()
    expect(count).toBe(2)
  }
})

test('a suspended operator is resumed where it was left', () => {
  const { records, giveRoom } = runUntilFull(lane(buffer([1, 2, 3])).pipe(flatMap(n => [n, 10 * n])), 2)
  expect(records()).toEqual([1, 10])
  giveRoom(1)
  expect(records()).toEqual([1, 10, 2])
  giveRoom(10)
  expect(records()).toEqual([1, 10, 2, 20, 3, 30])
})

test('frames of several operators form a stack, resumed nearest to the output first, in order', () => {
  const thousandfold = lane(buffer([1, 2])).pipe(
    flatMap(n => Array.from({ length: 100 }, (_, i) => 100 * n + i)),
    flatMap(n => Array.from({ length: 100 }, (_, i) => 100 * n + i)),
  )
  const { records, giveRoom } = runUntilFull(thousandfold, 1)
  for (let i = 0; i < 3_000; i++) giveRoom(7)
  expect(records()).toEqual(Array.from({ length: 20_000 }, (_, i) => 10_000 + i))
})

test('operators of one name are restored each with its own frame', () => {
  const chain = (...elements: StreamElement<number>[]) =>
    lane(...elements).pipe(
      flatMap(n => [n, -n, 10 * n]),
      flatMap(n => [n, n + 1]),
    )
  const whole = runUntilFull(chain(buffer([100, 200])), Number.POSITIVE_INFINITY).records()
  for (let delivered = 1; delivered < whole.length; delivered++) {
    const before = runUntilFull(chain(buffer([100, 200])), delivered)
    const after = runUntilFull(chain(), Number.POSITIVE_INFINITY, before.task.snapshot())
    expect([...before.records(), ...after.records()]).toEqual(whole)
  }
})

test('a barrier passes what is suspended', () => {
  const passing = barrier(1, { alignment: 'unaligned' })
  const { out, giveRoom } = runUntilFull(
    lane<number>(buffer([1, 2]), passing, watermark(5), end).pipe(flatMap(n => [n, -n])),
    1,
  )
  expect(out.map(({ kind }) => kind)).toEqual(['buffer', 'barrier'])
  giveRoom(100)
  expect(out.map(({ kind }) => kind)).toEqual(['buffer', 'barrier', 'buffer', 'watermark', 'end'])
})

test('64 buffers of an out.emit in a loop wait before an operator that is suspended; one more is OUTPUT_OVERFLOW', () => {
  const [bufferRecords, waitingMax] = [256, 64]
  // The first of them is begun, and suspended.
  const looped = (fullBuffers: number) =>
    lane(buffer(Array.from({ length: bufferRecords }, (_, i) => i))).pipe(
      operator<number, number>('looping', () => ({
        record: (n, out) => {
          if (n > 0) return
          for (let i = 0; i < fullBuffers * bufferRecords; i++) out.emit(i)
        },
      })),
      flatMap(n => [n, -n]),
    )
  const errorOf = (stream: Stream<number>) => {
    const { output, giveRoom } = narrow(1)
    const [records, errors]: [number[], unknown[]] = [[], []]
    stream.in(inPlace({ output })).subscribe({
      next: element => {
        if (element.kind === 'buffer') records.push(...element.records)
      },
      error: error => errors.push(error),
    })
    giveRoom(Number.POSITIVE_INFINITY)
    return { records: records.length, errors }
  }
  expect(errorOf(looped(1 + waitingMax))).toEqual({ records: 2 * (1 + waitingMax) * bufferRecords, errors: [] })
  expect(errorOf(looped(2 + waitingMax)).errors).toEqual([
    expect.objectContaining({
      code: 'OUTPUT_OVERFLOW',
      place: 'flatMap',
      message: expect.stringMatching(
        /64 buffers wait before it.*return an iterable instead of calling out\.emit in a loop/,
      ),
    }),
  ])
})

test('a burst of timers is left between two of them, and goes on after a restore with those that are due', () => {
  const bursts = keyedOperator<number, number, string>('bursts', ({ timers }) => ({
    record: timeMs => timers.at(timeMs),
    *timer(timeMs, _out, { key }) {
      yield `${key} at ${timeMs}`
      yield `${key} at ${timeMs} again`
    },
  }))
  const keyed = (...elements: StreamElement<number>[]) =>
    lane(...elements).pipe(
      keyBy(n => n % 3),
      bursts,
    )
  const times = Array.from({ length: 12 }, (_, i) => i + 1)
  const whole = runUntilFull(keyed(buffer(times), watermark(10)), Number.POSITIVE_INFINITY)
  expect(whole.records()).toHaveLength(20)
  for (let delivered = 1; delivered < 20; delivered++) {
    const before = runUntilFull(keyed(buffer(times), watermark(10)), delivered)
    const after = runUntilFull(keyed(), Number.POSITIVE_INFINITY, before.task.snapshot())
    expect([...before.records(), ...after.records()]).toEqual(whole.records())
    expect(after.out.at(-1)).toEqual(watermark(10))
  }
})

test('a frame that has been restored and not yet resumed is captured as it was', () => {
  const pairs = (...elements: StreamElement<number>[]) => lane(...elements).pipe(flatMap(n => [n, -n]))
  const before = runUntilFull(pairs(buffer([1, 2])), 1)
  const restored = inPlace({ output: { mayGoOn: () => false, free$: new Subject() }, restored: before.task.snapshot() })
  pairs().in(restored).subscribe()
  const after = runUntilFull(pairs(), Number.POSITIVE_INFINITY, restored.snapshot())
  expect([...before.records(), ...after.records()]).toEqual([1, -1, 2, -2])
})

test('a handler that gives fewer results when it is repeated is refused', () => {
  let results = 3
  const shrinking = (...elements: StreamElement<number>[]) =>
    lane(...elements).pipe(flatMap(() => Array.from({ length: results }, (_, i) => i)))
  const before = runUntilFull(shrinking(buffer([1])), 2)
  results = 1
  const { output, giveRoom } = narrow(10)
  const errors: unknown[] = []
  shrinking()
    .in(inPlace({ output, restored: before.task.snapshot() }))
    .subscribe({ error: error => errors.push(error) })
  giveRoom(10)
  expect(errors).toMatchObject([{ code: 'NOT_DETERMINISTIC', place: 'flatMap' }])
})

test('an end handler runs once, though after a restore the end comes again', () => {
  const totals = operator<number, string>('totals', () => ({
    record() {},
    *end() {
      yield* ['a', 'b', 'c']
    },
  }))
  const ending = (restored?: Captured) => runUntilFull(lane(buffer([1]), end).pipe(totals), 1, restored)
  const before = ending()
  before.giveRoom(1)
  expect(before.records()).toEqual(['a', 'b'])
  const after = ending(before.task.snapshot())
  after.giveRoom(10)
  expect(after.out.map(({ kind }) => kind)).toEqual(['buffer', 'end'])
  expect(after.records()).toEqual(['c'])
  expect(ending(after.task.snapshot()).out).toEqual([end])
})

test('a watermark handler is told of no watermark twice, though a restored source says its last one again', () => {
  const told = operator<number, number>('told', () => ({
    record() {},
    watermark: (timeMs, out) => out.emit(timeMs),
  }))
  const { records, task } = runUntilFull(lane<number>(watermark(5), watermark(5)).pipe(told), 10)
  expect(records()).toEqual([5])
  const after = runUntilFull(lane<number>(watermark(5), watermark(6)).pipe(told), 10, task.snapshot())
  expect(after.records()).toEqual([6])
})

test('state may have any name, those of what the operator itself keeps included', () => {
  const named = operator<number, number>('named', ({ state }) => {
    const values = ['watermark', 'frame', 'end'].map(name => state.value(name, t.number, 0))
    return { record: (n, out) => out.emit(Math.max(...values.map(value => value.update(before => before + n)))) }
  })
  expect(runUntilFull(lane(buffer([1, 2])).pipe(named), 10).records()).toEqual([1, 3])
})

/** How many results are made by a run that is restored after so many. */
const madeAfter = (
  delivered: number,
  project: (count: () => void) => (n: number, from: number) => Iterable<number>,
) => {
  let made = 0
  const stream = (...elements: StreamElement<number>[]) => lane(...elements).pipe(flatMap(project(() => made++)))
  const before = runUntilFull(stream(buffer([1_000])), delivered)
  const { records } = before
  made = 0
  const restored = runUntilFull(stream(), Number.POSITIVE_INFINITY, before.task.snapshot())
  expect([...records(), ...restored.records()]).toEqual(Array.from({ length: 1_000 }, (_, i) => i))
  return made
}

test('a restore makes again what has been delivered', () => {
  const all = (count: () => void) =>
    function* (n: number) {
      for (let i = 0; i < n; i++) {
        count()
        yield i
      }
    }
  expect(madeAfter(900, all)).toBe(1_000)
})

test('a projection with a second parameter makes only what has not been delivered', () => {
  const resuming = (count: () => void) =>
    function* (n: number, from: number) {
      for (let i = from; i < n; i++) {
        count()
        yield i
      }
    }
  expect(madeAfter(900, resuming)).toBe(100)
})

test('a second parameter with a default does not make a projection one that resumes', () => {
  const defaulted = (count: () => void) =>
    function* (n: number, from = 0) {
      for (let i = from; i < n; i++) {
        count()
        yield i
      }
    }
  expect(madeAfter(900, defaulted)).toBe(1_000)
})

test('of an array nothing is looked at twice', () => {
  const looked: number[] = []
  const results = () =>
    new Proxy(
      Array.from({ length: 10 }, (_, i) => i),
      {
        get(of, name) {
          if (typeof name === 'string' && /^\d+$/.test(name)) looked.push(Number(name))
          return Reflect.get(of, name)
        },
      },
    )
  const before = runUntilFull(lane(buffer([1])).pipe(flatMap(results)), 4)
  const after = runUntilFull(lane<number>().pipe(flatMap(results)), Number.POSITIVE_INFINITY, before.task.snapshot())
  expect(after.records()).toEqual([4, 5, 6, 7, 8, 9])
  expect(looked).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
})

test('results of a handler that resumes follow what it has emitted before, state being as before the call', () => {
  const resuming = keyedOperator<string, string, string>('resuming', ({ state }) => {
    const count = state.value('count', t.number, 0)
    return {
      record(record, out) {
        const n = count.update(before => before + 1)
        out.emit(`${record} begins`)
        return resumable(function* (from) {
          for (let i = from; i < 5; i++) yield `${record}/${n}/${i}`
        })
      },
    }
  })
  const keyed = (...elements: StreamElement<string>[]) =>
    lane(...elements).pipe(
      keyBy(() => 'key'),
      resuming,
    )
  const whole = runUntilFull(keyed(buffer(['a', 'b'])), Number.POSITIVE_INFINITY).records()
  expect(whole).toHaveLength(12)
  for (let delivered = 1; delivered < 10; delivered++) {
    const before = runUntilFull(keyed(buffer(['a', 'b'])), delivered)
    const again = runUntilFull(keyed(), 1, before.task.snapshot())
    const after = runUntilFull(keyed(), Number.POSITIVE_INFINITY, again.task.snapshot())
    expect([...before.records(), ...again.records(), ...after.records()]).toEqual(whole)
  }
})

test('the timer that was firing is gone on with first, though from another task an earlier one is due', () => {
  interface Reminder {
    readonly key: number
    readonly dueMs: number
  }
  const thrice = keyedOperator<Reminder, number, string>('thrice', ({ timers }) => ({
    record: ({ dueMs }) => timers.at(dueMs),
    *timer(dueMs, _out, { key }) {
      for (const part of ['a', 'b', 'c']) yield `${key} at ${dueMs} ${part}`
    },
  }))
  const keyBy = ({ key }: Reminder) => key
  const suspendedTask = (index: number, { dueMs, delivered }: { dueMs: number; delivered: number }) => {
    const h = harness(thrice, { keyBy, subtask: { index, parallelism: 2 }, room: delivered })
    for (let key = 0; key < 6; key++) h.push({ key, dueMs })
    h.watermark(10)
    expect(h.output).toHaveLength(delivered)
    h.barrier(1, { alignment: 'unaligned' })
    return h
  }
  const tasks = [suspendedTask(0, { dueMs: 7, delivered: 2 }), suspendedTask(1, { dueMs: 3, delivered: 1 })]
  const restored = harness(thrice, { keyBy, restored: tasks.map(task => task.snapshot()) })
  const results = [...tasks.flatMap(({ output }) => output), ...restored.output]
  expect(new Set(results).size).toBe(18)
  expect(results).toHaveLength(18)
})

const byRecord = keyedOperator<number, number, string>('byRecord', () => ({
  *record(record, _out, { key }) {
    for (const part of ['a', 'b', 'c']) yield `${record} of ${key} ${part}`
  },
}))
const byTimer = keyedOperator<number, number, string>('byTimer', ({ timers }) => ({
  record: record => timers.at(record),
  *timer(timeMs, _out, { key }) {
    for (const part of ['a', 'b', 'c']) yield `${timeMs} of ${key} ${part}`
  },
}))

test.each([
  ['records', byRecord],
  ['timers', byTimer],
])(
  '%s restored from several tasks stay in a snapshot as captured, though they are gone on with before it is written',
  (_, thrice) => {
    const keyBy = (record: number) => record
    const suspended = [0, 1].map(index => {
      const h = harness(thrice, { keyBy, subtask: { index, parallelism: 2 }, room: 1 })
      h.send(buffer([0, 1, 2, 3, 4, 5]), watermark(10))
      h.barrier(1, { alignment: 'unaligned' })
      return h.snapshot()
    })
    const rest = harness(thrice, { keyBy, restored: suspended }).output
    expect(rest).toHaveLength(3 * 6 - 2)
    for (let later = 0; later <= rest.length; later++) {
      const h = harness(thrice, { keyBy, restored: suspended, room: 0 })
      h.barrier(1, { alignment: 'unaligned' })
      h.free(later)
      expect(h.output).toEqual(rest.slice(0, h.output.length))
      expect(harness(thrice, { keyBy, restored: h.snapshot() }).output).toEqual(rest)
    }
  },
)
