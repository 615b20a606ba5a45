import { type CheckpointReport, keyedOperator, memoryStore, type Pipeline, type Sink, stream } from 'spillway'
import {
  eventTime,
  filter,
  flatMap,
  fromArray,
  into,
  keyBy,
  map,
  rebalance,
  sum,
  tumblingWindow,
} from 'spillway/operators'
import { expect, test } from 'vitest'
import { type ChannelForm, channelForms } from './channelForms.ts'
import { nothingPublished, runThrottled } from './throttled.ts'

type Long = (sink: Sink<number>) => Pipeline

const one = () => stream(fromArray([0]))
const upTo = (count: number) =>
  function* () {
    for (let i = 0; i < count; i++) yield i
  }

const generator =
  (count: number): Long =>
  sink =>
    one().pipe(flatMap(upTo(count)), into(sink))

const resuming =
  (count: number): Long =>
  sink =>
    one().pipe(
      flatMap(function* (_record, from: number) {
        for (let i = from; i < count; i++) yield i
      }),
      into(sink),
    )

const twice =
  (count: number): Long =>
  sink =>
    one().pipe(
      flatMap(upTo(count / 10)),
      flatMap(n => Array.from({ length: 10 }, (_, i) => 10 * n + i)),
      into(sink),
    )

const acrossTasks =
  (count: number): Long =>
  sink =>
    one().pipe(
      flatMap(upTo(count / 10)),
      rebalance(),
      flatMap(n => Array.from({ length: 10 }, (_, i) => 10 * n + i)),
      into(sink),
    )

/** Values of one size in a snapshot, however many there are: integers take the fewer bytes the smaller they are. */
const sized = (n: number) => n + 0.5

/** The last record's time is that at which all others' timers are due at once. */
const timed = (count: number) =>
  stream(fromArray(Array.from({ length: count + 1 }, (_, n) => sized(n)))).pipe(
    eventTime({ timeMs: n => (n < count ? Math.floor(n) % 10 : 1_000_000), outOfOrderMs: 0 }),
    keyBy(n => n),
  )

/** Each key but the last has a timer; its result is the key. */
const due = (count: number) =>
  keyedOperator<number, number, number>('due', ({ timers }) => ({
    record: n => {
      if (n < count) timers.at(100)
    },
    timer: (_timeMs, out, { key }) => out.emit(key),
  }))

/** A result at once, and one by a timer. */
const twiceInTime = (count: number) =>
  keyedOperator<number, number, number>('twiceInTime', ({ timers }) => ({
    record: (n, out) => {
      out.emit(n)
      timers.at(200)
    },
    timer: (_timeMs, out, { key }) => out.emit(key + count),
  }))

const twofold = (n: number) => Array.from({ length: 2 }, (_, i) => sized(2 * Math.floor(n) + i))
const tenfold = (n: number) => Array.from({ length: 10 }, (_, i) => sized(10 * Math.floor(n) + i))

const timers =
  (count: number): Long =>
  sink =>
    timed(count).pipe(due(count), into(sink))

const timersThenLong =
  (count: number): Long =>
  sink =>
    timed(count).pipe(due(count), flatMap(tenfold), into(sink))

const timersThenTimers =
  (count: number): Long =>
  sink =>
    timed(count).pipe(
      due(count),
      keyBy(n => n),
      twiceInTime(count),
      into(sink),
    )

const windowed = (count: number) =>
  timed(count).pipe(
    tumblingWindow(
      { sizeMs: 100, late: 'drop' },
      sum((n: number) => n),
    ),
    map(({ key }) => key),
    filter(n => n < count),
  )

const windows =
  (count: number): Long =>
  sink =>
    windowed(count).pipe(into(sink))

const windowsThenTwoLong =
  (count: number): Long =>
  sink =>
    windowed(count).pipe(flatMap(twofold), flatMap(twofold), into(sink))

/** So small that half of 10,000 results fills them. */
const channels = { buffersMax: 2, bufferRecordsMax: 64 }

