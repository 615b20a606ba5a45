import * as t from 'io-ts'
import { keyedOperator, memoryStore, type Pipeline, type Sink, type Stream, stream } from 'spillway'
import { fromArray, global, into, keyBy, map, partition, rebalance, rescale, union } from 'spillway/operators'
import { describe, expect, test } from 'vitest'
import { runIn } from '../run.ts'
import { slowCollect, stepped } from './restored.ts'

/** Each of 1, 2, 3, 4 and 7 is followed by each other, once. */
const parallelisms = [1, 2, 1, 3, 1, 4, 1, 7, 2, 3, 2, 4, 2, 7, 3, 4, 3, 7, 4, 7, 1]

interface Rec {
  readonly key: number
  readonly n: number
}

const keys = 14
const records: readonly Rec[] = Array.from({ length: keys * 120 }, (_, i) => ({
  key: Math.floor(i / 120),
  n: i % 120,
}))

/** Refuses a record that comes before or behind its place among those of its key, and one that comes twice or is missing. */
const inOrder = (name: string) =>
  keyedOperator<Rec, number, Rec>(name, ({ state }) => {
    const seen = state.value('seen', t.number, 0)
    return {
      record: (of, out) => {
        if (seen.get() !== of.n)
          throw new Error(`${name}: record ${of.n} of key ${of.key} comes as number ${seen.get()}`)
        seen.set(of.n + 1)
        out.emit(of)
      },
    }
  })

interface Way {
  /** From tasks that have each key's records in order. */
  readonly through: (source: Stream<Rec>) => Stream<Rec>
  readonly keepsOrder: boolean
}

const ways: Readonly<Record<string, Way>> = {
  keyed: {
    through: source =>
      source.pipe(
        keyBy(({ key }) => 5 * key),
        map(of => of),
      ),
    keepsOrder: true,
  },
  forward: { through: source => union(source, stream(fromArray<Rec>([], { name: 'none' }))), keepsOrder: true },
  rescale: { through: source => source.pipe(rescale()), keepsOrder: true },
  global: { through: source => source.pipe(global()), keepsOrder: true },
  custom: { through: source => source.pipe(partition(({ key }, channels) => key % channels)), keepsOrder: true },
  rebalance: { through: source => source.pipe(rebalance()), keepsOrder: false },
}

const pipeline = ({ through, keepsOrder }: Way, sink: Sink<Rec>): Pipeline => {
  const ordered = stream(fromArray(records, { splits: 7 })).pipe(
    keyBy(({ key }) => key),
    inOrder('before'),
  )
  const after = through(ordered).pipe(
    map(of => of),
    keyBy(({ key }) => key + 100),
  )
  return keepsOrder ? after.pipe(inOrder('behind'), into(sink)) : after.pipe(into(sink))
}

const transitions = Object.entries(ways).flatMap(([exchange, way]) =>
  (['aligned', 'unaligned'] as const).map(alignment => [exchange, alignment, way] as const),
)

describe.each([
  { form: 'one queue', halves: false },
  { form: 'two halves', halves: true },
])('from each parallelism to each other, with channels of $form', ({ halves }) => {
  test.each(transitions)('%s, from %s checkpoints: nothing is lost or doubled', async (_, alignment, way) => {
    const published: Rec[] = []
    const sink = slowCollect(published, { macrotasks: 2 })
    const store = memoryStore()
    let inFlight = 0
    let restarts = 0
    for (const [i, parallelism] of parallelisms.entries()) {
      let taken: Promise<unknown> | undefined
      const job = runIn(
        stepped(turn => {
          if (turn !== 20 + 3 * parallelism || i === parallelisms.length - 1) return
          taken = job.triggerCheckpoint({ alignment }).then(async report => {
            expect(report.outcome).toBe('completed')
            inFlight += report.inFlightRecords
            restarts++
            await job.cancel()
          })
        }, halves),
        pipeline(way, sink),
        { parallelism, store, checks: true, channels: { buffersMax: 2, bufferRecordsMax: 2 } },
      )
      await job.done.catch(error => {
        if (error.code !== 'CANCELLED') throw error
      })
      await taken
    }
    expect(restarts).toBe(parallelisms.length - 1)
    expect(inFlight > 0).toBe(alignment === 'unaligned')
    const byKey = (a: Rec, b: Rec) => a.key - b.key || a.n - b.n
    expect(published.toSorted(byKey)).toEqual(records)
  })
})
