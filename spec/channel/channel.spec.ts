import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Channel } from '../../lib/channel/channel.ts'
import { active, barrier, buffer, cancel, idle, type StreamElement, watermark } from '../../lib/element.ts'
import { commandsOf, type Form, forms } from './forms.ts'
import { picture, transcript } from './pictures.ts'

/** What is on a link arrives after each line. */
const told = (lines: readonly string[], { make }: Form): readonly string[] => {
  const { halves, settle } = make<string>()
  const { sending, receiving } = halves
  const said: string[] = []
  sending.producer = {
    restored: queued => said.push(`restored of ${queued}`),
    taken: queued => said.push(`taken of ${queued}`),
    announced: () => said.push(`at most ${sending.bufferRecordsMax} records`),
  }
  receiving.connect(
    {
      keepsOrder: false,
      arrived: () => {},
      captured: (_, checkpoint, of) => said.push(`${checkpoint}:${picture(of)}`),
    },
    0,
  )
  const commands = {
    ...commandsOf(halves, said),
    hold: () => receiving.hold(true),
    let: () => receiving.hold(false),
    counts: () => {
      if (halves instanceof Channel) said.push(`${halves.recordsSent} sent`, `${halves.recordsTaken} taken`)
    },
  }
  const settled = Object.entries(commands).map(([name, carryOut]) => [
    name,
    (argument: string) => {
      carryOut(argument)
      settle()
    },
  ])
  return transcript(lines, { said, commands: Object.fromEntries(settled) })
}

type Case = readonly [claim: string, ...lines: string[]]

const orderCases: readonly Case[] = [
  ["a savepoint's barrier waits its turn", 'push a <1s> b', 'rest -> a <1s> b'],
  ['elements are taken in the order sent', 'push a w1 idle active <1> x2 b |', 'rest -> a w1 idle active <1> x2 b |'],
  ['an unaligned barrier goes before everything', 'push a w1 <1> x2 | <3!>', 'rest -> <3!> a w1 <1> x2 |'],
  ['unaligned barriers keep their order', 'push a <1!> <2!> b <3!>', 'rest -> <1!> <2!> <3!> a b'],
  [
    'an unaligned barrier first is told',
    'push a <1>',
    'head -> other',
    'push <2!>',
    'head -> unaligned',
    'take -> <2!>',
    'head -> other',
  ],
  [
    'what an unaligned barrier overtakes is captured, in order',
    'push a w1 idle active bc <1!>',
    'take -> <1!>',
    'capture 1 -> a w1 idle active bc',
  ],
  ['barriers, cancel markers and ends are not captured', 'push a <1> x1 b | <2!>', 'capture 2 -> a b'],
  [
    'what comes after the barrier is not captured',
    'push a <1!> b w1',
    'capture 1 -> a',
    'push c',
    'rest -> <1!> a b w1 c',
  ],
  ['what stands after an aligned barrier is not captured', 'push a <1> b', 'capture 1 -> a'],
  [
    'a barrier taken with all before it leaves nothing to capture',
    'push a <1> b',
    'take -> a',
    'take -> <1>',
    'capture 1',
  ],
  [
    'a capture before the barrier has arrived goes on with what arrives',
    'push a',
    'capture 1 -> a',
    'push b w1 idle -> 1:b 1:w1 1:idle',
    'take -> a',
    'push <1!> c',
    'rest -> <1!> b w1 idle c',
  ],
  ['an aligned barrier ends a capture too', 'capture 1', 'push a <1> b -> 1:a'],
  ['the barrier of an older checkpoint ends no capture', 'capture 2', 'push <1!> a <2!> b -> 2:a'],
  [
    'a newer capture takes the place of an older one',
    'push a',
    'capture 1 -> a',
    'push w1 -> 1:w1',
    'capture 2 -> a w1',
    'push w2 -> 2:w2',
  ],
  [
    'a newer barrier that is taken ends the capture of an older checkpoint',
    'capture 1',
    'push <2!> a -> 1:a',
    'take -> <2!>',
    'push w1',
  ],
  [
    'a newer barrier in the queue is not the one that a capture waits for',
    'push a <2> b',
    'capture 1 -> a b',
    'push c -> 1:c',
  ],
  [
    'each of several barriers in the queue has its own data before it',
    'push a <1!> b <2!> w1',
    'take -> <1!>',
    'capture 1 -> a',
    'take -> <2!>',
    'capture 2 -> a b',
    'push w2',
  ],
  ['of a buffer taken in part the rest stays first', 'push abc d', 'take 2 -> ab', 'take 2 -> c', 'take -> d'],
  ['of a buffer taken in part the rest is captured', 'push abc d', 'take 2 -> ab', 'push <1!>', 'capture 1 -> c d'],
  ['an unaligned barrier goes before the rest of a buffer', 'push abc', 'take 1 -> a', 'push <1!>', 'rest -> <1!> bc'],
  ['of two watermarks in a row the later stands for both', 'push w1 w2 a w3 w4', 'rest -> w2 a w4'],
  ['watermarks with an aligned barrier between them stay two', 'push w1 <1> w2', 'rest -> w1 <1> w2'],
  [
    'watermarks with an unaligned barrier between them stay two',
    'push w1 <1!> w2',
    'capture 1 -> w1',
    'rest -> <1!> w1 w2',
  ],
  [
    'watermarks stay two when the barrier between them has been taken',
    'push w1 <1!>',
    'take -> <1!>',
    'push w2',
    'rest -> w1 w2',
  ],
  ['watermarks with idle or a marker between them stay', 'push w1 idle w2 x1 w3', 'rest -> w1 idle w2 x1 w3'],
  [
    'a watermark that stands for one captured is captured too',
    'push w1',
    'capture 1 -> w1',
    'push w2 <1!> -> 1:w2',
    'rest -> <1!> w2',
  ],
  ['a barrier is put before the end that has been sent', 'push a |', 'pushBeforeEnd <1>', 'rest -> a <1> |'],
  [
    'an unaligned barrier before the end goes first',
    'push a |',
    'pushBeforeEnd <1!>',
    'capture 1 -> a',
    'rest -> <1!> a |',
  ],
  [
    'barriers before the end keep their order',
    'push a |',
    'pushBeforeEnd <1>',
    'pushBeforeEnd <2>',
    'capture 1 -> a',
    'capture 2 -> a',
    'rest -> a <1> <2> |',
  ],
  ['no barrier is put before an end that has been taken', 'push |', 'take -> |', 'pushBeforeEnd <1>', 'rest'],
  [
    'what is restored comes first, and is captured again',
    'restore a w1',
    'push w2 <1!> b',
    'capture 1 -> a w2',
    'rest -> <1!> a w2 b',
  ],
]

