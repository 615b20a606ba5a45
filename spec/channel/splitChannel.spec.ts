import fc from 'fast-check'
import { VirtualTimeScheduler } from 'rxjs'
import { expect, test } from 'vitest'
import type { Consumer, Outbox } from '../../lib/channel/channel.ts'
import { splitChannel } from '../../lib/channel/splitChannel.ts'
import { type Barrier, barrier, end, type StreamElement } from '../../lib/element.ts'
import { commandsOf } from './forms.ts'
import { element, elements, picture, transcript } from './pictures.ts'

const latencyMs = 10

/** Those of `commandsOf`, and `pass 10` (ms), `outbox 1`, `timeOut 1`, `holds 1`. */
const told = (lines: readonly string[]): readonly string[] => {
  const scheduler = new VirtualTimeScheduler(undefined, 0)
  const halves = splitChannel<string>({ buffersMax: 2, latencyMs, scheduler })
  const { sending, receiving } = halves
  const outbox = sending.outbox as Outbox<string>
  const said: string[] = []
  receiving.connect(
    {
      keepsOrder: false,
      arrived: () => {},
      captured: (_, checkpoint, of) => said.push(`${checkpoint}:${picture(of)}`),
    },
    0,
  )
  outbox.onLeft = () => said.push('left')
  const held = (what: string) => (what === 'end' ? what : Number(what))
  return transcript(lines, {
    said,
    commands: {
      ...commandsOf(halves, said),
      push: pictures => {
        for (const pushed of elements(pictures)) sending.push(timeoutable(pushed))
      },
      pushBeforeEnd: of => sending.pushBeforeEnd(timeoutable(element(of)) as Barrier),
      pass: ms => pass(scheduler, Number(ms)),
      outbox: checkpoint => said.push(...outbox.capture(Number(checkpoint)).map(picture)),
      timeOut: checkpoint => outbox.prioritize(Number(checkpoint)),
      holds: what => said.push(String(outbox.holds(held(what)))),
      close: () => halves.link?.unsubscribe(),
    },
  })
}

/** Aligned barriers in these pictures may time out. */
const timeoutable = <T>(of: StreamElement<T>): StreamElement<T> =>
  of.kind === 'barrier' && of.alignment === 'aligned' ? { ...of, alignment: { alignedTimeoutMs: 100 } } : of

const pass = (scheduler: VirtualTimeScheduler, ms: number): void => {
  scheduler.maxFrames = scheduler.now() + ms
  scheduler.flush()
  scheduler.frame = scheduler.maxFrames
}

type Case = readonly [claim: string, ...lines: string[]]

const cases: readonly Case[] = [
  ['what is sent arrives later', 'push a w1', 'rest', 'pass 9', 'rest', 'pass 1', 'rest -> a w1'],
  [
    'a buffer is sent when the receiver has room for it',
    'push a b c',
    'is -> 1 queued',
    'pass 10',
    'take -> a',
    'rest -> b',
    'pass 10',
    'is -> 0 queued',
    'rest',
    'pass 10',
    'rest -> c',
  ],
  [
    "what the receiver has no room for is the sender's",
    'push a b c d',
    'is -> 2 queued',
    'pass 10',
    'take -> a',
    'is -> 2 queued',
    'pass 10',
    'is -> 1 queued',
  ],
  [
    'what needs no credit waits for the buffers before it',
    'push a b c w1 <1> |',
    'pass 10',
    'rest -> a b',
    'pass 10 -> left',
  ],
  [
    'an unaligned barrier passes what waits in both halves, and each is captured once',
    'push a b',
    'pass 10',
    'push c w1 d <1!> -> left',
    'outbox 1 -> c w1 d',
    'pass 10',
    'take -> <1!>',
    'capture 1 -> a b',
    'rest -> a b',
    'pass 20',
    'rest -> c w1 d',
  ],
  [
    'what is on the link is captured as it arrives',
    'capture 1',
    'push a <1!> -> left',
    'outbox 1',
    'push b',
    'pass 10 -> 1:a',
    'rest -> <1!> a b',
  ],
  [
    'a barrier that times out in the sending half goes at once, unaligned, and what it passes is captured there',
    'push a b c <1> d',
    'holds 1 -> true',
    'pass 10',
    'outbox 1 -> c',
    'timeOut 1 -> left',
    'holds 1 -> false',
    'pass 10',
    'take -> <1!>',
    'capture 1 -> a b',
    'rest -> a b',
    'pass 20',
    'rest -> c d',
  ],
  [
    'a barrier that has left in time passes nothing in the sending half',
    'push a <1> -> left',
    'holds 1 -> false',
    'push b c',
    'outbox 1',
    'timeOut 1',
    'pass 10',
    'rest -> a <1> b',
  ],
  [
    'a barrier of an ended producer goes before the end while that is here',
    'push a b c |',
    'holds end -> true',
    'pushBeforeEnd <1!> -> left',
    'outbox 1 -> c',
    'pass 10',
    'rest -> <1!> a b',
    'pass 10 -> left',
    'holds end -> false',
    'pass 10',
    'rest -> c |',
  ],
  [
    'a barrier that may time out stands before the end until then',
    'push a b c |',
    'pushBeforeEnd <1>',
    'holds 1 -> true',
    'outbox 1 -> c',
    'timeOut 1 -> left',
    'pass 10',
    'rest -> <1!> a b',
  ],
  [
    'after the end has left, the barrier follows it and is put before it in the receiver, where it passes what waits',
    'push a | -> left',
    'pushBeforeEnd <1!>',
    'outbox 1',
    'pass 10',
    'capture 1 -> a',
    'rest -> <1!> a |',
  ],
  ['an aligned one is put right before the end', 'push a | -> left', 'pushBeforeEnd <1>', 'pass 10', 'rest -> a <1> |'],
  [
    'after the end has been taken, no barrier comes: the end stands for it',
    'push a | -> left',
    'pass 5',
    'pushBeforeEnd <1!>',
    'pass 5',
    'rest -> a |',
    'pass 5',
    'rest',
  ],
  ['with the link what is on its way is lost', 'push a', 'close', 'pass 10', 'rest'],
  [
    'restored data comes before what is sent, and takes no credit',
    'restore a b c',
    'push d e',
    'pass 10',
    'rest -> a b c d e',
    'pass 10',
    'push f g h',
    'is -> 1 queued',
  ],
]

