import * as t from 'io-ts'
import { buffer, end, keyedOperator, memoryStore, stream } from 'spillway'
import { fromArray, into, keyBy, mean } from 'spillway/operators'
import { type HarnessSnapshot, harness, operatorLaws } from 'spillway/testing'
import { expect, test } from 'vitest'
import { runIn } from '../run.ts'
import { slowCollect, stepped } from '../runtime/restored.ts'

type Change = readonly [key: string, value: number | 'clear' | 'again']

/** All kinds of keyed state but the plain value, and what they hold after each change, three times over, changing meanwhile. */
const kinds = () =>
  keyedOperator<Change, string, string>('kinds', ({ state }) => {
    const list = state.list('list', t.number)
    const sum = state.reducing('sum', t.number, (a, b) => a + b)
    const average = state.aggregating(
      'average',
      mean<number>(n => n),
    )
    const last = state.map('last', { key: t.string, value: t.number })
    return {
      *record([key, value]) {
        if (value === 'clear') for (const each of [list, sum, average, last]) each.clear()
        else if (value === 'again') list.set(list.get().toReversed())
        else {
          list.add(value)
          sum.add(value)
          average.add(value)
          last.set(value % 2 === 0 ? 'even' : 'odd', value)
        }
        for (const part of ['list', 'sum', 'average', 'last'] as const) {
          const shown = { list: list.get(), sum: sum.get(), average: average.get(), last: [...last.entries()] }[part]
          list.add(100)
          yield `${key} ${part} ${shown}`
        }
      },
    }
  })
const keyBy_ = ([key]: Change) => key
const changes: readonly Change[] = [
  ['a', 1],
  ['b', 7],
  ['a', 4],
  ['a', 'again'],
  ['b', 'clear'],
  ['a', 3],
  ['b', 2],
  ['a', 'clear'],
  ['a', 5],
]

for (const law of operatorLaws('kinds of keyed state', kinds, [buffer(changes), end], {
  keyBy: keyBy_,
  keyOf: shown => shown.split(' ')[0],
}))
  test(law.title, law.check)

test('lists keep their order, also after a restore; what nothing was added to is empty', () => {
  const h = harness(kinds(), { keyBy: keyBy_ })
  h.push(['a', 'clear'])
  expect(h.take()).toEqual(['a list ', 'a sum undefined', 'a average NaN', 'a last '])
  h.push(['a', 1])
  h.push(['a', 'again'])
  expect(h.take().filter(of => of.includes('list'))).toEqual([
    'a list 100,100,100,100,1',
    'a list 100,100,100,100,1,100,100,100,100',
  ])
  h.barrier(1)
  const restored = harness(kinds(), { keyBy: keyBy_, restored: h.snapshot() })
  restored.push(['a', 6])
  expect(restored.output).toEqual([
    'a list 100,100,100,100,1,100,100,100,100,100,100,100,100,6',
    'a sum 7',
    'a average 3.5',
    'a last odd,1,even,6',
  ])
})

test.each([
  [1, 3],
  [3, 2],
  [2, 7],
])('from %d tasks to %d each key has what it had', (before, after) => {
  const letters = [...'abcdefghijklmnop']
  const tasks = (parallelism: number, restored: readonly HarnessSnapshot[] = []) =>
    Array.from({ length: parallelism }, (_, index) =>
      harness(kinds(), {
        keyBy: keyBy_,
        subtask: { index, parallelism },
        ...(restored.length === 0 ? {} : { restored }),
      }),
    )
  const first = tasks(before)
  const send = (to: typeof first, value: number) => {
    for (const h of to) h.send(buffer(letters.map((letter): Change => [letter, value])))
  }
  send(first, 1)
  for (const h of first) h.barrier(1)
  const second = tasks(
    after,
    first.map(h => h.snapshot()),
  )
  send(second, 2)
  const shown = second.flatMap(h => h.output)
  for (const letter of letters) {
    expect(shown.filter(of => of.startsWith(`${letter} `))).toEqual([
      `${letter} list 1,100,100,100,100,2`,
      `${letter} sum 3`,
      `${letter} average 1.5`,
      `${letter} last odd,1,even,2`,
    ])
  }
})

test('in a job that is stopped again and again, from incremental checkpoints in objects, lists and maps are what they should be', async () => {
  const store = memoryStore()
  const records: string[] = []
  const sink = slowCollect(records, { macrotasks: 1 })
  const pipeline = stream(
    fromArray(
      Array.from({ length: 600 }, (_, n) => n),
      { splits: 4 },
    ),
  ).pipe(
    keyBy(n => n % 5),
    keyedOperator<number, number, string>('remember', ({ state }) => {
      const list = state.list('list', t.number)
      const tens = state.map('tens', { key: t.number, value: t.number })
      return {
        record(n, out, { key }) {
          list.add(n)
          tens.update(Math.floor(n / 100), (before = 0) => before + 1)
          const all = list.get()
          out.emit(`${key} ${all.length} ${new Set(all).size} ${[...tens.values()].reduce((a, b) => a + b)}`)
        },
      }
    }),
    into(sink),
  )
  const parallelisms = [2, 2, 3, 1, 4, 2]
  for (const [i, parallelism] of parallelisms.entries()) {
    let taken: Promise<unknown> | undefined
    const job = runIn(
      stepped(turn => {
        if ((turn === 20 || turn === 40) && i < parallelisms.length - 1) {
          taken = job.triggerCheckpoint({ alignment: 'unaligned' }).then(() => (turn === 40 ? job.cancel() : undefined))
        }
      }),
      pipeline,
      {
        parallelism,
        store,
        checks: true,
        checkpoints: { inlineBytesMax: 0 },
        channels: { buffersMax: 2, bufferRecordsMax: 4 },
      },
    )
    await job.done.catch(error => {
      if (error.code !== 'CANCELLED') throw error
    })
    await taken
  }
  const expected = Array.from({ length: 5 }, (_, key) =>
    Array.from({ length: 120 }, (__, n) => `${key} ${n + 1} ${n + 1} ${n + 1}`),
  )
  expect(records.toSorted()).toEqual(expected.flat().toSorted())
})
