import fc from 'fast-check'
import { expect, test } from 'vitest'
import { BufferBudget } from '../../lib/channel/budget.ts'
import { Channel, type ReceivingHalf, type SendingHalf } from '../../lib/channel/channel.ts'
import { asTriggered } from '../../lib/channel/forcedAligned.ts'
import { type Dealing, Writer } from '../../lib/channel/writer.ts'
import {
  type Barrier,
  type Buffer,
  barrier,
  buffer,
  type Columns,
  end,
  type StreamElement,
  watermark,
} from '../../lib/element.ts'
import { forms } from './forms.ts'
import { elements, picture, transcript } from './pictures.ts'

interface Made<T> {
  readonly writer: Writer<T>
  readonly channels: readonly Channel<T>[]
}

const poolOf = (onAvailable: () => void, overdraftMax = Number.POSITIVE_INFINITY) =>
  new BufferBudget({ buffersMax: 4, guaranteed: 4 }).pool({
    guaranteed: 4,
    max: 4,
    perChannelMax: 2,
    overdraftMax,
    onAvailable,
  })
const dealings: { readonly [K in Dealing['kind']]: Dealing & { readonly kind: K } } = {
  rebalance: { kind: 'rebalance' },
  keyed: { kind: 'keyed', channelOf: [0, 1, 0, 1] },
  broadcast: { kind: 'broadcast' },
  global: { kind: 'global' },
  // a and c go to channel 0, others to 1.
  custom: { kind: 'custom', channelsOf: records => records.map(record => ('ac'.includes(String(record)) ? 0 : 1)) },
}

interface MadeOptions {
  readonly onFreed?: () => void
  readonly bufferRecordsMax?: number
  readonly overdraftMax?: number
  readonly alignedOnly?: boolean
}

const made = <T>(count: number, dealing: Dealing['kind'], options: MadeOptions = {}): Made<T> => {
  const channels = Array.from({ length: count }, () => new Channel<T>())
  return { writer: writerOf(channels, dealing, options), channels }
}

const writerOf = <T>(
  channels: readonly SendingHalf<T>[],
  dealing: Dealing['kind'],
  options: MadeOptions = {},
): Writer<T> =>
  new Writer(channels, {
    name: 'map/0',
    bufferRecordsMax: options.bufferRecordsMax ?? 4,
    pool: poolOf(options.onFreed ?? (() => {}), options.overdraftMax),
    dealing: dealings[dealing],
    alignedOnly: options.alignedOnly ?? false,
  })

const taken = <T>(channel: ReceivingHalf<T>): readonly StreamElement<T>[] => {
  const all: StreamElement<T>[] = []
  while (channel.head !== undefined) all.push(channel.take(1_000))
  return all
}

/** Groups of records by their name: a and c go to channel 0, b and d to channel 1. */
const keyed = (of: StreamElement<string>): StreamElement<string> =>
  of.kind !== 'buffer' ? of : { ...of, groups: Uint16Array.from(of.records, record => 'abcd'.indexOf(record)) }

/** `send ab w1`, `flush`, `sent` (all that is in the channels, `0: ab w1 1: c`), `free`. */
const told = (lines: readonly string[], dealing: Dealing['kind']) => {
  const said: string[] = []
  const { writer, channels } = made<string>(2, dealing, { onFreed: () => said.push('freed') })
  writer.onPartial = () => said.push('partial')
  return transcript(lines, {
    said,
    commands: {
      send: pictures => {
        for (const of of elements(pictures)) writer.next(dealing === 'keyed' ? keyed(of) : of)
      },
      flush: () => writer.flush(),
      sent: () => {
        const all = channels.map((of, id) => [`${id}:`, ...taken(of).map(picture)].join(' '))
        said.splice(0, said.length, ...all)
      },
      take: channel => said.push(picture((channels[Number(channel)] as Channel<string>).take(1_000))),
      free: () => said.push(String(writer.available)),
    },
  })
}

type Case = readonly [claim: string, ...lines: string[]]