/** The sender of two halves knows nothing of what the receiver holds. */
const producerCases: readonly Case[] = [
  [
    'records sent and taken are counted',
    'push abc w1 d',
    'counts -> 4 sent 0 taken',
    'take 2 -> ab',
    'counts -> 4 sent 2 taken',
    'rest -> taken of 2 c w1 taken of 1 d',
    'counts -> 4 sent 4 taken',
  ],
  [
    'its producer hears of each buffer that has been taken whole, and how many there were with it',
    'push a b c',
    'take -> taken of 3 a',
    'take -> taken of 2 b',
    'push d',
    'take -> taken of 2 c',
  ],
  ['its producer hears of what is restored', 'restore a w1 b -> restored of 1 restored of 2', 'is -> 2 queued'],
  [
    "while it is held nothing in it counts as its producer's",
    'push a b',
    'hold -> taken of 2 taken of 1',
    'push c -> taken of 1',
    'is -> 0 queued',
    'let go',
    'push d',
    'is -> 1 queued',
    'rest -> a b c taken of 1 d',
  ],
  [
    'what is restored into a held channel does not count',
    'hold',
    'restore a -> restored of 1 taken of 1',
    'is -> 0 queued',
    'take -> a',
  ],
  ['only buffers count', 'push a w1 idle <1> x1 <2!> |', 'is -> 1 queued', 'take -> <2!>', 'is -> 1 queued'],
  [
    'a buffer taken in part counts until its last record is taken',
    'push ab c',
    'take 1 -> a',
    'is -> 2 queued',
    'take 1 -> taken of 2 b',
  ],
]

describe.each(forms)('of $name:', form => {
  test.each(orderCases)('%s', (_, ...lines) => {
    expect(told(lines, form).map(withoutProducer)).toEqual(lines)
  })
})

test.each(producerCases)('%s', (_, ...lines) => {
  expect(told(lines, forms[0] as Form)).toEqual(lines)
})

/** What the producer hears is told in cases of its own. */
const withoutProducer = (line: string): string => line.replaceAll(/ (taken|restored) of \d+/g, '').replace(/ ->$/, '')

test('columns are cut with their records', () => {
  const channel = new Channel<string>()
  const times = Float64Array.of(1, 2, 3)
  channel.push(buffer(['a', 'b', 'c'], { times, keys: ['k', 'l', 'm'], groups: Uint16Array.of(7, 8, 9), split: 's' }))
  const [first, rest] = [channel.take(1), channel.take(5)]
  expect(first).toEqual(
    buffer(['a'], { times: Float64Array.of(1), keys: ['k'], groups: Uint16Array.of(7), split: 's' }),
  )
  expect(rest).toEqual(
    buffer(['b', 'c'], { times: Float64Array.of(2, 3), keys: ['l', 'm'], groups: Uint16Array.of(8, 9), split: 's' }),
  )
})

/** A record is an object of its own, so that it and every other piece of data is known again by reference. */
type Data = object

const data = (of: StreamElement<Data>): readonly Data[] => (of.kind === 'buffer' ? of.records : [of])

