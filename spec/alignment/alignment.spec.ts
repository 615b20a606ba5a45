import { expect, test } from 'vitest'
import {
  type AlignmentEffect,
  type AlignmentEvent,
  alignment,
  initialAlignment,
} from '../../lib/alignment/alignment.ts'
import { Channel } from '../../lib/channel/channel.ts'
import { ChannelGate } from '../../lib/channel/gate.ts'
import { align } from '../../lib/control/align.ts'
import type { StreamElement } from '../../lib/element.ts'
import { element, picture, transcript } from '../channel/pictures.ts'

// The rules, one by one.

const event = (channel: number, of: StreamElement<string>): AlignmentEvent => {
  if (of.kind === 'barrier') return { kind: 'barrier', channel, barrier: of }
  return of.kind === 'cancel' ? of : { kind: 'end', channel }
}

const effect = (of: AlignmentEffect): string => {
  switch (of.kind) {
    case 'begin':
      return `begin ${of.barrier.checkpoint} ${of.alignment},`
    case 'capture':
      return `capture ${of.checkpoint} of ${of.channel},`
    case 'block':
    case 'unblock':
      return `${of.kind} ${of.channel},`
    case 'aligned':
    case 'drop':
      return `${of.kind} ${of.checkpoint},`
    case 'abort':
      return `abort ${of.checkpoint} ${of.reason},`
  }
}

/** `0 <1>`: the barrier is taken from channel 0. */
const told = (lines: readonly string[]) => {
  let state = initialAlignment(3)
  const said: string[] = []
  const taken = (channel: number) => (of: string) => {
    const [next, effects] = alignment(state, event(channel, element(of)))
    state = next
    said.push(...effects.map(effect))
  }
  return transcript(lines, { said, commands: { 0: taken(0), 1: taken(1), 2: taken(2) } })
}

