import * as t from 'io-ts'
import * as rx from 'rxjs'
import { type KeyedStream, keyedOperator, keyedWithBroadcast, named, operator, type Stream, stream } from 'spillway'
import {
  asyncMap,
  broadcast,
  count,
  eachRecord,
  filter,
  flatMap,
  fromArray,
  map,
  scan,
  tumblingWindow,
} from 'spillway/operators'
import { made, nth, type Rec, type Timed } from './record.ts'

/** The operators of generated jobs, each beside what it means: a plain function over all records at once. */
export interface Step<S> {
  /** As the job has it. */
  apply(source: S, name: string): Applied
  /** As it is meant. */
  plain(records: readonly Timed[], options: { readonly name: string; readonly parallelism: number }): Meant
  /** It needs event times. */
  readonly timed?: true
  /** Its results have no time that could be told beforehand. */
  readonly losesTimes?: true
  /** Its results depend on the order in which records come: it stands last, and its results are explained instead. */
  readonly ordered?: true
}

export interface Applied {
  readonly main: Stream<Rec>
  readonly side?: Stream<Rec>
}

export interface Meant {
  readonly main: readonly Timed[]
  readonly side?: readonly Timed[]
  /** Final state of the operator, by the canonical text of its keys; undefined values are not kept. */
  readonly state?: { readonly table: string; readonly of: ReadonlyMap<number, unknown> }
}

const each = (records: readonly Timed[], f: (of: Rec) => readonly Rec[]): Meant => ({
  main: records.flatMap(record => f(record.of).map(of => ({ ...record, of }))),
})

const resultsOf = (n: number): number => (n % 10 === 3 ? 40 : n % 3)

export const plainSteps = {
  map: {
    apply: source => ({ main: source.pipe(map(mapped)) }),
    plain: records => each(records, of => [mapped(of)]),
  },
  filter: {
    apply: source => ({ main: source.pipe(filter(({ n }) => n % 3 !== 0)) }),
    plain: records => each(records, of => (of.n % 3 === 0 ? [] : [of])),
  },
  flatMap: {
    apply: source => ({ main: source.pipe(flatMap(flattened)) }),
    plain: records => each(records, flattened),
  },
  /** Now and then a record of some hundred results, that a restore goes on with where it was left. */
  long: {
    apply: source => ({
      main: source.pipe(
        flatMap(function* (of: Rec, from) {
          for (let i = from; i < lengthOf(of); i++) yield nth(of, i)
        }),
      ),
    }),
    plain: records => each(records, lengthened),
  },
  /** The same from the first result on, two deep: a restore makes again what was delivered. */
  repeated: {
    apply: source => ({
      main: source.pipe(
        flatMap(function* (of: Rec) {
          for (let i = 0; i < lengthOf(of); i++) yield nth(of, i)
        }),
        flatMap(flattened),
      ),
    }),
    plain: records => each(records, of => lengthened(of).flatMap(flattened)),
  },
  eachRecord: {
    apply: source => ({
      main: source.pipe(
        eachRecord(
          rx.mergeMap((of: Rec) => [nth(of, 0), nth(of, 1)]),
          rx.take(1 + 1),
        ),
      ),
    }),
    plain: records => each(records, of => [nth(of, 0), nth(of, 1)]),
  },
  asyncOrdered: {
    apply: source => ({ main: source.pipe(asyncMap(delayedBy(delivered), { inFlightMax: 3, ordered: true })) }),
    plain: records => each(records, of => [delivered(of)]),
  },
  asyncUnordered: {
    apply: source => ({ main: source.pipe(asyncMap(delayedBy(overtaken), { inFlightMax: 3, ordered: false })) }),
    plain: records => each(records, of => [overtaken(of)]),
  },
  loop: {
    apply: (source, name) => ({
      main: source.pipe(
        named(name, loop()),
        flatMap(of => [of]),
      ),
    }),
    plain: records => each(records, looped),
  },
  sideways: {
    apply: (source, name) => {
      const main = source.pipe(named(name, sideways()))
      return { main, side: main.side('odd') }
    },
    plain: records => ({
      main: records.filter(({ of }) => of.n % 2 === 0),
      side: records.filter(({ of }) => of.n % 2 !== 0),
    }),
  },
  atEnd: {
    losesTimes: true,
    apply: (source, name) => ({ main: source.pipe(named(name, atEnd(name))) }),
    plain: (records, { name, parallelism }) => ({
      main: [
        ...records,
        ...Array.from({ length: parallelism }, (_, subtask) => lastWords(name, subtask)).flatMap(words =>
          words.map(withoutTime),
        ),
      ],
    }),
  },
} satisfies Record<string, Step<Stream<Rec>>>

