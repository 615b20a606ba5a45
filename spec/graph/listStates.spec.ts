import { setImmediate as turn } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import * as t from 'io-ts'
import { filter, firstValueFrom, NEVER } from 'rxjs'
import { explainRegions, type Job, memoryStore, operator, regional, type Sink, type Source, stream } from 'spillway'
import { collect, flatMap, fromArray, into, map, rebalance } from 'spillway/operators'
import { type HarnessSnapshot, harness } from 'spillway/testing'
import { describe, expect, test } from 'vitest'
import { run, runIn } from '../run.ts'
import { slowCollect, stepped } from '../runtime/restored.ts'

setFlagsFromString('--expose_gc')
const collectGarbage = runInNewContext('gc') as () => void

type Said = {
  readonly list: readonly number[]
  readonly union: readonly number[]
  readonly restored: readonly number[]
}

/** Remembers each number in both lists; says what they hold when it is asked with 'say'. */
const remember = (unionStates: readonly string[] = ['all']) =>
  operator<number | 'say' | 'clear', Said>(
    'remember',
    ({ state }) => {
      const list = state.list('some', t.number)
      const union = state.union('all', t.number)
      return {
        record(record, out) {
          if (record === 'say') out.emit({ list: list.get(), union: union.get(), restored: union.restored })
          else if (record === 'clear') {
            list.clear()
            union.set([0])
          } else {
            list.add(record)
            union.add(record)
          }
        },
      }
    },
    { unionStates },
  )

const tasks = (parallelism: number, restored: readonly HarnessSnapshot[] = []) =>
  Array.from({ length: parallelism }, (_, index) =>
    harness(remember(), { subtask: { index, parallelism }, ...(restored.length === 0 ? {} : { restored }) }),
  )

const all = [10, 11, 12, 20, 30]

test.each([
  [
    2,
    [
      [10, 12, 30],
      [11, 20],
    ],
  ],
  [1, [all]],
  [3, [[10, 11, 12], [20], [30]]],
  [7, [[10], [11], [12], [20], [30], [], []]],
])('from parallelism 3 to %d each element goes to one task, and all know of all', (after, shares) => {
  const first = tasks(3)
  for (const number of all) first[Math.floor(number / 10) - 1]?.push(number)
  for (const h of first) h.barrier(1)
  const second = tasks(
    after,
    first.map(h => h.snapshot()),
  )
  for (const h of second) h.push('say')
  expect(second.map(h => h.output)).toEqual(shares.map(own => [{ list: own, union: own, restored: all }]))
  for (const h of second) {
    h.push(40)
    h.push('say')
    h.barrier(2)
  }
  expect(second.map(h => h.output[1])).toEqual(
    shares.map(own => ({ list: [...own, 40], union: [...own, 40], restored: all })),
  )
  // What all know is not written by all: nothing has become more but what was added.
  const third = tasks(
    1,
    second.map(h => h.snapshot()),
  )
  third[0]?.push('say')
  expect(third[0]?.output[0]?.union).toHaveLength(all.length + after)
})

test('what a handler has been given is not changed any more', () => {
  const [h] = tasks(1)
  h?.push(1)
  h?.push('say')
  h?.push(2)
  h?.push('say')
  h?.push('clear')
  h?.push('say')
  h?.push(3)
  expect(h?.output.map(({ list, union }) => [list, union])).toEqual([
    [[1], [1]],
    [
      [1, 2],
      [1, 2],
    ],
    [[], [0]],
  ])
})

test('a snapshot from the middle of a call has the lists as they were before it', () => {
  const thrice = operator<number, number>('thrice', ({ state }) => {
    const seen = state.list('seen', t.number)
    return {
      *record(n) {
        seen.add(n)
        seen.add(-n)
        for (let i = 0; i < 3; i++) yield seen.get().length
      },
    }
  })
  const h = harness(thrice, { room: 4 })
  h.push(1)
  h.push(2)
  expect(h.suspended).toBe(true)
  h.barrier(1, { alignment: 'unaligned' })
  const again = harness(thrice, { restored: h.snapshot() })
  again.push(3)
  expect([h.output, again.output]).toEqual([
    [2, 2, 2, 4],
    [4, 4, 6, 6, 6],
  ])
})

test('union state that is not declared is refused', () => {
  expect(() => harness(remember([]), {}).push(1)).toThrow(
    expect.objectContaining({
      code: 'UNION_NOT_DECLARED',
      place: 'remember',
      remedy: expect.stringContaining("['all']"),
    }),
  )
})

test('a value that does not decode is refused, naming operator and state', () => {
  const [h] = tasks(1)
  h?.push(1)
  h?.barrier(1)
  const other = operator<number, number>(
    'remember',
    ({ state }) => {
      state.list('some', t.string)
      return { record: () => {} }
    },
    { unionStates: ['all'] },
  )
  const snapshot = h?.snapshot() as HarnessSnapshot
  expect(() => harness(other, { restored: snapshot }).push(1)).toThrow(
    expect.objectContaining({
      code: 'STATE_NOT_MATCHED',
      message: expect.stringContaining('some of operator remember'),
    }),
  )
})