const cases: readonly (readonly [claim: string, ...lines: string[]])[] = [
  [
    'an aligned barrier blocks its channel, and the last one begins',
    '0 <1> -> block 0,',
    '1 <1> -> block 1,',
    '2 <1> -> begin 1 aligned, aligned 1, unblock 0, unblock 1,',
  ],
  [
    'an unaligned barrier begins at once and captures every channel',
    '1 <1!> -> begin 1 unaligned, capture 1 of 0, capture 1 of 1, capture 1 of 2,',
    '0 <1!>',
    '2 <1!> -> aligned 1,',
  ],
  [
    'the last barrier begins unaligned if it is the unaligned one',
    '0 <1> -> block 0,',
    '1 <1> -> block 1,',
    '2 <1!> -> begin 1 unaligned, capture 1 of 2, aligned 1, unblock 0, unblock 1,',
  ],
  [
    'a channel blocked before it began unaligned stays blocked until all barriers are in',
    '0 <1> -> block 0,',
    '1 <1!> -> begin 1 unaligned, capture 1 of 1, capture 1 of 2,',
    '2 <1> -> aligned 1, unblock 0,',
  ],
  [
    "a savepoint's barrier is aligned, whatever it says",
    '0 <1s> -> block 0,',
    '1 <1s> -> block 1,',
    '2 <1s> -> begin 1 aligned, aligned 1, unblock 0, unblock 1,',
  ],
  [
    'an end counts as the barrier of its channel',
    '0 <1> -> block 0,',
    '1 |',
    '2 <1> -> begin 1 aligned, aligned 1, unblock 0,',
  ],
  [
    'an end can be what was missing',
    '0 <1> -> block 0,',
    '1 <1> -> block 1,',
    '2 | -> begin 1 aligned, aligned 1, unblock 0, unblock 1,',
  ],
  [
    'an end can be what was missing unaligned',
    '0 <1!> -> begin 1 unaligned, capture 1 of 0, capture 1 of 1, capture 1 of 2,',
    '1 <1!>',
    '2 | -> aligned 1,',
  ],
  [
    'an end after its barrier counts once',
    '0 <1!> -> begin 1 unaligned, capture 1 of 0, capture 1 of 1, capture 1 of 2,',
    '0 |',
    '1 <1!>',
    '2 <1!> -> aligned 1,',
  ],
  [
    'later checkpoints do not wait for an ended channel, nor capture it',
    '1 |',
    '0 <1> -> block 0,',
    '2 <1> -> begin 1 aligned, aligned 1, unblock 0,',
    '0 <2!> -> begin 2 unaligned, capture 2 of 0, capture 2 of 2,',
    '2 <2!> -> aligned 2,',
  ],
  [
    'the only channel left begins by itself',
    '0 |',
    '1 |',
    '2 <1> -> begin 1 aligned, aligned 1,',
    '2 <2!> -> begin 2 unaligned, capture 2 of 2, aligned 2,',
  ],
  ['an end with nothing under way does nothing', '0 |', '1 |', '2 |'],
  [
    'a barrier of a newer checkpoint ends the one under way',
    '0 <1> -> block 0,',
    '1 <2> -> unblock 0, abort 1 subsumed, block 1,',
    '0 <2> -> block 0,',
    '2 <2> -> begin 2 aligned, aligned 2, unblock 1, unblock 0,',
  ],
  [
    'a newer one ends one that has begun',
    '0 <1!> -> begin 1 unaligned, capture 1 of 0, capture 1 of 1, capture 1 of 2,',
    '1 <2> -> drop 1, abort 1 subsumed, block 1,',
  ],
  [
    'barriers of older checkpoints do nothing',
    '0 <2> -> block 0,',
    '1 <1>',
    '1 <2> -> block 1,',
    '2 <2> -> begin 2 aligned, aligned 2, unblock 0, unblock 1,',
    '0 <2!>',
    '1 <1>',
  ],
  [
    'barriers of one that was given up do nothing',
    '0 <1> -> block 0,',
    '1 <2> -> unblock 0, abort 1 subsumed, block 1,',
    '2 <1>',
  ],
  [
    'a cancel marker ends its checkpoint',
    '0 <1> -> block 0,',
    '1 x1 -> unblock 0, abort 1 cancelled,',
    '2 <1>',
    '1 x1',
  ],
  [
    'a cancel marker ends one that has begun',
    '0 <1!> -> begin 1 unaligned, capture 1 of 0, capture 1 of 1, capture 1 of 2,',
    '1 x1 -> drop 1, abort 1 cancelled,',
    '2 <1!>',
  ],
  [
    'a cancel marker ahead of all barriers ends its checkpoint',
    '0 x1 -> abort 1 cancelled,',
    '1 <1>',
    '2 x1',
    '0 <2> -> block 0,',
  ],
  [
    'a cancel marker of a newer checkpoint drops the one under way',
    '0 <1> -> block 0,',
    '1 x3 -> unblock 0, abort 3 cancelled,',
    '2 <1>',
    '2 <2>',
    '2 <3>',
    '2 <4> -> block 2,',
  ],
  [
    'a cancel marker of a newer checkpoint drops one that has begun',
    '0 <1!> -> begin 1 unaligned, capture 1 of 0, capture 1 of 1, capture 1 of 2,',
    '1 x2 -> drop 1, abort 2 cancelled,',
  ],
  [
    'a cancel marker of an older checkpoint does nothing',
    '0 <2> -> block 0,',
    '1 x1',
    '1 <2> -> block 1,',
    '2 <2> -> begin 2 aligned, aligned 2, unblock 0, unblock 1,',
    '0 x2',
    '0 x1',
  ],
]

test.each(cases)('%s', (_, ...lines) => {
  expect(told(lines)).toEqual(lines)
})

// All interleavings, against what the words "before the barrier" mean.

/** What a channel sends; what arrives together is one step. */
type Script = readonly string[]

const whole: Script = ['a <1>', 'b <2>', 'c |']
/** The third channel may end early. */
const thirds: readonly Script[] = [whole, ['a <1>', 'b |'], ['a |']]

function* interleavings(counts: readonly number[]): Generator<readonly number[]> {
  if (counts.every(count => count === 0)) yield []
  for (let id = 0; id < counts.length; id++) {
    if (counts[id] === 0) continue
    const rest = counts.map((count, other) => (other === id ? count - 1 : count))
    for (const tail of interleavings(rest)) yield [id, ...tail]
  }
}

interface Outcome {
  /** In order: records as `0a`, and `begin 1`, `captured 1`, `aligned 1`, `aborted 1`, `end`. */
  readonly log: readonly string[]
  /** Records, in order, by checkpoint and channel, such as `1 0`. */
  readonly captured: ReadonlyMap<string, string>
}

