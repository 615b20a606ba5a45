import { setImmediate as turn } from 'node:timers/promises'
import { queryObjects } from 'node:v8'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Channel } from '../../lib/channel/channel.ts'
import {
  active,
  barrier,
  buffer,
  cancel,
  end,
  idle,
  recovered,
  type StreamElement,
  watermark,
} from '../../lib/element.ts'
import { elements, picture } from './pictures.ts'

const rest = (channel: Channel<string>): string => {
  const taken: string[] = []
  while (channel.head !== undefined) taken.push(picture(channel.take(1_000)))
  return taken.join(' ')
}

const width = 50

/** Once nothing that this turn has seen is kept for it. */
const arrays = async (): Promise<number> => {
  await turn()
  return queryObjects(Array, { format: 'count' }) as unknown as number
}

/** So many writers send these to their channels each, and then each task takes so many from each of its own. */
const exchanged = (sent: string, taken = 0): readonly (readonly Channel<string>[])[] => {
  const rows = Array.from({ length: width }, () => Array.from({ length: width }, () => new Channel<string>()))
  for (const row of rows) for (const element of elements(sent)) for (const channel of row) channel.push(element)
  for (let task = 0; task < width; task++) for (const row of rows) for (let i = 0; i < taken; i++) row[task]?.take(1)
  return rows
}

describe(`an exchange of ${width} x ${width} that carries no data keeps its queues once a writer`, () => {
  test.each<readonly [sent: string, taken: number, left: string]>([
    ['w1', 0, 'w1'],
    ['w1 w2 w3', 0, 'w3'],
    ['w1 <1>', 0, 'w1 <1>'],
    ['<1> <2>', 0, '<1> <2>'],
    ['w1 <1!> w2 <2!>', 0, '<1!> <2!> w1 w2'],
    ['w1 idle active w2 <1> x1 |', 0, 'w1 idle active w2 <1> x1 |'],
    ['w1 <1> w2', 1, '<1> w2'],
    ['<1> <2> w1 <3>', 2, 'w1 <3>'],
    ['w1 <1>', 2, ''],
  ])('%s, of which %i are taken', async (sent, taken, left) => {
    const before = await arrays()
    const rows = exchanged(sent, taken)
    expect((await arrays()) - before).toBeLessThan(width ** 2 / 2)
    for (const channel of rows.flat()) expect(rest(channel)).toBe(left)
  })

  test.each<readonly [what: string, sent: string, change: (channel: Channel<string>) => void, left: string]>([
    ['a barrier that moves to the head', 'w1 <1> w2', channel => channel.prioritize(1), '<1> w1 w2'],
    ['a barrier before the end', 'w1 |', channel => channel.pushBeforeEnd(before), 'w1 <1> |'],
    ['an unaligned one', 'w1 |', channel => channel.pushBeforeEnd(passing), '<1!> w1 |'],
  ])('%s', async (_, sent, change, left) => {
    const count = await arrays()
    const rows = exchanged(sent)
    for (const row of rows) for (const channel of row) change(channel)
    expect((await arrays()) - count).toBeLessThan(width ** 2 / 2)
    for (const channel of rows.flat()) expect(rest(channel)).toBe(left)
  })

  test('also where some tasks have taken what others have not', async () => {
    const count = await arrays()
    const rows = exchanged('w1')
    for (const row of rows) for (const [i, channel] of row.entries()) if (i % 2 > 0) channel.take(1)
    for (const row of rows) for (const element of elements('<1> w2')) for (const channel of row) channel.push(element)
    expect((await arrays()) - count).toBeLessThan(width ** 2 / 2)
    for (const row of rows) expect(row.slice(0, 2).map(rest)).toEqual(['w1 <1> w2', '<1> w2'])
  })

  test('also what it knows of barriers, whatever each writer has sent before', async () => {
    const count = await arrays()
    const rows = exchanged('')
    for (const [i, row] of rows.entries())
      for (const element of elements('w1 idle '.repeat(i))) for (const channel of row) channel.push(element)
    const barriers = elements('<1> <2>')
    for (const row of rows) for (const one of barriers) for (const channel of row) channel.push(one)
    for (let task = 0; task < width; task++) for (const row of rows) rest(row[task] as Channel<string>)
    expect((await arrays()) - count).toBeLessThan(width ** 2 / 2)
    for (const channel of rows.flat()) expect(channel.buffersBefore(2)).toBe(0)
  })
})

const [before, passing] = elements('<1> <1!>') as [ReturnType<typeof barrier>, ReturnType<typeof barrier>]