const keyedCases: readonly Case[] = [
  ['records go where their key group does', 'send abcd -> partial', 'flush', 'sent -> 0: ac 1: bd'],
  [
    'a full buffer is sent at once, a partly filled one stays',
    'send acac -> partial',
    'send bb',
    'sent -> 0: acac 1:',
    'flush',
    'sent -> 0: 1: bb',
  ],
  [
    'records of several buffers travel together',
    'send a -> partial',
    'send b',
    'send ca',
    'send c',
    'sent -> 0: acac 1:',
  ],
  [
    'what is partly filled is told once until it is flushed',
    'send a -> partial',
    'send b',
    'flush',
    'send a -> partial',
  ],
  [
    'a barrier goes to all, behind what is partly filled',
    'send ab -> partial',
    'send <1> c -> partial',
    'sent -> 0: a <1> 1: b <1>',
    'send <2>',
    'sent -> 0: c <2> 1: <2>',
  ],
  ['an end goes to all, behind what is partly filled', 'send a w1 | -> partial', 'sent -> 0: a w1 | 1: w1 |'],
  [
    'so do markers, idle and active',
    'send a x1 -> partial',
    'send c idle -> partial',
    'send a active -> partial',
    'sent -> 0: a x1 c idle a active 1: x1 idle active',
  ],
  ['an unaligned barrier goes before all that is flushed', 'send ab <1!> -> partial', 'sent -> 0: <1!> a 1: <1!> b'],
  [
    'a watermark waits behind the partly filled buffer',
    'send a w1 -> partial',
    'sent -> 0: 1: w1',
    'send c',
    'flush',
    'sent -> 0: ac w1 1:',
  ],
  [
    'of watermarks that wait the last one stands for all',
    'send a w1 w2 w3 -> partial',
    'flush',
    'sent -> 0: a w3 1: w3',
  ],
  ['a watermark comes behind the buffer when that is full', 'send aca w1 c a -> partial', 'sent -> 0: acac w1 1: w1'],
  ['a watermark goes at once where nothing waits', 'send w1', 'sent -> 0: w1 1: w1'],
  [
    'a barrier goes before the end that has been sent',
    'send a | -> partial',
    'send <1>',
    'sent -> 0: a <1> | 1: <1> |',
  ],
  [
    'a barrier is not sent after an end that has been taken',
    'send |',
    'take 0 -> |',
    'send <1>',
    'sent -> 0: 1: <1> |',
  ],
  [
    'it is available while no channel is full',
    'send acacbbbb -> partial',
    'free -> true',
    'send acac',
    'free -> false',
    'send bbbb',
    'free -> false',
    'take 0 -> acac',
    'free -> false',
    'take 1 -> freed bbbb',
    'free -> true',
  ],
]

const rebalancedCases: readonly Case[] = [
  [
    'buffers go to the channels in turns',
    'send abcd -> partial',
    'send efgh',
    'send ijkl',
    'sent -> 0: abcd ijkl 1: efgh',
  ],
  ['a buffer that is at least half full travels as it is', 'send abc -> partial', 'send de', 'sent -> 0: abc 1: de'],
  [
    'smaller ones are filled up for one channel, then for the next',
    'send a -> partial',
    'send b',
    'send c',
    'send d',
    'send e',
    'send f',
    'flush',
    'sent -> 0: abcd 1: ef',
  ],
  [
    'what does not fit any more begins the next channel’s',
    'send a -> partial',
    'send bcdef',
    'flush',
    'sent -> 0: abcd 1: ef',
  ],
  [
    'a watermark goes to all channels, behind what waits',
    'send a w1 -> partial',
    'sent -> 0: 1: w1',
    'send b',
    'flush',
    'sent -> 0: ab w1 1:',
  ],
]

const broadcastCases: readonly Case[] = [
  ['each buffer goes to every channel', 'send abcd -> partial', 'send ef', 'flush', 'sent -> 0: abcd ef 1: abcd ef'],
  [
    'smaller ones are filled up, a watermark waits behind them in every channel',
    'send a w1 -> partial',
    'sent -> 0: 1:',
    'send b',
    'flush',
    'sent -> 0: ab w1 1: ab w1',
  ],
  ['a watermark goes at once where nothing waits', 'send w1', 'sent -> 0: w1 1: w1'],
  ['a barrier goes to all, behind what is partly filled', 'send a <1> -> partial', 'sent -> 0: a <1> 1: a <1>'],
  [
    'it is available once the slowest consumer is',
    'send abcd efgh -> partial',
    'free -> false',
    'take 0 -> abcd',
    'free -> false',
    'take 1 -> freed abcd',
    'free -> true',
  ],
]