const played = (scripts: readonly Script[], arrivals: readonly number[], takes: number, kinds: string): Outcome => {
  const channels = scripts.map(() => new Channel<string>({ buffersMax: 100 }))
  const gate = new ChannelGate(channels)
  const log: string[] = []
  const captured = new Map<string, string>()
  gate.pipe(align<string>()).subscribe(of => {
    if (of.kind === 'captured') {
      const at = `${of.checkpoint} ${of.channel}`
      captured.set(at, (captured.get(at) ?? '') + of.elements.map(picture).join(''))
      log.push(`captured ${of.checkpoint}`)
    } else if (of.kind === 'begin') log.push(`begin ${of.barrier.checkpoint}`)
    else if (of.kind === 'aligned' || of.kind === 'aborted') log.push(`${of.kind} ${of.checkpoint}`)
    else if (of.kind === 'buffer') log.push(`${gate.current}${picture(of)}`)
    else log.push(of.kind)
  })
  const left = scripts.map(script => [...script])
  const take = () => gate.take({ recordsMax: 10, takes: 'all' })
  for (const id of arrivals) {
    const step = left[id]?.shift() as string
    for (const of of step.split(' ')) {
      const unaligned = of.startsWith('<') && kinds.charAt(Number(of.charAt(1)) - 1) === 'u'
      channels[id]?.push(element(unaligned ? of.replace('>', '!>') : of))
    }
    for (let i = 0; i < takes && take(); i++);
  }
  while (take());
  return { log, captured }
}

/** Records that the channel sends before the barrier of the checkpoint: all, if it ends without one. */
const before = (script: Script, checkpoint: number) =>
  (script.join(' ').split(`<${checkpoint}>`)[0] as string).replace(/[^a-z]/g, '')

const violations = (scripts: readonly Script[], { log, captured }: Outcome, kinds: string): readonly string[] => {
  const found: string[] = []
  const holds = (claim: string, is: boolean) => {
    if (!is) found.push(claim)
  }
  const recordsOf = (id: number, until: number) =>
    log
      .slice(0, until)
      .filter(line => /^\d/.test(line) && line.startsWith(`${id}`))
      .map(line => line.slice(1))
      .join('')
  scripts.forEach((script, id) => {
    holds(`channel ${id} is taken whole, in order`, recordsOf(id, log.length) === before(script, 3))
  })
  holds('the last is the one end', log.indexOf('end') === log.length - 1)
  for (const checkpoint of [1, 2]) {
    const begun = log.indexOf(`begin ${checkpoint}`)
    const aligned = log.indexOf(`aligned ${checkpoint}`)
    const aborted = log.indexOf(`aborted ${checkpoint}`)
    // A newer one that overtakes its barriers on all channels leaves nothing of it to give up.
    const overtaken = checkpoint === 1 && kinds === 'au' && begun < 0
    holds(`${checkpoint} is either whole or given up`, aligned >= 0 !== aborted >= 0 || overtaken)
    holds(
      `${checkpoint} begins and ends once`,
      ['begin', 'aligned', 'aborted'].every(kind => log.filter(line => line === `${kind} ${checkpoint}`).length <= 1),
    )
    holds(`only an unaligned checkpoint lets a newer one pass`, aborted < 0 || (checkpoint === 1 && kinds !== 'aa'))
    if (aligned < 0) continue
    holds(`${checkpoint} begins before it is whole`, begun >= 0 && begun < aligned)
    holds(`${checkpoint} is captured only before it is whole`, log.lastIndexOf(`captured ${checkpoint}`) < aligned)
    scripts.forEach((script, id) => {
      const inFlight = captured.get(`${checkpoint} ${id}`) ?? ''
      holds(
        `${checkpoint}: what is taken of channel ${id} before it begins, and what is captured, is all before its barrier, once`,
        recordsOf(id, begun) + inFlight === before(script, checkpoint),
      )
      holds(`${checkpoint}: an aligned checkpoint captures nothing`, kinds[checkpoint - 1] === 'u' || inFlight === '')
    })
  }
  return found
}

const kindCases = [
  ['aligned', 'aa'],
  ['unaligned', 'uu'],
  ['aligned, then unaligned', 'au'],
  ['unaligned, then aligned', 'ua'],
] as const

test.each(kindCases)('in every interleaving of three channels the cut is exact: %s', (_, kinds) => {
  let count = 0
  for (const third of thirds) {
    const scripts = [whole, whole, third]
    for (const arrivals of interleavings(scripts.map(({ length }) => length))) {
      for (const takes of [0, 1, 2, 3, 100]) {
        const outcome = played(scripts, arrivals, takes, kinds)
        const found = violations(scripts, outcome, kinds)
        if (found.length > 0) expect.fail(`${third} ${arrivals}, ${takes} taken after each: ${found}\n${outcome.log}`)
        count++
      }
    }
  }
  expect(count).toBe(5 * (1_680 + 560 + 140))
})
