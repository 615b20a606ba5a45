import { memoryStore, named, type Pipeline, type RunOptions, type Sink, stream } from 'spillway'
import { eventTime, flatMap, fromArray, into, keyBy, map, rebalance, sum, tumblingWindow } from 'spillway/operators'
import { expect, test } from 'vitest'
import { runIn } from '../run.ts'
import { slowCollect, stepped } from './restored.ts'

interface Event {
  readonly key: number
  readonly timeMs: number
}
const events = Array.from({ length: 60 }, (_, n): Event => ({ key: n % 5, timeMs: n * 10 }))

/** Calls that are suspended, windows, and a result for each. */
const pipeline = (sink: Sink<string>, { changed }: { readonly changed: boolean }): Pipeline => {
  const doubled = stream(fromArray(events, { splits: 2 }), { parallelism: 2 }).pipe(
    eventTime({ timeMs: ({ timeMs }) => timeMs, outOfOrderMs: 0 }),
    flatMap(event => [event, event]),
  )
  const dealt = changed
    ? doubled.pipe(
        rebalance(),
        map(event => event),
      )
    : doubled
  return dealt.pipe(
    keyBy(({ key }) => key),
    tumblingWindow(
      { sizeMs: 100, late: 'drop' },
      sum(() => 1),
    ),
    map(({ key, startMs, value }) => `${key} ${startMs} ${value}`),
    named('out', into(sink)),
  )
}

const options = { checks: true, channels: { bufferRecordsMax: 3, buffersMax: 2 } } satisfies RunOptions

/** Stopped in this turn, and gone on with; undefined if the job ended before. */
const stoppedIn = async (
  turn: number,
  { halves }: { readonly halves: boolean },
): Promise<readonly string[] | undefined> => {
  const records: string[] = []
  const sink = slowCollect(records, { macrotasks: 1 })
  const savepoint = memoryStore()
  let stopping: Promise<unknown> | undefined
  const job = runIn(
    stepped(at => {
      if (at === turn) stopping = job.stop({ savepoint })
    }, halves),
    pipeline(sink, { changed: false }),
    { ...options, parallelism: 2 },
  )
  await job.done
  const stopped = await stopping?.catch(() => undefined)
  if (stopped === undefined) return undefined
  const second = runIn(
    stepped(() => {}, halves),
    pipeline(sink, { changed: turn % 2 === 0 }),
    { ...options, parallelism: 1 + (turn % 3), restore: { savepoint } },
  )
  await second.done
  return records
}

test.each([{ halves: false }, { halves: true }])(
  'in whatever turn a job is stopped, it is gone on with once and whole, at another parallelism and in other stages: $halves',
  async of => {
    const starts = [0, 100, 200, 300, 400, 500]
    const expected = starts.flatMap(startMs => [0, 1, 2, 3, 4].map(key => `${key} ${startMs} 4`)).toSorted()
    let stopped = 0
    for (let turn = 1; turn < 120; turn += 4) {
      const records = await stoppedIn(turn, of)
      if (records === undefined) continue
      stopped++
      expect(records.toSorted(), `stopped in turn ${turn}`).toEqual(expected)
    }
    expect(stopped).toBeGreaterThan(10)
  },
)