test.each(cases)('%s', (_, ...lines) => {
  expect(told(lines)).toEqual(lines)
})

test('with any timing, what is before a barrier is taken before it or captured in one half, once and in order', () => {
  const step = fc.oneof(
    { weight: 4, arbitrary: fc.constant('data' as const) },
    { weight: 3, arbitrary: fc.constant('take' as const) },
    { weight: 3, arbitrary: fc.nat({ max: 15 }) },
  )
  const scenario = fc.record({
    before: fc.array(step, { maxLength: 20 }),
    between: fc.array(step, { maxLength: 12 }),
    kind: fc.constantFrom('unaligned' as const, 'times out' as const),
    startedFirst: fc.boolean(),
    ended: fc.boolean(),
  })
  fc.assert(
    fc.property(scenario, ({ before, between, kind, startedFirst, ended }) => {
      const scheduler = new VirtualTimeScheduler(undefined, 0)
      const { sending, receiving } = splitChannel<number>({ buffersMax: 2, latencyMs, scheduler })
      const outbox = sending.outbox as Outbox<number>
      const [taken, captured]: [number[], number[]] = [[], []]
      let begun = false
      const consumer: Consumer<number> = {
        keepsOrder: false,
        arrived: () => {},
        captured: (_, __, of) => captured.push(...records(of)),
      }
      receiving.connect(consumer, 0)
      let [next, producerEnded] = [0, false]
      const begin = (): void => {
        if (begun) return
        begun = true
        captured.push(...receiving.capture(1).flatMap(records))
      }
      const takeOne = (): void => {
        if (receiving.head === undefined) return
        const of = receiving.take(1)
        // An end stands for a barrier that comes behind it.
        if (of.kind === 'barrier' || of.kind === 'end') begin()
        else if (!begun) taken.push(...records(of))
      }
      const perform = (steps: typeof before): void => {
        for (const of of steps) {
          if (of === 'take') takeOne()
          else if (of !== 'data') pass(scheduler, of)
          else if (!producerEnded) sending.push(elementOf(next++))
        }
      }
      perform(before)
      if (startedFirst) begin()
      const cut = next
      if (ended) {
        sending.push(end)
        producerEnded = true
      }
      const push = (of: Barrier) => (ended ? sending.pushBeforeEnd(of) : sending.push(of))
      const inSending: number[] = []
      if (kind === 'unaligned') {
        push(barrier(1, { alignment: 'unaligned' }))
        inSending.push(...outbox.capture(1).flatMap(records))
        perform(between)
      } else {
        push(barrier(1, { alignment: { alignedTimeoutMs: 5 } }))
        perform(between)
        inSending.push(...outbox.capture(1).flatMap(records))
        outbox.prioritize(1)
      }
      for (let i = 0; i < 200; i++) {
        takeOne()
        pass(scheduler, 5)
      }
      expect([...taken, ...captured, ...inSending]).toEqual(Array.from({ length: cut }, (_, n) => n))
    }),
    { numRuns: 1_000 },
  )
})

const elementOf = (n: number): StreamElement<number> => ({
  kind: 'buffer',
  records: [n],
  times: undefined,
  notes: undefined,
  keys: undefined,
  groups: undefined,
  split: undefined,
})

const records = (of: StreamElement<number>): readonly number[] => (of.kind === 'buffer' ? of.records : [])

test('a wish for other buffers reaches the writer after the latency of the link', () => {
  const scheduler = new VirtualTimeScheduler(undefined, 0)
  const { sending, receiving } = splitChannel<string>({ buffersMax: 2, latencyMs, scheduler })
  const announced: number[] = []
  const note = () => announced.push(sending.bufferRecordsMax)
  sending.producer = { restored: () => {}, taken: () => {}, announced: note }
  receiving.announce(3)
  pass(scheduler, 9)
  expect([sending.bufferRecordsMax, announced]).toEqual([Number.POSITIVE_INFINITY, []])
  pass(scheduler, 1)
  expect([sending.bufferRecordsMax, announced]).toEqual([3, [3]])
})
