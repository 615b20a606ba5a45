import * as t from 'io-ts'
import { firstValueFrom, lastValueFrom, of, Subject, toArray } from 'rxjs'
import {
  fixedDelay,
  type KeyedContext,
  keyedOperator,
  memoryStore,
  type OperatorContext,
  operator,
  readCheckpoint,
  type Source,
  type Store,
  stream,
} from 'spillway'
import { collect, into, keyBy } from 'spillway/operators'
import { expect, test } from 'vitest'
import { msgpackEncoding } from '../../lib/snapshot/encoding.ts'
import { readEntry } from '../../lib/snapshot/log.ts'
import { run } from '../run.ts'

/** Numbers as they are given, until told to end. */
const given = () => {
  const ready$ = new Subject<void>()
  const all: (number | 'end')[] = []
  const source: Source<number, number> = {
    name: 'given',
    position: t.number,
    splits: () => of(['0']),
    open(_, from = 0) {
      let read = from
      return {
        next() {
          const next = all[read]
          if (next === undefined) return 'wait'
          if (next === 'end') return 'end'
          read++
          return [next]
        },
        ready$,
        position: () => read,
        close() {},
      }
    },
  }
  const give = (...numbers: readonly (number | 'end')[]) => {
    all.push(...numbers)
    ready$.next()
  }
  return { source, give }
}

const Count = t.type({ times: t.number })

/** How often each number has come, when it comes; negative ones are forgotten with their opposites. */
const counts = (
  source: Source<number, number>,
  sink: ReturnType<typeof collect<readonly [number, number]>>,
  onRecord = () => {},
) =>
  stream(source).pipe(
    keyBy(n => Math.abs(n)),
    keyedOperator<number, number, readonly [number, number]>('counts', ({ state, timers }) => {
      const count = state.value('count', Count, { times: 0 })
      return {
        record(n, out) {
          onRecord()
          if (n < 0) return count.clear()
          timers.at(1_000 + n)
          out.emit([n, count.update(({ times }) => ({ times: times + 1 })).times])
        },
        timer() {},
      }
    }),
    into(sink),
  )

const numbers = Array.from({ length: 500 }, (_, n) => n)
const options = { checks: true, checkpoints: { inlineBytesMax: 100 } } as const

/** The objects with state that the newest entry names, by task. */
const chains = async (store: Store) => {
  const n = Math.max(...(await firstValueFrom(store.entries())))
  const entry = readEntry(n, await firstValueFrom(store.entry(n)), msgpackEncoding())
  const tasks = entry.kind === 'commit' ? entry.parts.flatMap(part => part.tasks) : []
  return new Map(tasks.map(({ task, pieces }) => [task, pieces.filter(({ holds }) => holds === 'state')]))
}

test('a checkpoint writes what has changed on those before, the store keeps these, and a job is restored from all, whatever its parallelism', async () => {
  const store = memoryStore()
  const { source, give } = given()
  const sink = collect<readonly [number, number]>()
  let left = 0
  const job = run(
    counts(source, sink, () => left--),
    { ...options, store },
  )
  const taken = async (...more: readonly number[]) => {
    left = more.length
    give(...more)
    while (left > 0) await new Promise(resolve => setImmediate(resolve))
    return (await job.triggerCheckpoint()).stateBytes
  }
  const whole = await taken(...numbers)
  const changed = [await taken(3, 4), await taken(-5, 3), await taken(5, 700, -700)]
  expect(Math.max(...changed)).toBeLessThan(whole / 10)
  const chain = (await chains(store)).get('1:counts/0') ?? []
  expect(chain.map(({ object }) => object)).toEqual([1, 2, 3, 4].map(c => `e000001/c00000${c}/1%3Acounts%2F0`))
  const named = new Set(chain.map(({ object }) => object))
  expect(await firstValueFrom(store.list(''))).toEqual([...named])
  await job.cancel()
  await job.done.catch(() => {})

  const again = run(counts(source, sink), { ...options, store, parallelism: 3 })
  give(3, 4, 5, 6, 700, 'end')
  await again.done
  const last = new Map(sink.records)
  expect([3, 4, 5, 6, 700].map(n => last.get(n))).toEqual([4, 3, 2, 2, 1])
  expect(last.size).toBe(501)
})