type Keyed = KeyedStream<Rec, any>

export const keyedSteps = {
  count: {
    losesTimes: true,
    apply: (source, name) => ({
      main: source.pipe(
        named(
          name,
          scan<Rec, any, Rec>(
            ({ n }, { key }) => made(`${name}:${key}=${n + 1}`, { n: n + 1, key, timeMs: 0 }),
            made('', { n: 0, key: 0, timeMs: 0 }),
          ),
        ),
      ),
    }),
    plain: (records, { name }) => {
      const main: Timed[] = []
      const counts = new Map<number, number>()
      for (const { of, ...times } of records) {
        const n = (counts.get(of.key) ?? 0) + 1
        counts.set(of.key, n)
        main.push({ of: made(`${name}:${of.key}=${n}`, { n, key: of.key, timeMs: 0 }), ...times })
      }
      const state = new Map(
        [...counts].map(([key, n]) => [key, made(`${name}:${key}=${n}`, { n, key, timeMs: 0 })] as const),
      )
      return { main, state: { table: 'accumulator', of: state } }
    },
  },
  met: {
    apply: (source, name) => ({ main: source.pipe(named(name, met())) }),
    plain: records => {
      const ids = new Map<number, readonly string[]>()
      for (const { of } of records) ids.set(of.key, [...(ids.get(of.key) ?? []), of.id].sort())
      return { main: records, state: { table: 'ids', of: ids } }
    },
  },
  burst: {
    apply: (source, name) => ({ main: source.pipe(named(name, burst())) }),
    plain: records => {
      const seen = new Map<number, number>()
      for (const { of } of records) seen.set(of.key, (seen.get(of.key) ?? 0) + 1)
      return { ...each(records, burstOf), state: { table: 'seen', of: seen } }
    },
  },
  ruled: {
    losesTimes: true,
    apply: (source, name) => ({ main: ruled(source, name, { inTasks: false }) }),
    plain: (records, { name }) => meantByRules(records, { name, tasks: 0 }),
  },
  /** The same, once a task too: how many tasks there are must be the same to the end. */
  ruledInTasks: {
    losesTimes: true,
    apply: (source, name) => ({ main: ruled(source, name, { inTasks: true }) }),
    plain: (records, { name, parallelism }) => meantByRules(records, { name, tasks: parallelism }),
  },
  window: {
    timed: true,
    apply: (source, name) => {
      const windows = source.pipe(
        named(name, tumblingWindow<Rec, any, number, number, 'side'>({ sizeMs: 10, late: 'side' }, count())),
      )
      const main = windows.pipe(
        map(({ key, startMs, value }) => windowResult(name, keyNumber(key), { startMs, records: value })),
      )
      return { main, side: windows.side('late') }
    },
    plain: (records, { name }) => {
      const windows = new Map<string, { key: number; startMs: number; records: number }>()
      const side: Timed[] = []
      for (const record of records) {
        const startMs = Math.floor(record.timeMs / 10) * 10
        const { key } = record.of
        const window = windows.get(`${key} ${startMs}`) ?? { key, startMs, records: 0 }
        if (startMs + 10 <= record.noteMs) side.push(record)
        else windows.set(`${key} ${startMs}`, { ...window, records: window.records + 1 })
      }
      const main = [...windows.values()].map(({ key, ...window }) => ({
        of: windowResult(name, key, window),
        timeMs: window.startMs + 9,
        noteMs: Number.NEGATIVE_INFINITY,
      }))
      return { main, side, state: { table: 'windows', of: new Map() } }
    },
  },
  timer: {
    timed: true,
    apply: (source, name) => ({ main: source.pipe(named(name, delayed())) }),
    plain: records => ({
      main: records.flatMap(record =>
        record.timeMs < record.noteMs
          ? [record]
          : reminders(record.of).map(of => ({ of, timeMs: record.timeMs + 5, noteMs: Number.NEGATIVE_INFINITY })),
      ),
      state: { table: 'waiting', of: new Map() },
    }),
  },
  chain: {
    ordered: true,
    apply: (source, name) => ({ main: source.pipe(named(name, chained())) }),
    plain: records => ({ main: records }),
  },
} satisfies Record<string, Step<Keyed>>