describe('in a job', () => {
  const numbers = (length: number) => Array.from({ length }, (_, n) => n)
  const pipeline = (sink: Sink<number>, told: Said[]) =>
    stream(fromArray(numbers(600), { splits: 4 })).pipe(
      operator<number, number>(
        'seen',
        ({ state }) => {
          const list = state.list('list', t.number)
          const union = state.union('union', t.number)
          told.push({ list: list.get(), union: union.get(), restored: union.restored })
          return {
            record(n, out) {
              list.add(n)
              union.add(n)
              out.emit(n)
            },
          }
        },
        { unionStates: ['union'] },
      ),
      flatMap(n => [n]),
      into(sink),
    )

  test('stopped and run again at parallelism 2, 2, 3 and 1, what is in the lists is what has been read', async () => {
    const store = memoryStore()
    const records: number[] = []
    const sink = slowCollect(records, { macrotasks: 1 })
    const runs: Said[][] = []
    for (const [i, parallelism] of [2, 2, 3, 1].entries()) {
      const told: Said[] = []
      runs.push(told)
      let taken: Promise<unknown> | undefined
      const job = runIn(
        stepped(turn => {
          if (turn === 60 && i < 3) {
            taken = job.triggerCheckpoint({ alignment: 'unaligned' }).then(() => job.cancel())
          }
        }),
        pipeline(sink, told),
        { parallelism, store, channels: { buffersMax: 2, bufferRecordsMax: 4 } },
      )
      await job.done.catch(error => {
        if (error.code !== 'CANCELLED') throw error
      })
      await taken
    }
    expect(records.sort((a, b) => a - b)).toEqual(numbers(600))
    expect(runs.map(told => told.length)).toEqual([2, 2, 3, 1])
    expect(runs[0]?.every(({ restored }) => restored.length === 0)).toBe(true)
    for (const told of runs.slice(1)) {
      const [first] = told as [Said, ...Said[]]
      expect(first.restored.length).toBeGreaterThan(0)
      expect(new Set(first.restored).size).toBe(first.restored.length)
      // One array for all.
      expect(told.every(({ restored }) => restored === first.restored)).toBe(true)
      for (const name of ['list', 'union'] as const) {
        expect(told.flatMap(of => of[name]).sort((a, b) => a - b)).toEqual([...first.restored].sort((a, b) => a - b))
      }
    }
  })

  test('in another stage all know of all, also a task with none of its own', async () => {
    const ofTheFirst = (sink: Sink<number>, told: Said[], { moved }: { readonly moved: boolean }) => {
      const source = stream(fromArray(numbers(600), { splits: 4 }))
      return (moved ? source.pipe(rebalance()) : source).pipe(
        operator<number, number>(
          'seen',
          ({ state, subtask }) => {
            const union = state.union('union', t.number)
            told.push({ list: [], union: union.get(), restored: union.restored })
            return {
              record(n, out) {
                if (subtask.index === 0) union.add(n)
                out.emit(n)
              },
            }
          },
          { unionStates: ['union'] },
        ),
        into(sink),
      )
    }
    const [records, told]: [number[], Said[]] = [[], []]
    const savepoint = memoryStore()
    const sink = slowCollect(records, { macrotasks: 1 })
    const options = { parallelism: 2, channels: { buffersMax: 2, bufferRecordsMax: 4 } }
    let stopped: Promise<unknown> | undefined
    const job = runIn(
      stepped(turn => {
        if (turn === 60) stopped = job.stop({ savepoint })
      }),
      ofTheFirst(sink, [], { moved: false }),
      options,
    )
    await job.done
    await stopped
    await run(ofTheFirst(sink, told, { moved: true }), { ...options, restore: { savepoint } }).done
    expect(records.sort((a, b) => a - b)).toEqual(numbers(600))
    const [first, second] = told
    expect(first?.restored.length).toBeGreaterThan(0)
    expect([first?.union, second?.union]).toEqual([first?.restored, []])
    expect(second?.restored).toBe(first?.restored)
  })

  test.each([1, 2])(
    'at parallelism %d a job lets go of what it was restored from, unless its handlers keep it',
    async parallelism => {
      const waiting: Source<number, null> = {
        name: 'waiting',
        position: t.null,
        splits: () => [['0', '1']],
        open: () => ({ next: () => 'wait', ready$: NEVER, position: () => null, close: () => {} }),
      }
      const made: WeakRef<object>[] = []
      const knowing = stream(waiting).pipe(
        operator<number, never>(
          'knowing',
          ({ state }) => {
            const union = state.union('all', t.number)
            if (union.restored.length === 0) union.add(1)
            else {
              made.push(new WeakRef(union.restored))
              union.clear()
            }
            return { record: () => {} }
          },
          { unionStates: ['all'] },
        ),
        into(collect()),
      )
      const store = memoryStore()
      const running = async (job: Job) => {
        await firstValueFrom(job.status$.pipe(filter(({ kind }) => kind === 'running')))
        return job
      }
      const first = await running(run(knowing, { store }))
      await first.triggerCheckpoint()
      first.cancel()
      await first.done.catch(() => {})
      const second = await running(run(knowing, { store, parallelism }))
      expect(made).toHaveLength(parallelism)
      for (let i = 0; i < 3; i++) {
        await turn()
        collectGarbage()
      }
      expect(made.every(of => of.deref() === undefined)).toBe(true)
      second.cancel()
      await second.done.catch(() => {})
    },
  )

  test('tasks with union state restart together, and take no checkpoints by region', () => {
    const direct = pipeline(collect(), [])
    expect(explainRegions(direct, { parallelism: 2 }).regions).toEqual([['0:fromArray/0', '0:fromArray/1']])
    const regions = stream(fromArray([1], { splits: 2 })).pipe(
      map(n => n),
      into(collect()),
    )
    expect(explainRegions(regions, { parallelism: 2 }).regions).toHaveLength(2)
    const policy = regional({ failedRatioMax: 0.5, consecutiveFailuresMax: 2 })
    expect(() => run(direct, { parallelism: 2, checkpoints: { policy } })).toThrow(
      expect.objectContaining({ code: 'NOT_REGIONAL', place: 'seen' }),
    )
  })
})
