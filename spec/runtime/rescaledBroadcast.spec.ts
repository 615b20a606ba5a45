import * as t from 'io-ts'
import { keyedWithBroadcast, memoryStore, type Pipeline, type RunOptions, stream } from 'spillway'
import { broadcast, fromArray, into, keyBy } from 'spillway/operators'
import { describe, expect, test } from 'vitest'
import { runIn } from '../run.ts'
import { slowCollect, stepped, turnsOf } from './restored.ts'

const range = (count: number) => Array.from({ length: count }, (_, n) => n)
const rules = range(24)
const keys = range(20)
/** One key has most of the records: its task is far behind with the rules. */
const records = [...keys, ...range(60).map(() => 0)]

/** How often each rule has been applied to each key; over all runs that are restored from one another. */
interface Seen {
  readonly out: string[]
}

/**
 * Each rule increments every key, and comes out once a key with the key's count, and once a task with the number of rules that
 * the task had. Rules and records interleave by chance, so keys are there from the beginning only by what they have in state.
 */
const pipeline = ({ out }: Seen): Pipeline =>
  keyedWithBroadcast<number, number, number, string>(
    'ruled',
    stream(fromArray(records, { name: 'records', splits: 2 })).pipe(keyBy(key => key)),
    stream(fromArray(rules, { name: 'rules' }), { parallelism: 1 }).pipe(broadcast()),
    ({ state, broadcastState }) => {
      const [met, applied] = [state.value('met', t.number, 0), state.value('applied', t.number, 0)]
      const known = broadcastState.value('known', t.number, 0)
      return {
        *record(key) {
          if (met.get() === 0) {
            applied.set(known.get())
            for (const rule of range(known.get())) yield `rule ${rule} for ${key}`
          }
          const nth = met.update(count => count + 1)
          if (applied.get() !== known.get()) yield `${key} has had ${applied.get()} of ${known.get()}`
          yield `record ${nth} of ${key}`
        },
        *broadcast(rule) {
          if (known.get() !== rule) yield `rule ${rule} meets ${known.get()}`
          known.set(rule + 1)
          yield `rule ${rule}`
          for (const key of met.keys()) {
            if (applied.get() !== rule) yield `rule ${rule} meets ${applied.get()} of ${key}`
            applied.set(rule + 1)
            yield `rule ${rule} for ${key}`
          }
        },
      }
    },
    { effect: 'keysAndResults' },
  ).pipe(into(slowCollect(out, { macrotasks: 2 })))

const counts = (out: readonly string[]): ReadonlyMap<string, number> => {
  const counted = new Map<string, number>()
  for (const of of out) counted.set(of, (counted.get(of) ?? 0) + 1)
  return counted
}

/**
 * Nothing but what each key and rule gives, that once; and each rule once for each task of the run in which it was sent. What old tasks
 * had still to do with a rule comes out once for each of them, so with one parallelism after the other the counts are theirs, each for the
 * rules from where the one before ends.
 */
const check = (out: readonly string[], parallelisms: readonly number[], place: string): readonly number[] => {
  const counted = new Map(counts(out))
  const times = rules.map(rule => counted.get(`rule ${rule}`) ?? 0)
  expect(times.join(''), `${place}: tasks that have given each rule`).toMatch(
    new RegExp(`^${parallelisms.map(count => `${count}*`).join('')}$`),
  )
  for (const rule of rules) counted.delete(`rule ${rule}`)
  const wanted = [
    ...keys.flatMap(key => rules.map(rule => `rule ${rule} for ${key}`)),
    ...keys.flatMap(key => range(key === 0 ? 61 : 1).map(n => `record ${n + 1} of ${key}`)),
  ]
  expect([...counted].sort(), place).toEqual(wanted.map(of => [of, 1]).sort())
  return times
}

const options = { checks: true, channels: { buffersMax: 2, bufferRecordsMax: 4 } } satisfies RunOptions