const withoutTime = (of: Rec): Timed => ({
  of,
  timeMs: Number.NEGATIVE_INFINITY,
  noteMs: Number.NEGATIVE_INFINITY,
})
const rules = [0, 1, 2, 3, 4]
const ruleForKey = (name: string, rule: number, key: number) =>
  made(`${name}:${rule}:${key}`, { n: rule, key, timeMs: 0 })
const ruleInTask = (name: string, rule: number, subtask: number) =>
  made(`${name}:${rule} in ${subtask}`, { n: rule, key: subtask % 7, timeMs: 0 })
/** What is one of several results already is long no more: lengths would multiply. */
const lengthOf = ({ n, place }: Rec): number => {
  if (place.length > 1) return 1
  return n % 20 === 7 ? 300 : n % 4 === 1 ? 30 : 1
}
const lengthened = (of: Rec): readonly Rec[] => Array.from({ length: lengthOf(of) }, (_, i) => nth(of, i))
const mapped = (of: Rec): Rec => ({ ...of, id: `${of.id}m`, key: (3 * of.key + 1) % 7 })
const flattened = (of: Rec): readonly Rec[] => Array.from({ length: resultsOf(of.n) }, (_, i) => nth(of, i))
const delivered = (of: Rec): Rec => nth(of, 0)
/** Nothing is known of its order any more. */
const overtaken = (of: Rec): Rec => ({ ...nth(of, 0), trail: undefined })
const looped = (of: Rec): readonly Rec[] => Array.from({ length: of.n % 8 === 1 ? 25 : 1 }, (_, i) => nth(of, i))
const burstOf = (of: Rec): readonly Rec[] => Array.from({ length: of.n % 5 === 0 ? 15 : 1 }, (_, i) => nth(of, i))
/** Timers know nothing of the order in which records came. */
const reminders = (of: Rec): readonly Rec[] => [0, 1, 2, 3].map(i => ({ ...nth(of, i), trail: undefined }))
const lastWords = (name: string, subtask: number): readonly Rec[] =>
  Array.from({ length: 12 }, (_, i) => made(`${name}:${subtask}.${i}`, { n: i, key: i % 5, timeMs: 0 }))
const windowResult = (name: string, key: number, { startMs, records }: { startMs: number; records: number }) =>
  made(`${name}:${key}@${startMs}=${records}`, { n: records, key, timeMs: startMs })

/** A chain's result: the record before it of its key, and itself. */
export const linked = (before: string, of: Rec): Rec => ({ ...of, id: `${before}>${of.id}` })

/** Jobs differ in the kind of their keys; the number is in all of them. */
export const keyKinds = {
  number: (n: number) => n,
  string: (n: number) => `k${n}`,
  tuple: (n: number) => [n, 'x'] as const,
} as const
export const keyNumber = (key: unknown): number =>
  typeof key === 'number' ? key : Number(/\d+/.exec(String(key))?.[0])

/** The result comes 0 to 3 ms later. */
const delayedBy =
  (f: (of: Rec) => Rec) =>
  (of: Rec, { scheduler }: { readonly scheduler: rx.SchedulerLike }): rx.Observable<Rec> =>
    rx.timer(of.n % 4, scheduler).pipe(rx.map(() => f(of)))

/** Cannot be suspended: when what is behind it is, its results have to wait. */
const loop = () =>
  operator<Rec, Rec>('loop', () => ({
    record(of, out) {
      for (const result of looped(of)) out.emit(result)
    },
  }))

const sideways = () =>
  operator<Rec, Rec, { odd: Rec }>(
    'sideways',
    () => ({
      record(of, out) {
        if (of.n % 2 === 0) out.emit(of)
        else out.side('odd', of)
      },
    }),
    { sides: ['odd'], stateful: false },
  )