const globalCases: readonly Case[] = [
  [
    'all records go to the first channel, watermarks, barriers and ends to all',
    'send abcd -> partial',
    'send efgh w1 <1>',
    'send i | -> partial',
    'sent -> 0: abcd efgh w1 <1> i | 1: w1 <1> |',
  ],
]

const customCases: readonly Case[] = [
  [
    'records go where the partitioner says, in buffers of their channels',
    'send abcd -> partial',
    'send aac',
    'sent -> 0: acaa 1:',
    'flush',
    'sent -> 0: c 1: bd',
  ],
]

test.each(broadcastCases)('broadcast: %s', (_, ...lines) => {
  expect(told(lines, 'broadcast')).toEqual(lines)
})

test('a broadcast buffer is one for all channels', () => {
  const { writer, channels } = made<string>(2, 'broadcast')
  for (const of of elements('abcd e')) writer.next(of as StreamElement<string>)
  writer.flush()
  const [first, second] = channels.map(taken)
  expect(first).toHaveLength(2)
  first?.forEach((of, i) => {
    expect(second?.[i]).toBe(of)
  })
})

test('a broadcast buffer is no larger than any of its consumers wishes, whichever it is', () => {
  const { writer, channels } = made<string>(3, 'broadcast')
  for (const [id, size] of [3, 2, 4].entries()) channels[id]?.announce(size)
  for (const of of elements('abcde')) writer.next(of as StreamElement<string>)
  writer.flush()
  for (const channel of channels) expect(taken(channel).map(picture)).toEqual(['ab', 'cd', 'e'])
})

test('a broadcast buffer that is being filled is counted in use by every channel', () => {
  const { writer, channels } = made<string>(2, 'broadcast')
  for (const of of elements('a')) writer.next(of as StreamElement<string>)
  expect(channels.map(({ inUse }) => inUse)).toEqual([1, 1])
  writer.flush()
  expect(channels.map(({ inUse, filling }) => [inUse, filling])).toEqual([
    [1, false],
    [1, false],
  ])
})

const sendEach = (writer: Writer<string>, records: string): void => {
  for (const record of records) for (const of of elements(record)) writer.next(of as StreamElement<string>)
}

test('a buffer that is being filled closes early when a smaller size is announced, and the next have that size', () => {
  const { writer, channels } = made<string>(1, 'rebalance', { bufferRecordsMax: 10 })
  sendEach(writer, 'abcd')
  channels[0]?.announce(3)
  expect(channels.flatMap(taken).map(picture)).toEqual(['abcd'])
  sendEach(writer, 'efgh')
  expect(channels.flatMap(taken).map(picture)).toEqual(['efg'])
})

test('while its pool is empty a writer fills buffers beyond the size that is wished for, rather than more of them', () => {
  const { writer, channels } = made<string>(1, 'rebalance')
  channels[0]?.announce(1)
  sendEach(writer, 'abcde')
  expect([writer.available, channels[0]?.queued, channels[0]?.filling]).toEqual([false, 2, true])
  expect(channels.flatMap(taken).map(picture)).toEqual(['a', 'b'])
  sendEach(writer, 'f')
  expect(channels.flatMap(taken).map(picture)).toEqual(['cdef'])
})

test.each(globalCases)('global: %s', (_, ...lines) => {
  expect(told(lines, 'global')).toEqual(lines)
})

test.each(customCases)('custom: %s', (_, ...lines) => {
  expect(told(lines, 'custom')).toEqual(lines)
})