const isWatermark = (one: Data | undefined) => one !== undefined && 'kind' in one && one.kind === 'watermark'

/** Without the watermarks that a later one stands for. */
const essential = (all: readonly Data[]) => all.filter((one, i) => !(isWatermark(one) && isWatermark(all[i + 1])))

/** What a channel should hold, as plain as can be: all data sent in one list, and positions in it. */
class Model {
  readonly channel = new Channel<Data>()
  readonly sent: Data[] = []
  /** So much of `sent` has been taken, or is stood for by a later watermark. */
  taken = 0
  readonly barriers: number[] = []
  readonly unaligned: number[] = []
  newestTaken = 0
  capture: { readonly checkpoint: number; readonly from: number; readonly found: Data[] } | undefined

  constructor() {
    const captured = (_: number, checkpoint: number, of: StreamElement<Data>) => {
      expect(checkpoint).toBe(this.capture?.checkpoint)
      this.capture?.found.push(...data(of))
    }
    this.channel.connect({ keepsOrder: false, arrived: () => {}, captured }, 0)
  }

  push(of: StreamElement<Data>): void {
    this.sent.push(...data(of))
    this.channel.push(of)
  }

  pushBarrier(alignment: 'aligned' | 'unaligned'): void {
    this.barriers.push(this.sent.length)
    const checkpoint = this.barriers.length
    if (alignment === 'unaligned') this.unaligned.push(checkpoint)
    this.channel.push(barrier(checkpoint, { alignment }))
  }

  take(recordsMax: number): void {
    if (this.channel.head === undefined) return
    const of = this.channel.take(recordsMax)
    const first = this.unaligned.shift()
    if (first !== undefined) expect(of).toMatchObject({ kind: 'barrier', checkpoint: first, alignment: 'unaligned' })
    if (of.kind === 'barrier') {
      this.newestTaken = Math.max(this.newestTaken, of.checkpoint)
      if (this.capture !== undefined && this.capture.checkpoint < of.checkpoint) this.endCapture()
      if (of.alignment === 'aligned')
        expect(essential(this.sent.slice(this.taken, this.barriers[of.checkpoint - 1]))).toEqual([])
    } else if (of.kind !== 'cancel') {
      const found = data(of)
      expect(found.length).toBeLessThanOrEqual(recordsMax)
      const at = this.sent.indexOf(found[0] as Data)
      expect(this.sent.slice(this.taken, at).every(isWatermark)).toBe(true)
      expect(this.sent.slice(at, at + found.length)).toEqual(found)
      this.taken = at + found.length
    }
  }

  /** A task asks for no checkpoint older than a barrier that it has taken. */
  beginCapture(checkpoint: number): void {
    if (checkpoint < Math.max(1, this.newestTaken)) return
    this.endCapture()
    this.capture = { checkpoint, from: this.taken, found: [] }
    this.capture.found.push(...this.channel.capture(checkpoint).flatMap(data))
  }

  endCapture(): void {
    if (this.capture === undefined) return
    const { checkpoint, from, found } = this.capture
    const until = this.barriers[checkpoint - 1] ?? this.sent.length
    expect(essential(found)).toEqual(essential(this.sent.slice(from, until)))
    this.capture = undefined
  }
}

type Act = (model: Model) => void

const op: fc.Arbitrary<Act> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.integer({ min: 1, max: 4 }).map(
      (length): Act =>
        model =>
          model.push(bufferOf(length)),
    ),
  },
  {
    weight: 3,
    arbitrary: fc.constantFrom(1, 2).map(
      (timeMs): Act =>
        model =>
          model.push(watermark(timeMs)),
    ),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom(idle, active).map(
      (of): Act =>
        model =>
          model.push({ ...of }),
    ),
  },
  { weight: 1, arbitrary: fc.constant<Act>(model => model.channel.push(cancel(1))) },
  {
    weight: 3,
    arbitrary: fc.constantFrom('aligned', 'unaligned').map(
      (kind): Act =>
        model =>
          model.pushBarrier(kind),
    ),
  },
  {
    weight: 5,
    arbitrary: fc.integer({ min: 1, max: 3 }).map(
      (recordsMax): Act =>
        model =>
          model.take(recordsMax),
    ),
  },
  {
    weight: 3,
    arbitrary: fc.integer({ min: -1, max: 2 }).map(
      (back): Act =>
        model =>
          model.beginCapture(model.barriers.length - back),
    ),
  },
)

const bufferOf = (length: number) => buffer(Array.from({ length }, (_, i) => ({ i })))

test('what was taken of the data before a barrier, and what is captured, is all of it, each once and in order', () => {
  fc.assert(
    fc.property(fc.array(op, { maxLength: 60, size: 'max' }), ops => {
      const model = new Model()
      for (const step of ops) step(model)
      model.endCapture()
    }),
    { numRuns: 2_000 },
  )
})
