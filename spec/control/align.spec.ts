import { concat, map, merge, NEVER, type Observable, of, type Subscriber } from 'rxjs'
import { TestScheduler } from 'rxjs/testing'
import { expect, test } from 'vitest'
import { type Captured, Gate, type GateOrder, type Taken } from '../../lib/channel/gate.ts'
import { type AlignedElement, align } from '../../lib/control/align.ts'
import {
  type Alignment,
  barrier,
  buffer,
  cancel,
  end,
  idle,
  type StreamElement,
  side,
  watermark,
} from '../../lib/element.ts'

/** A gate that hands over what its lanes say and writes down its orders. */
class LaneGate extends Gate<string> {
  readonly channels: number
  readonly orders: string[] = []
  readonly #nowMs: () => number

  constructor(
    events: Observable<Taken<string> | Captured<string>>,
    options: { channels: number; nowMs: () => number },
  ) {
    super((subscriber: Subscriber<Taken<string> | Captured<string>>) => events.subscribe(subscriber))
    this.channels = options.channels
    this.#nowMs = options.nowMs
  }

  perform(order: GateOrder): void {
    const { kind, ...of } = order
    this.orders.push(`${this.#nowMs()}: ${kind} ${Object.values(of).join(' ')}`)
  }
}

const said = (of: AlignedElement<string>): string => {
  switch (of.kind) {
    case 'buffer':
      return of.records.join('')
    case 'begin':
      return `begin ${of.barrier.checkpoint} ${of.alignment} after ${of.startDelayMs}`
    case 'aligned':
      return `aligned ${of.checkpoint} in ${of.alignmentMs}`
    case 'aborted':
      return `aborted ${of.checkpoint} ${of.reason}`
    case 'captured':
      return `captured ${of.checkpoint} of ${of.channel}`
    case 'watermark':
      return `watermark ${of.timeMs}`
    default:
      return of.kind
  }
}

interface Case {
  /** A lane a channel: letters are records, digits barriers, `x` the cancel marker of 1, `w` a watermark, `i` idle, `|` the end. */
  readonly lanes: readonly string[]
  readonly alignment?: Alignment
  readonly out: string
  /** What the capital letters in `out` stand for; small ones are records. */
  readonly means?: Readonly<Record<string, string>>
  readonly orders?: readonly string[]
}

const cases: Readonly<Record<string, Case>> = {
  'data passes as it is taken': {
    lanes: ['a-b---w--', '-c--i----'],
    out: '   acb-I-W--',
    means: { I: 'idle', W: 'watermark 7' },
  },
  'aligned, it begins with the last barrier': {
    lanes: ['a-1-------', '---b--1---c'],
    out: '   a--b--(BA)c',
    means: { B: 'begin 1 aligned after 2', A: 'aligned 1 in 4' },
    orders: ['2: block 0', '6: unblock 0'],
  },
  'the elements of a side output and of splits stay in their task': {
    lanes: ['as-b'],
    out: '   a--b',
  },
  'unaligned, it begins with the first barrier and captures': {
    lanes: ['a-1------', '------1-c'],
    alignment: 'unaligned',
    out: '   a-B---A-c',
    means: { B: 'begin 1 unaligned after 2', A: 'aligned 1 in 4' },
    orders: ['2: capture 0 1', '2: capture 1 1'],
  },
  'what the gate captures passes': {
    lanes: ['1--', '-k-'],
    alignment: 'unaligned',
    out: '   BK-',
    means: { B: 'begin 1 unaligned after 0', K: 'captured 1 of 1' },
    orders: ['0: capture 0 1', '0: capture 1 1'],
  },
  'the cancel marker aborts, and what was blocked is free again': {
    lanes: ['1----1-', '--x----'],
    out: '   --X----',
    means: { X: 'aborted 1 cancelled' },
    orders: ['0: block 0', '2: unblock 0'],
  },
  'a newer barrier subsumes the one under way; times count anew': {
    lanes: ['1----2', '---2--'],
    out: '   ---X-(BA)',
    means: { X: 'aborted 1 subsumed', B: 'begin 2 aligned after 3', A: 'aligned 2 in 2' },
    orders: ['0: block 0', '3: unblock 0', '3: block 1', '5: unblock 1'],
  },
  'what was begun and is given up is dropped': {
    lanes: ['1----', '---x-'],
    alignment: 'unaligned',
    out: '   B--X-',
    means: { B: 'begin 1 unaligned after 0', X: 'aborted 1 cancelled' },
    orders: ['0: capture 0 1', '0: capture 1 1', '3: drop 1'],
  },
  'an ended channel counts as having delivered its barrier': {
    lanes: ['-|', '---1---a'],
    out: '   ---(BA)a',
    means: { B: 'begin 1 aligned after 3', A: 'aligned 1 in 0' },
  },
  'the last end is sent on, and it completes': {
    lanes: ['a-|', '----b-|'],
    out: '   a---b-(E|)',
    means: { E: 'end' },
  },
  'an end can be the last that was missing': {
    lanes: ['-1---', '----|'],
    out: '   ----(BA)',
    means: { B: 'begin 1 aligned after 1', A: 'aligned 1 in 3' },
    orders: ['1: block 0', '4: unblock 0'],
  },
  'a failure passes': {
    lanes: ['a--#', '-b--'],
    out: '   ab-#',
  },
}

test.each(Object.entries(cases))('%s', (_, { lanes, alignment: kind = 'aligned', out, means = {}, orders }) => {
  const scheduler = new TestScheduler((actual, expected) => expect(actual).toEqual(expected))
  let gate: LaneGate | undefined
  scheduler.run(({ hot, expectObservable }) => {
    const element = (name: string): StreamElement<string> => {
      if (/\d/.test(name)) return barrier(Number(name), { alignment: kind, timestampMs: 0 })
      if (name === 'x') return cancel(1)
      if (name === 'w') return watermark(7)
      if (name === 'i') return idle
      if (name === 's') return side('late', buffer(['z']))
      return buffer([name])
    }
    const lane = (marbles: string, channel: number): Observable<Taken<string> | Captured<string>> => {
      const elements = hot(marbles).pipe(map(element))
      const ended = marbles.includes('|') ? concat(elements, of(end), NEVER) : elements
      return ended.pipe(
        map(taken =>
          taken.kind === 'buffer' && taken.records[0] === 'k'
            ? { kind: 'captured', checkpoint: 1, channel, elements: [taken] }
            : { kind: 'taken', channel, element: taken },
        ),
      )
    }
    gate = new LaneGate(merge(...lanes.map(lane)), { channels: lanes.length, nowMs: () => scheduler.now() })
    expectObservable(gate.pipe(align<string>({ scheduler })).pipe(map(said))).toBe(out.trim(), {
      ...Object.fromEntries([...'abc'].map(name => [name, name])),
      ...means,
    })
  })
  if (orders !== undefined) expect(gate?.orders).toEqual(orders)
})
