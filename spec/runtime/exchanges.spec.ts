import { operator, type Pipeline, type Stream, stream } from 'spillway'
import { broadcast, fromArray, global, into, map, partition, rebalance, rescale, union } from 'spillway/operators'
import { describe, expect, test } from 'vitest'
import { runIn } from '../run.ts'
import { slowCollect, stepped, stoppedAndResumed, turnsOf } from './restored.ts'

const numbers = Array.from({ length: 48 }, (_, n) => n)

/** `3@1`: record 3 is in task 1. */
const placed = operator<number, string>(
  'placed',
  ({ subtask }) => ({ record: (n, out) => out.emit(`${n}@${subtask.index}`) }),
  { stateful: false },
)

/** Two tasks with every other number each, dealt to three. */
const dealt = (exchange: (source: Stream<number>) => Stream<number>) => (records: string[]) =>
  stream(fromArray(numbers, { splits: 2 }), { parallelism: 2 }).pipe(
    exchange,
    placed,
    into(slowCollect(records, { macrotasks: 2 })),
  )

const parallelism = 3

/** What each gives in any order, or, where that is chance, which tasks each record may come to. */
const exchanges: Readonly<
  Record<
    string,
    { readonly of: (records: string[]) => Pipeline; readonly in: (n: number) => readonly (readonly number[])[] }
  >
> = {
  rebalance: { of: dealt(rebalance({ parallelism })), in: () => [[0, 1, 2]] },
  // The first has the tasks 0 and 1, the second task 2.
  rescale: { of: dealt(rescale({ parallelism })), in: n => [splitOf(n) === 0 ? [0, 1] : [2]] },
  broadcast: { of: dealt(broadcast({ parallelism })), in: () => [[0], [1], [2]] },
  global: { of: dealt(global({ parallelism })), in: () => [[0]] },
  partition: { of: dealt(partition((n, channels) => n % channels, { parallelism })), in: n => [[n % 3]] },
}

/** fromArray gives halves. */
const splitOf = (n: number): number => (n < numbers.length / 2 ? 0 : 1)

const options = { parallelism: 1, checks: true, channels: { buffersMax: 2, bufferRecordsMax: 4 } }

/** Each record is in as many places as it should be, and in those alone. */
const checkPlaces = (records: readonly string[], places: (n: number) => readonly (readonly number[])[]): void => {
  for (const n of numbers) {
    const found = records
      .filter(of => of.startsWith(`${n}@`))
      .map(of => Number(of.split('@')[1]))
      .sort()
    const wanted = places(n)
    expect([n, found.length]).toEqual([n, wanted.length])
    found.forEach((task, i) => {
      expect([n, wanted[i]]).toEqual([n, expect.arrayContaining([task])])
    })
  }
}

/** Tasks whose snapshots of unaligned checkpoints, one in each of many turns, have in-flight data. */
const tasksWithInFlight = async (pipeline: () => Pipeline, halves: boolean): Promise<readonly string[]> => {
  const found = new Set<string>()
  let completed = 0
  for (let turn = 1; turn < 200; turn += 9) {
    const job = runIn(
      {
        ...stepped(at => {
          if (at === turn)
            job.triggerCheckpoint({ alignment: 'unaligned' }).then(
              ({ outcome }) => outcome === 'completed' && completed++,
              () => {},
            )
        }, halves),
        observe: of => {
          if (of.kind === 'snapshot' && of.inFlight.length > 0) found.add(of.task.slice(2, -2))
        },
      },
      [pipeline()],
      options,
    )
    await job.done
  }
  expect(completed).toBeGreaterThan(5)
  return [...found].sort()
}

const throughTwo = (alignedOnly: boolean) => () => {
  const one = stream(fromArray(numbers, { name: 'a', splits: 2 }), { parallelism: 2 })
  const other = stream(fromArray(numbers, { name: 'b', splits: 2 }), { parallelism: 2 })
  return union(one.pipe(rebalance({ parallelism: 2, alignedOnly })), other.pipe(rebalance({ parallelism: 2 }))).pipe(
    rebalance({ parallelism: 2 }),
    map(n => n),
    into(slowCollect<number>([], { macrotasks: 2 })),
  )
}

describe.each([
  { form: 'one queue', halves: false },
  { form: 'two halves', halves: true },
])('channels of $form:', ({ halves }) => {
  for (const [name, { of, in: places }] of Object.entries(exchanges)) {
    for (const alignment of ['aligned', 'unaligned'] as const) {
      test(`${name} from 2 tasks to 3: ${alignment} checkpoints are restored exactly once`, async () => {
        const undisturbed: string[] = []
        const turns = await turnsOf([of(undisturbed)], { ...options, halves })
        checkPlaces(undisturbed, places)
        let resumed = 0
        const step = Math.max(1, Math.floor(turns / 25))
        for (let turn = 1; turn <= turns; turn += step) {
          const records: string[] = []
          const pipelines = [of(records)]
          if (await stoppedAndResumed(() => pipelines, { ...options, halves, turn, alignment })) resumed++
          checkPlaces(records, places)
        }
        expect(resumed).toBeGreaterThan(turns / step / 2)
      })
    }
  }

  test('an unaligned checkpoint captures in-flight data of all stages behind an exchange', async () => {
    expect(await tasksWithInFlight(throughTwo(false), halves)).toEqual(['map', 'union'])
  })

  test('an aligned-only exchange aligns all inputs of the stage behind it; behind that the checkpoint is unaligned again', async () => {
    expect(await tasksWithInFlight(throughTwo(true), halves)).toEqual(['map'])
  })
})