/** Runs with these parallelisms, one after the other, each stopped at a checkpoint taken in its turn. False: it ended before. */
const changed = async (
  seen: Seen,
  runs: readonly { readonly parallelism: number; readonly turn: number }[],
  { alignment, halves }: { readonly alignment: 'aligned' | 'unaligned'; readonly halves: boolean },
): Promise<{ readonly resumed: number; readonly replayed: number }> => {
  const store = memoryStore()
  const pipelines = [pipeline(seen)]
  let [resumed, replayed] = [0, 0]
  for (const [i, { parallelism, turn }] of runs.entries()) {
    const isLast = i === runs.length - 1
    let stopping: Promise<void> | undefined
    const job = runIn(
      {
        ...stepped(at => {
          if (isLast || at !== turn) return
          stopping = job.triggerCheckpoint({ alignment }).then(
            () => {
              resumed++
              return job.cancel()
            },
            () => {},
          )
        }, halves),
        observe: of => {
          if (of.kind === 'snapshot' && of.operators.some(({ kept }) => '(lines)' in kept)) replayed++
        },
      },
      pipelines,
      { ...options, parallelism, store },
    )
    await job.done.catch(error => {
      if (isLast) throw error
    })
    await stopping
  }
  return { resumed, replayed }
}

describe.each(
  ['one queue', 'two halves'].flatMap(form =>
    (['aligned', 'unaligned'] as const).map(alignment => ({ form, alignment, halves: form === 'two halves' })),
  ),
)('channels of $form, $alignment', form => {
  test.each([
    [2, 3],
    [3, 2],
    [1, 4],
  ])('from %d tasks to %d each rule is applied to each key once, and comes out once a task', async (before, after) => {
    const turns = await turnsOf([pipeline({ out: [] })], { ...options, halves: form.halves, parallelism: before })
    let [resumed, inBoth] = [0, 0]
    const step = Math.max(1, Math.floor(turns / 16))
    for (let turn = 1; turn <= turns; turn += step) {
      const seen: Seen = { out: [] }
      const of = [
        { parallelism: before, turn },
        { parallelism: after, turn },
      ]
      resumed += (await changed(seen, of, form)).resumed
      const times = check(seen.out, [before, after], `stopped in turn ${turn}`)
      if (times.includes(before) && times.includes(after)) inBoth++
    }
    expect(resumed).toBeGreaterThan(turns / step / 3)
    expect(inBoth).toBeGreaterThan(1)
  })

  test('from each of 1, 2, 3, 4 and 7 tasks to each other', async () => {
    let resumed = 0
    for (const before of [1, 2, 3, 4, 7]) {
      const turns = await turnsOf([pipeline({ out: [] })], { ...options, halves: form.halves, parallelism: before })
      for (const after of [1, 2, 3, 4, 7]) {
        for (const share of [0.3, 0.5, 0.8]) {
          const seen: Seen = { out: [] }
          const turn = Math.floor(share * turns)
          const of = [
            { parallelism: before, turn },
            { parallelism: after, turn: 0 },
          ]
          resumed += (await changed(seen, of, form)).resumed
          check(seen.out, [before, after], `${before} to ${after}, stopped in turn ${turn}`)
        }
      }
    }
    expect(resumed).toBeGreaterThan(25)
  })

  test('from 2 tasks to 3 and to 2 and to 4 while what is replayed is not yet over', async () => {
    let [resumed, replayed] = [0, 0]
    for (let turn = 10; turn < 250; turn += 24) {
      for (const [soon, later] of [
        [1, 2],
        [6, 3],
        [15, 15],
      ] as const) {
        const seen: Seen = { out: [] }
        const of = [
          { parallelism: 2, turn },
          { parallelism: 3, turn: soon },
          { parallelism: 2, turn: later },
          { parallelism: 4, turn: 0 },
        ]
        const found = await changed(seen, of, form)
        check(seen.out, [2, 3, 2, 4], `stopped in turns ${turn}, ${soon}, ${later}`)
        resumed += found.resumed
        replayed += found.replayed
      }
    }
    expect(resumed).toBeGreaterThan(20)
    if (form.alignment === 'unaligned') expect(replayed).toBeGreaterThan(8)
  })
})