test.each(forms)(
  'on an edge that is aligned-only no barrier overtakes, also behind an end; it is again what it was for the task behind: $name',
  ({ make }) => {
    for (const alignment of ['unaligned', { alignedTimeoutMs: 5 }, 'aligned'] as const) {
      for (const savepoint of [false, true]) {
        const { halves, settle } = make<string>()
        const writer = writerOf([halves.sending], 'rebalance', { alignedOnly: true })
        const [first, second] = [1, 2].map(checkpoint => barrier(checkpoint, { alignment, savepoint }))
        for (const of of [buffer(['a']), first, end, second]) writer.next(of as StreamElement<string>)
        settle()
        const arrived = taken(halves.receiving)
        expect(arrived.map(picture).join(' ')).toBe(savepoint ? 'a <1s> <2s> |' : 'a <1> <2> |')
        const barriers = arrived.filter(({ kind }) => kind === 'barrier') as Barrier[]
        expect(barriers.map(of => of.alignment)).toEqual(['aligned', 'aligned'])
        expect(barriers.map(asTriggered)).toEqual([first, second])
      }
    }
  },
)

test.each(forms)('behind an end no cancel marker is sent, which would keep barriers from it: $name', ({ make }) => {
  const { halves, settle } = make<string>()
  const writer = writerOf([halves.sending], 'rebalance')
  for (const of of elements('a | x1 <2!>')) writer.next(of)
  settle()
  expect(taken(halves.receiving).map(picture)).toEqual(['<2!>', 'a', '|'])
})

test.each(forms)('a wish for smaller buffers reaches the writer: $name', ({ make }) => {
  const { halves, settle } = make<string>()
  const writer = writerOf([halves.sending], 'rebalance')
  halves.receiving.announce(2)
  settle()
  expect(writer.batchRecordsMax).toBe(2)
  for (const of of elements('abcd')) writer.next(of)
  settle()
  expect(taken(halves.receiving).map(picture)).toEqual(['ab', 'cd'])
})

test.each(keyedCases)('keyed: %s', (_, ...lines) => {
  expect(told(lines, 'keyed')).toEqual(lines)
})

test.each(rebalancedCases)('rebalanced: %s', (_, ...lines) => {
  expect(told(lines, 'rebalance')).toEqual(lines)
})

test('channels that are full when it is made count', () => {
  const channel = new Channel<string>()
  channel.restore(elements('a b c') as StreamElement<string>[])
  let freed = 0
  const writer = new Writer([channel], {
    name: 'map/0',
    bufferRecordsMax: 4,
    pool: poolOf(() => freed++),
    dealing: { kind: 'rebalance' },
  })
  const availability = [writer.available]
  for (let i = 0; i < 3; i++) {
    channel.take(10)
    availability.push(writer.available)
  }
  expect([availability, freed]).toEqual([[false, false, true, true], 1])
})

test('the split of a buffer stays behind at an exchange', () => {
  const { writer, channels } = made<string>(1, 'rebalance')
  writer.next(buffer(['a', 'b', 'c'], { split: 's' }))
  writer.next(buffer(['d'], { split: 's' }))
  writer.flush()
  expect(channels.flatMap(taken)).toEqual([buffer(['a', 'b', 'c']), buffer(['d'])])
})

const columnCases: readonly (readonly [claim: string, sent: readonly Columns[], arrived: readonly Columns[]])[] = [
  [
    'times, keys and groups are kept',
    [
      { times: Float64Array.of(1), keys: ['k'], groups: Uint16Array.of(2) },
      { times: Float64Array.of(3), keys: [['l', 4]], groups: Uint16Array.of(0) },
    ],
    [{ times: Float64Array.of(1, 3), keys: ['k', ['l', 4]], groups: Uint16Array.of(2, 0) }],
  ],
  [
    'notes are kept where there is one',
    [{ notes: Float64Array.of(Number.NEGATIVE_INFINITY) }, {}, { notes: Float64Array.of(7) }, {}],
    [{ notes: Float64Array.of(Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY, 7, Number.NEGATIVE_INFINITY) }],
  ],
  ['notes that say nothing are left out', [{ notes: Float64Array.of(Number.NEGATIVE_INFINITY) }, {}], [{}]],
  [
    'records with other columns begin another buffer',
    [{ times: Float64Array.of(1) }, {}, { keys: ['k'] }],
    [{ times: Float64Array.of(1) }, {}, { keys: ['k'] }],
  ],
]