/** Triggers in the middle, kills the job once the checkpoint is there, and restores it. */
const checkpointed = (long: Long, { atMs, channelIn }: { atMs: number } & Partial<Pick<ChannelForm, 'channelIn'>>) => {
  const [store, published] = [memoryStore(), nothingPublished()]
  const options = { store, published, channels, ...(channelIn === undefined ? {} : { channelIn }) }
  const { checkpoints } = runThrottled(long, { ...options, checkpointsAtMs: [atMs], killedAtMs: atMs + 1_500 })
  const [taken] = checkpoints
  if (taken === undefined) throw new Error('there is no checkpoint within 1,500 ms')
  const after = published.records.length
  return {
    taken,
    after,
    restored: () => {
      expect(runThrottled(long, options).outcome).toBe('done')
      return published.records
    },
  }
}

const eachOnce = (records: readonly number[], count: number): boolean =>
  records.length === count && new Set(records).size === count && records.every(n => n >= 0 && n < count)

const [queue] = channelForms as [ChannelForm]
const across = channelForms.map(of => ({ ...of, name: `acrossTasks, ${of.form}`, long: acrossTasks }))
const within = Object.entries({ generator, resuming, twice }).map(([name, long]) => ({ ...queue, name, long }))

const inFlight = ({ inFlightBytes, inFlightRecords }: CheckpointReport) => ({ inFlightBytes, inFlightRecords })

/** What a checkpoint costs: how long it takes, and all that it writes. */
const cost = ({ durationMs, stateBytes, inFlightBytes, inFlightRecords }: CheckpointReport) => ({
  ...{ durationMs, stateBytes, inFlightBytes, inFlightRecords },
})

for (const { name, long, channelIn, latencyMs } of [...within, ...across]) {
  test(`${name}: an unaligned checkpoint in the midst of a record costs the same with 10,000 results and with 1,000,000`, () => {
    const few = checkpointed(long(10_000), { atMs: 5_000, channelIn })
    const many = checkpointed(long(1_000_000), { atMs: 5_000, channelIn })
    for (const { taken } of [few, many]) {
      expect(taken).toMatchObject({ outcome: 'completed', alignment: 'unaligned' })
      expect(taken.durationMs).toBeCloseTo(latencyMs)
    }
    expect(cost(many.taken)).toEqual(cost(few.taken))
    expect(few.restored()).toEqual(Array.from({ length: 10_000 }, (_, n) => n))
  })
}

test.each(channelForms)(
  'a checkpoint with a timeout takes no longer, whenever it is triggered until all have ended: $form',
  ({ channelIn, latencyMs }) => {
    const ending: Long = sink => one().pipe(rebalance(), flatMap(upTo(4_000)), rebalance(), into(sink))
    const durations = Array.from({ length: 25 }, (_, i) => {
      const { checkpoints } = runThrottled(ending, {
        ...{ store: memoryStore(), published: nothingPublished(), channels, channelIn },
        ...{ alignment: { alignedTimeoutMs: 300 }, checkpointsAtMs: [1_000 + 100 * i], killedAtMs: 8_000 },
      })
      return checkpoints[0]?.durationMs ?? Number.POSITIVE_INFINITY
    })
    expect(Math.max(...durations)).toBeLessThanOrEqual(300 + 2 * latencyMs)
  },
)

test('results that a restore skips are made in many turns, so that no barrier waits for them', () => {
  let [made, atTurn, mostInTurn] = [0, 0, 0]
  const long: Long = sink =>
    one().pipe(
      flatMap(function* () {
        for (; ; made++) yield made
      }),
      into(sink),
    )
  const [store, published] = [memoryStore(), nothingPublished()]
  const options = { store, published, channels }
  runThrottled(long, { ...options, checkpointsAtMs: [100_000], killedAtMs: 101_000 })
  const delivered = published.records.length
  made = 0
  const onTurn = () => {
    mostInTurn = Math.max(mostInTurn, made - atTurn)
    atTurn = made
  }
  runThrottled(long, { ...options, killedAtMs: 1_000, readingMs: 0.1, onTurn })
  expect(made).toBeGreaterThan(delivered)
  expect(mostInTurn).toBeLessThan(delivered / 50)
})