/** Counts in state of the task; the results at its end are so many that the output is full in between. */
const atEnd = (name: string) =>
  operator<Rec, Rec>('atEnd', ({ state, subtask }) => {
    const seen = state.value('seen', t.number, 0)
    return {
      record(of, out) {
        seen.update(n => n + 1)
        out.emit(of)
      },
      *end() {
        yield* lastWords(name, subtask.index)
      },
    }
  })

/** Tells a record that it has met before. */
const met = () =>
  keyedOperator<Rec, any, Rec>('met', ({ state }) => {
    const ids = state.value<readonly string[]>('ids', t.readonlyArray(t.string), [])
    return {
      record(of, out) {
        if (ids.get().includes(of.id)) out.emit({ ...of, id: `${of.id} again` })
        ids.produce(draft => {
          draft.push(of.id)
          draft.sort()
        })
        out.emit(of)
      },
    }
  })

/** Changes state, then gives so many results that it is suspended in between, and changes state again. */
const burst = () =>
  keyedOperator<Rec, any, Rec>('burst', ({ state }) => {
    const seen = state.value('seen', t.number, 0)
    return {
      *record(of) {
        const before = seen.get()
        seen.set(before + 100)
        yield* burstOf(of)
        seen.set(before + 1)
      },
    }
  })

interface Waiting {
  readonly of: Rec
  readonly dueMs: number
}

/** Gives four of what is not late 5 ms of event time later, all of a moment in one call. */
const delayed = () =>
  keyedOperator<Rec, any, Rec>('delayed', ({ state, timers }) => {
    const waiting = state.value<readonly Waiting[]>('waiting', t.readonlyArray(t.any), [])
    return {
      record(of, out, { timeMs, watermarkMs }) {
        if (timeMs < watermarkMs) return out.emit(of)
        waiting.update(before => [...before, { of, dueMs: timeMs + 5 }])
        timers.at(timeMs + 5)
      },
      *timer(timeMs) {
        const all = waiting.get()
        const due = all.filter(({ dueMs }) => dueMs === timeMs)
        if (due.length === all.length) waiting.clear()
        else waiting.set(all.filter(({ dueMs }) => dueMs !== timeMs))
        for (const { of } of due) yield* reminders(of)
      },
    }
  })

const chained = () =>
  keyedOperator<Rec, any, Rec>('chained', ({ state }) => {
    const before = state.value('before', t.string, '')
    return {
      record(of, out) {
        out.emit(linked(before.get(), of))
        before.set(of.id)
      },
    }
  })

const meantByRules = (
  records: readonly Timed[],
  { name, tasks }: { readonly name: string; readonly tasks: number },
): Meant => {
  const applied = new Map<number, number>()
  for (const { of } of records) applied.set(of.key, (applied.get(of.key) ?? 100 * rules.length) + 1)
  const results = rules.flatMap(rule => [
    ...[...applied.keys()].map(key => ruleForKey(name, rule, key)),
    ...Array.from({ length: tasks }, (_, subtask) => ruleInTask(name, rule, subtask)),
  ])
  return { main: [...records, ...results.map(withoutTime)], state: { table: 'applied', of: applied } }
}

/**
 * Applies each of some broadcast rules to each key: at the key's first record those that have come before, each later one as
 * it comes, and tells of it, once a task too if that is wanted.
 */
const ruled = (source: Keyed, name: string, { inTasks }: { readonly inTasks: boolean }): Stream<Rec> =>
  keyedWithBroadcast<Rec, any, number, Rec>(
    name,
    source,
    stream(fromArray(rules, { name: `${name} rules` }), { parallelism: 1 }).pipe(broadcast()),
    ({ state, broadcastState, subtask }) => {
      const applied = state.value('applied', t.number, 0)
      const known = broadcastState.value<readonly number[]>('known', t.readonlyArray(t.number), [])
      return {
        *record(of) {
          if (applied.get() === 0) {
            applied.set(100 * known.get().length)
            for (const rule of known.get()) yield ruleForKey(name, rule, of.key)
          }
          applied.update(n => n + 1)
          yield of
        },
        *broadcast(rule) {
          known.update(before => [...before, rule])
          if (inTasks) yield ruleInTask(name, rule, subtask.index)
          for (const key of applied.keys()) {
            applied.update(n => n + 100)
            yield ruleForKey(name, rule, keyNumber(key))
          }
        },
      }
    },
    { effect: 'keysAndResults' },
  )