test('what is written in several objects is read as data as it would be restored', async () => {
  const store = memoryStore()
  const { source, give } = given()
  let left = 0
  const job = run(
    counts(source, collect<readonly [number, number]>(), () => left--),
    { ...options, store },
  )
  // Changed in one object, and gone in a later one; gone, and back again.
  for (const more of [numbers, [3, 4], [-4, -5], [5, 5]]) {
    left = more.length
    give(...more)
    while (left > 0) await new Promise(resolve => setImmediate(resolve))
    await job.triggerCheckpoint()
  }
  expect((await chains(store)).get('1:counts/0')).toHaveLength(4)
  await job.cancel()
  await job.done.catch(() => {})
  const data = await readCheckpoint(store)
  const entries = await lastValueFrom(data.keyed('counts', 'count', Count).pipe(toArray()))
  const found = new Map(entries.map(({ key, value }) => [key, value.times]))
  expect(entries).toHaveLength(499)
  expect([3, 4, 5, 6].map(key => found.get(key))).toEqual([2, undefined, 2, 1])
  expect(data.operators.find(({ operator: name }) => name === 'counts')?.keyed.get('count')).toBe(499)
})

interface Nested {
  readonly deep: { times: number }
}
const Nested: t.Type<Nested> = t.type({ deep: t.type({ times: t.number }) })

type Handle = (value: { get(): Nested; set(value: Nested): void }) => void
const inPlace: Handle = value => {
  value.get().deep.times++
}
const setAgain: Handle = value => {
  inPlace(value)
  value.set(value.get())
}
const another: Handle = value => value.set({ deep: { times: value.get().deep.times + 1 } })

/** Each key's, or the task's, value. */
const handled = (source: Source<number, number>, of: 'key' | 'task', handle: Handle) => {
  const initial = () => ({ deep: { times: 0 } })
  const sink = into(collect<number>())
  const open = ({ state }: { state: KeyedContext['state'] | OperatorContext['state'] }) => {
    const value = state.value('nested', Nested, initial())
    return {
      record(n: number) {
        // The first time each has a value of its own.
        if (n < 0) value.set(initial())
        else handle(value)
      },
    }
  }
  return of === 'task'
    ? stream(source).pipe(operator<number, number>('nested', open), sink)
    : stream(source).pipe(
        keyBy(() => 'k'),
        keyedOperator<number, string, number>('nested', open),
        sink,
      )
}

test.each([
  ['of a key, in place', 'key', inPlace, 'nested, state nested, key "k"'],
  ['of a key, and set again', 'key', setAgain, 'nested, state nested, key "k"'],
  ['of the task, in place', 'task', inPlace, 'nested, state nested'],
  ['of a key, by another', 'key', another, undefined],
  ['of the task, by another', 'task', another, undefined],
] as const)(
  'with checks, a value changed %s after a checkpoint fails the job, whatever its restarts, unless it is set',
  async (_, of, handle, place) => {
    const { source, give } = given()
    const restart = fixedDelay({ delayMs: 1, attemptsMax: 5 })
    const job = run(handled(source, of, handle), { ...options, restart })
    const done = job.done.then(
      () => undefined,
      error => error,
    )
    give(-1)
    while (job.sources()[0]?.recordsRead !== 1) await new Promise(resolve => setTimeout(resolve, 1))
    await job.triggerCheckpoint()
    give(1, 'end')
    expect(await done).toEqual(
      place === undefined ? undefined : expect.objectContaining({ code: 'MUTATED_AFTER_CAPTURE', place }),
    )
  },
)