test('an endless record: the job runs, takes checkpoints, and goes on from any of them', () => {
  const endless: Long = sink =>
    one().pipe(
      flatMap(function* () {
        for (let i = 0; ; i++) yield i
      }),
      into(sink),
    )
  const [store, published] = [memoryStore(), nothingPublished()]
  for (let life = 1; life <= 5; life++) {
    const { checkpoints } = runThrottled(endless, {
      store,
      published,
      channels,
      checkpointsAtMs: [2_000, 4_000, 6_000],
      killedAtMs: 7_000,
    })
    expect(checkpoints.map(({ outcome }) => outcome)).toEqual(['completed', 'completed', 'completed'])
    expect(Math.max(...checkpoints.map(({ durationMs }) => durationMs))).toBe(0)
  }
  expect(published.records.length).toBeGreaterThan(5 * 5_000)
  expect(published.records.every((n, i) => n === i)).toBe(true)
})

test('a million results of one record come once each and in order, through a crash in the midst', () => {
  const records = checkpointed(resuming(1_000_000), { atMs: 500_000 }).restored()
  expect(records).toHaveLength(1_000_000)
  expect(records.every((n, i) => n === i)).toBe(true)
})

const dueAtOnce: readonly (ChannelForm & {
  readonly name: string
  /** Given the number of its timers or windows. */
  readonly long: (count: number) => Long
  readonly resultsOfEach: number
  /** When the checkpoint is triggered, with so many timers or windows. */
  readonly atMs: (count: number) => number
  /** Between tasks that have not ended then. */
  readonly links: number
})[] = [
  ...channelForms.flatMap(of => {
    const due = { ...of, atMs: () => 5_000, links: 1 }
    return [
      { ...due, name: `timers, ${of.form}`, long: timers, resultsOfEach: 1 },
      { ...due, name: `windows, ${of.form}`, long: windows, resultsOfEach: 1 },
      { ...due, name: `timersThenLong, ${of.form}`, long: timersThenLong, resultsOfEach: 10 },
      { ...due, name: `windowsThenTwoLong, ${of.form}`, long: windowsThenTwoLong, resultsOfEach: 4 },
    ]
  }),
  ...channelForms.flatMap(of => {
    const twoOfTimers = { ...of, long: timersThenTimers, resultsOfEach: 2 }
    return [
      { ...twoOfTimers, name: `firstOfTwoTimers, ${of.form}`, atMs: () => 5_000, links: 2 },
      // Each of the first has had its result, at 1,000 a second.
      {
        ...twoOfTimers,
        name: `secondOfTwoTimers, ${of.form}`,
        atMs: (count: number) => count + 5_000,
        links: 1,
      },
    ]
  }),
]

test.each(dueAtOnce)(
  '$name: an unaligned checkpoint among 100,000 that are due waits for no record, and has no more in flight than among 10,000',
  ({ long, resultsOfEach, atMs, links, channelIn, latencyMs }) => {
    const few = checkpointed(long(10_000), { atMs: atMs(10_000), channelIn })
    const many = checkpointed(long(100_000), { atMs: atMs(100_000), channelIn })
    for (const { taken } of [few, many]) {
      expect(taken).toMatchObject({ outcome: 'completed', alignment: 'unaligned' })
      expect(taken.durationMs).toBeCloseTo(links * latencyMs)
    }
    if (latencyMs === 0) expect(inFlight(many.taken)).toEqual(inFlight(few.taken))
    // A link's time, once for each buffer before, shifts where within a buffer the barrier comes.
    const shift = Math.abs(many.taken.inFlightRecords - few.taken.inFlightRecords)
    expect(shift).toBeLessThanOrEqual(channels.bufferRecordsMax)
    expect(eachOnce(many.restored().map(Math.floor), resultsOfEach * 100_000)).toBe(true)
  },
)