describe('of two channels that were sent the same, one stays as it was when the other', () => {
  const all = elements('w1 <1> w2')
  test.each<readonly [what: string, change: (channel: Channel<string>) => void, left: string]>([
    ['gets data', channel => channel.push(buffer(['a'])), 'w1 <1> w2 a'],
    ['gets a watermark', channel => channel.push(watermark(3)), 'w1 <1> w3'],
    ['gets another element', channel => channel.push(idle), 'w1 <1> w2 idle'],
    ['gets an unaligned barrier', channel => channel.push(barrier(2, { alignment: 'unaligned' })), '<2!> w1 <1> w2'],
    ['is taken from', channel => channel.take(1), '<1> w2'],
    ['has its barrier moved', channel => channel.prioritize(1), '<1> w1 w2'],
    ['gets restored data', channel => channel.restoreFirst([buffer(['a'])]), 'a w1 <1> w2'],
  ])('%s', (_, change, left) => {
    const [one, other] = [new Channel<string>(), new Channel<string>()]
    for (const element of all) for (const channel of [one, other]) channel.push(element)
    change(one)
    expect(other.capture(1).map(picture)).toEqual(['w1'])
    expect([rest(one), rest(other)]).toEqual([left, 'w1 <1> w2'])
  })
})

test('barriers of one checkpoint have another place each where one channel was sent more before', () => {
  const [one, other] = [new Channel<string>(), new Channel<string>()]
  one.push(watermark(1))
  for (const channel of [one, other]) channel.push(passing)
  for (const channel of [one, other]) channel.push(watermark(2))
  expect([one, other].map(channel => channel.capture(1).map(picture))).toEqual([['w1'], []])
})

/** One does not share: it has carried data. */
class Pair {
  readonly #told: [unknown[], unknown[]] = [[], []]
  readonly #channels = this.#told.map(told => {
    const channel = new Channel<string>()
    const captured = (_: number, ...of: unknown[]) => void told.push(of)
    channel.connect({ keepsOrder: false, arrived: () => {}, captured }, 0)
    return channel
  })

  constructor() {
    this.#channels[1]?.push(buffer(['a']))
    this.#channels[1]?.take(1)
  }

  do(act: (channel: Channel<string>) => unknown): void {
    for (const [i, channel] of this.#channels.entries())
      this.#told[i as 0 | 1].push(act(channel), channel.head, channel.headIsUnaligned)
    expect(this.#told[0]).toEqual(this.#told[1])
  }
}

type Act = (channel: Channel<string>) => unknown

/** Given the next checkpoint: what is done to several channels. */
const act: fc.Arbitrary<(next: number) => Act> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc
      .constantFrom<((next: number) => StreamElement<string>)[]>(
        next => watermark(next),
        () => idle,
        () => active,
        () => recovered(1),
        next => cancel(next),
        next => barrier(next, { alignment: 'aligned' }),
        next => barrier(next, { alignment: 'unaligned' }),
        () => end,
      )
      .map(make => (next: number): Act => {
        const element = make(next)
        return channel => channel.push(element)
      }),
  },
  { weight: 1, arbitrary: fc.constant(() => (channel: Channel<string>) => channel.push(buffer(['b', 'c']))) },
  {
    weight: 4,
    arbitrary: fc.constant(
      () => (channel: Channel<string>) => (channel.head === undefined ? undefined : channel.take(1)),
    ),
  },
  {
    weight: 1,
    arbitrary: fc.constant((next: number) => {
      const last = barrier(next, { alignment: 'aligned' })
      return (channel: Channel<string>) => channel.pushBeforeEnd(last)
    }),
  },
  {
    weight: 4,
    arbitrary: fc
      .tuple(fc.integer({ min: 0, max: 9 }), fc.constantFrom('prioritize', 'capture', 'buffersBefore', 'endCapture'))
      .map(
        ([back, what]) =>
          (next: number): Act =>
          channel =>
            channel[what](next - back),
      ),
  },
)

test('channels that share what they hold are as those that do not, whatever is done to some of them', () => {
  const some = fc.subarray([0, 1, 2], { minLength: 1 })
  fc.assert(
    fc.property(fc.array(fc.tuple(act, some), { maxLength: 60, size: 'max' }), steps => {
      const pairs = [new Pair(), new Pair(), new Pair()]
      for (const [next, [make, of]] of steps.entries()) {
        const todo = make(next + 1)
        for (const i of of) pairs[i]?.do(todo)
      }
    }),
    { numRuns: 500 },
  )
})