test.each(columnCases)('columns: %s', (_, sent, arrived) => {
  const { writer, channels } = made<number>(1, 'rebalance', { bufferRecordsMax: 8 })
  const size = sent.length / arrived.length
  sent.forEach((columns, i) => {
    writer.next(buffer([i], columns))
  })
  writer.flush()
  const records = (i: number) => sent.map((_, n) => n).slice(i * size, (i + 1) * size)
  expect(channels.flatMap(taken)).toEqual(arrived.map((columns, i) => buffer(records(i), columns)))
})

test('a writer sends what its pool has, the overdraft included; the next is OUTPUT_OVERFLOW', () => {
  const { writer, channels } = made<number>(1, 'rebalance', { overdraftMax: 3 })
  const bound = 4 + 3
  for (let i = 0; i < bound; i++) writer.next(buffer([1, 2, 3, 4]))
  expect(channels[0]?.queued).toBe(bound)
  expect(() => writer.next(buffer([1, 2, 3, 4]))).toThrow(
    expect.objectContaining({ code: 'OUTPUT_OVERFLOW', place: 'map/0' }),
  )
})

interface Numbered {
  readonly key: number
  readonly n: number
}

/** What a keyed writer may do with watermarks: bring them later, never earlier. */
test('every record arrives once, in its key’s order, with its own columns, and no watermark before a record sent before it', () => {
  const step = fc.oneof(
    { weight: 5, arbitrary: fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 1, maxLength: 9 }) },
    { weight: 2, arbitrary: fc.constant('watermark' as const) },
    { weight: 1, arbitrary: fc.constant('flush' as const) },
  )
  fc.assert(
    fc.property(
      fc.array(step, { maxLength: 30, size: 'max' }),
      fc.constantFrom('keyed' as const, 'rebalance' as const),
      (steps, dealing) => {
        const { writer, channels } = made<Numbered>(2, dealing)
        let n = 0
        for (const of of steps) {
          if (of === 'flush') writer.flush()
          else if (of === 'watermark') writer.next(watermark(n))
          else writer.next(numbered(of.map(key => ({ key, n: n++ }))))
        }
        writer.next(end)
        const arrived = channels.map(taken)
        const records = arrived.flat().flatMap(of => (of.kind === 'buffer' ? of.records : []))
        expect(records.map(record => record.n).sort((a, b) => a - b)).toEqual(Array.from({ length: n }, (_, i) => i))
        const last = steps.lastIndexOf('watermark')
        const lastWatermark = steps.slice(0, last).reduce((sum, of) => sum + (Array.isArray(of) ? of.length : 0), 0)
        arrived.forEach((all, id) => {
          let watermarkMs = 0
          const newest = new Map<number, number>()
          for (const of of all) {
            if (of.kind === 'watermark') watermarkMs = of.timeMs
            if (of.kind !== 'buffer') continue
            expect(of).toEqual(numbered(of.records))
            for (const record of of.records) {
              expect(record.n).toBeGreaterThanOrEqual(watermarkMs)
              if (dealing !== 'keyed') continue
              expect(record.key % 2).toBe(id)
              expect(record.n).toBeGreaterThan(newest.get(record.key) ?? -1)
              newest.set(record.key, record.n)
            }
          }
          if (last >= 0) expect(watermarkMs).toBe(lastWatermark)
        })
      },
    ),
    { numRuns: 500 },
  )
})

const numbered = (records: readonly Numbered[]): Buffer<Numbered> =>
  buffer(records, {
    keys: records.map(({ key }) => key),
    groups: Uint16Array.from(records, ({ key }) => key),
    times: Float64Array.from(records, ({ n }) => n),
    // Few have one.
    notes: records.some(isNoted)
      ? Float64Array.from(records, of => (isNoted(of) ? of.n : Number.NEGATIVE_INFINITY))
      : undefined,
  })

const isNoted = ({ n }: Numbered): boolean => n % 7 === 0
