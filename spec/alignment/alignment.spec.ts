import { type Lanes, picture } from 'spillway/testing'
import { describe, expect, test } from 'vitest'
import { ChannelGate, type Gate } from '../../lib/channel/gate.ts'
import { align } from '../../lib/control/align.ts'
import { barrier, type StreamElement, timeoutMsOf } from '../../lib/element.ts'
import { LaneGate } from '../../lib/testing/picture/gate.ts'
import { type Form, forms } from '../channel/forms.ts'
import { element, picture as pictured } from '../channel/pictures.ts'
import { ScriptedClock } from '../conformance/scriptedClock.ts'

// The rules, one by one: none depends on the form of the channels.

type Three = Lanes<'A' | 'B' | 'C' | 'task'>

/** A picture's gate over channels of this form, on whose links nothing takes time. */
const gateOver =
  ({ make }: Form) =>
  ({ task, ...lanes }: Three): Gate<unknown> => {
    task.gate = new LaneGate(lanes, task.takes$, () => {
      const { halves, settle } = make<unknown>()
      return {
        receiving: halves.receiving,
        push(element) {
          halves.sending.push(element)
          settle()
        },
      }
    })
    return task.gate
  }

describe.each(forms)('channels of $name:', form => {
  const gateOf = gateOver(form)
  const aligned = (lanes: Three) => gateOf(lanes).pipe(align())
  const unaligned = (lanes: Three) => gateOf(lanes).pipe(align({ alignment: 'unaligned' }))

  test('an aligned barrier blocks its channel, and the last one begins', () =>
    picture(
      `
      A         1
      B         -1
      C         --1
      task      +++
      out       --1
      effects   0: block A
      &         1: block B
      &         2: begin 1 aligned, aligned 1, unblock A, unblock B
      `,
      aligned,
    ))

  test('an unaligned barrier begins at once and captures every channel', () =>
    picture(
      `
      A         -1
      B         1
      C         --1
      task      +++
      out       1--
      effects   0: begin 1 unaligned, capture 1 of A, capture 1 of B, capture 1 of C
      &         2: aligned 1
      `,
      unaligned,
    ))

  test('the last barrier begins unaligned if it is the unaligned one', () =>
    picture(
      `
      A         1
      B         -1
      C         --u
      task      +++
      out       --1
      u         barrier 1 unaligned
      effects   0: block A
      &         1: block B
      &         2: begin 1 unaligned, capture 1 of C, aligned 1, unblock A, unblock B
      `,
      aligned,
    ))

  test('a channel blocked before it began unaligned stays blocked until all barriers are in', () =>
    picture(
      `
      A         1
      B         -u
      C         --1
      task      +++
      out       -1-
      u         barrier 1 unaligned
      effects   0: block A
      &         1: begin 1 unaligned, capture 1 of B, capture 1 of C
      &         2: aligned 1, unblock A
      `,
      aligned,
    ))

  test("a savepoint's barrier is aligned, whatever it says", () =>
    picture(
      `
      A         s
      B         -s
      C         --s
      task      +++
      out       --1
      s         barrier 1 unaligned savepoint
      effects   0: block A
      &         1: block B
      &         2: begin 1 aligned, aligned 1, unblock A, unblock B
      `,
      unaligned,
    ))

  test('an end counts as the barrier of its channel', () =>
    picture(
      `
      A         1
      B         -|
      C         --1
      task      +++
      out       --1
      effects   0: block A
      &         2: begin 1 aligned, aligned 1, unblock A
      `,
      aligned,
    ))

  test('an end can be what was missing', () =>
    picture(
      `
      A         1
      B         -1
      C         --|
      task      +++
      out       --1
      effects   0: block A
      &         1: block B
      &         2: begin 1 aligned, aligned 1, unblock A, unblock B
      `,
      aligned,
    ))

  test('an end can be what was missing unaligned', () =>
    picture(
      `
      A         1
      B         -1
      C         --|
      task      +++
      out       1--
      effects   0: begin 1 unaligned, capture 1 of A, capture 1 of B, capture 1 of C
      &         2: aligned 1
      `,
      unaligned,
    ))

  test('an end after its barrier counts once', () =>
    picture(
      `
      A         1|
      B         --1
      C         ---1
      task      ++++
      out       1---
      effects   0: begin 1 unaligned, capture 1 of A, capture 1 of B, capture 1 of C
      &         3: aligned 1
      `,
      unaligned,
    ))

  test('later checkpoints do not wait for an ended channel, nor capture it', () =>
    picture(
      `
      A         -1-u
      B         |
      C         --1-u
      task      +++++
      out       --12-
      u         barrier 2 unaligned
      effects   1: block A
      &         2: begin 1 aligned, aligned 1, unblock A
      &         3: begin 2 unaligned, capture 2 of A, capture 2 of C
      &         4: aligned 2
      `,
      aligned,
    ))

  test('the only channel left begins by itself', () =>
    picture(
      `
      A         |
      B         -|
      C         --1u
      task      ++++
      out       --12
      u         barrier 2 unaligned
      effects   2: begin 1 aligned, aligned 1
      &         3: begin 2 unaligned, capture 2 of C, aligned 2
      `,
      aligned,
    ))

  test('an end with nothing under way does nothing', () =>
    picture(
      `
      A         |
      B         -|
      C         --|
      task      +++
      out       --|
      effects   none
      `,
      aligned,
    ))

  test('a barrier of a newer checkpoint ends the one under way', () =>
    picture(
      `
      A         1-2
      B         -2
      C         ---2
      task      ++++
      out       -y-2
      y         aborted 1 subsumed
      effects   0: block A
      &         1: unblock A, aborted 1 subsumed, block B
      &         2: block A
      &         3: begin 2 aligned, aligned 2, unblock A, unblock B
      `,
      aligned,
    ))

  test('a newer one ends one that has begun', () =>
    picture(
      `
      A         u
      B         -2
      C         --
      task      ++
      out       1y
      u         barrier 1 unaligned
      y         aborted 1 subsumed
      effects   0: begin 1 unaligned, capture 1 of A, capture 1 of B, capture 1 of C
      &         1: drop 1, aborted 1 subsumed, block B
      `,
      aligned,
    ))

  test('barriers of older checkpoints do nothing', () =>
    picture(
      `
      A         2---u
      B         -12--1
      C         ---2
      task      ++++++
      out       ---2--
      u         barrier 2 unaligned
      effects   0: block A
      &         2: block B
      &         3: begin 2 aligned, aligned 2, unblock A, unblock B
      `,
      aligned,
    ))

  test('barriers of one that was given up do nothing', () =>
    picture(
      `
      A         1
      B         -2
      C         --1
      task      +++
      out       -y-
      y         aborted 1 subsumed
      effects   0: block A
      &         1: unblock A, aborted 1 subsumed, block B
      `,
      aligned,
    ))

  test('a cancel marker ends its checkpoint', () =>
    picture(
      `
      A         1
      B         -x-x
      C         --1
      task      ++++
      out       -y--
      x         cancel 1
      y         aborted 1 cancelled
      effects   0: block A
      &         1: unblock A, aborted 1 cancelled
      `,
      aligned,
    ))

  test('a cancel marker ends one that has begun', () =>
    picture(
      `
      A         1
      B         -x
      C         --1
      task      +++
      out       1y-
      x         cancel 1
      y         aborted 1 cancelled
      effects   0: begin 1 unaligned, capture 1 of A, capture 1 of B, capture 1 of C
      &         1: drop 1, aborted 1 cancelled
      `,
      unaligned,
    ))

  test('a cancel marker ahead of all barriers ends its checkpoint', () =>
    picture(
      `
      A         x--2
      B         -1
      C         --x
      task      ++++
      out       y---
      x         cancel 1
      y         aborted 1 cancelled
      effects   0: aborted 1 cancelled
      &         3: block A
      `,
      aligned,
    ))

  test('a cancel marker of a newer checkpoint drops the one under way', () =>
    picture(
      `
      A         1
      B         -x
      C         --1234
      task      ++++++
      out       -y----
      x         cancel 3
      y         aborted 3 cancelled
      effects   0: block A
      &         1: unblock A, aborted 3 cancelled
      &         5: block C
      `,
      aligned,
    ))

  test('a cancel marker of a newer checkpoint drops one that has begun', () =>
    picture(
      `
      A         1
      B         -x
      C         --
      task      ++
      out       1y
      x         cancel 2
      y         aborted 2 cancelled
      effects   0: begin 1 unaligned, capture 1 of A, capture 1 of B, capture 1 of C
      &         1: drop 1, aborted 2 cancelled
      `,
      unaligned,
    ))

  test('a cancel marker of an older checkpoint does nothing', () =>
    picture(
      `
      A         2---yx
      B         -x2
      C         ---2
      task      ++++++
      out       ---2--
      x         cancel 1
      y         cancel 2
      effects   0: block A
      &         2: block B
      &         3: begin 2 aligned, aligned 2, unblock A, unblock B
      `,
      aligned,
    ))

  test('a barrier that waits too long goes to the head of its queue, and what it passes is captured', () =>
    picture(
      `
      A         ab1----
      B         --1----
      C         --1----
      task      ------++++++
      out       ------1--ab
      captured  1: A(ab)
      effects   5: prioritize 1 of A, prioritize 1 of B, prioritize 1 of C
      &         6: begin 1 unaligned after 4, capture 1 of A, capture 1 of B, capture 1 of C
      &         8: aligned 1 in 2
      `,
      lanes => gateOf(lanes).pipe(align({ alignment: { alignedTimeoutMs: 3 } })),
    ))
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
  /** The same, of what the barrier has passed in the sending half. */
  readonly passed: ReadonlyMap<string, string>
}

/** A form of the channels; where there is a link, what is sent arrives before or after the task takes something. */
interface Joined {
  readonly joined: string
  readonly form: Form
  readonly arrivesLate: boolean
}

const [queue, halves] = forms as [Form, Form]
const joinedBy: readonly Joined[] = [
  { joined: 'one queue', form: queue, arrivesLate: false },
  { joined: 'two halves', form: halves, arrivesLate: false },
  { joined: 'two halves, with a slow link', form: halves, arrivesLate: true },
]

interface Play extends Omit<Joined, 'joined'> {
  readonly scripts: readonly Script[]
  readonly arrivals: readonly number[]
  /** So many elements are taken after each arrival. */
  readonly takes: number
  /** Of the two checkpoints: aligned, unaligned, timeout. */
  readonly kinds: string
  /** After so many arrivals the limits of both are passed. */
  readonly lateAfter?: number
  /** No timer can run. */
  readonly busy?: boolean
}

const played = (play: Play): Outcome => {
  const { form, arrivesLate, scripts, arrivals, takes, kinds, lateAfter, busy = false } = play
  const clock = new ScriptedClock()
  const channels = scripts.map(() => form.make<string>({ buffersMax: 1 }))
  const channelGate = new ChannelGate(channels.map(({ halves }) => halves.receiving))
  const log: string[] = []
  const [captured, passed] = [new Map<string, string>(), new Map<string, string>()]
  channelGate.pipe(align<string>({ scheduler: clock })).subscribe(of => {
    if (of.kind === 'captured') {
      const at = `${of.checkpoint} ${of.channel}`
      captured.set(at, (captured.get(at) ?? '') + of.elements.map(pictured).join(''))
      log.push(`captured ${of.checkpoint}`)
    } else if (of.kind === 'begin') log.push(`begin ${of.barrier.checkpoint}`)
    else if (of.kind === 'aligned' || of.kind === 'aborted') log.push(`${of.kind} ${of.checkpoint}`)
    else if (of.kind === 'buffer') log.push(`${channelGate.current}${pictured(of)}`)
    else log.push(of.kind)
  })
  const left = scripts.map(script => [...script])
  const take = () => channelGate.take({ recordsMax: 10, takes: 'all' })
  const settle = () => {
    for (const channel of channels) channel.settle()
  }
  /** Without a time-out only right after the barrier has been pushed. */
  const pass = (id: number, checkpoint: number) => {
    const records = channels[id]?.halves.sending.outbox?.capture(checkpoint).map(pictured).join('') ?? ''
    if (records !== '') passed.set(`${checkpoint} ${id}`, records)
  }
  const timeOut = () => {
    for (const [id, { halves }] of channels.entries()) {
      for (const checkpoint of [1, 2]) {
        if (halves.sending.outbox?.holds(checkpoint) !== true) continue
        pass(id, checkpoint)
        halves.sending.outbox.prioritize(checkpoint)
      }
    }
  }
  arrivals.forEach((id, at) => {
    if (at === lateAfter) clock.pass(11)
    if (!busy) clock.runDue()
    if (!busy && lateAfter !== undefined && at >= lateAfter) timeOut()
    const step = left[id]?.shift() as string
    for (const of of elementsOf(step, kinds)) {
      channels[id]?.halves.sending.push(of)
      if (of.kind === 'barrier' && of.alignment === 'unaligned') pass(id, of.checkpoint)
    }
    if (!arrivesLate) settle()
    for (let i = 0; i < takes && take(); i++);
    settle()
  })
  do settle()
  while (take())
  return { log, captured, passed }
}

/** Read once: most of what is played is the same again. */
const elementsOf = (step: string, kinds: string): readonly StreamElement<string>[] => {
  const known = read.get(`${step} ${kinds}`)
  if (known !== undefined) return known
  const of = step.split(' ').map(text => {
    const checkpoint = Number(/<(\d)>/.exec(text)?.[1])
    switch (kinds[checkpoint - 1]) {
      case 't':
        return barrier(checkpoint, { alignment: { alignedTimeoutMs: 10 }, timestampMs: new ScriptedClock().now() })
      case 'u':
        return barrier(checkpoint, { alignment: 'unaligned' })
      default:
        return element(text)
    }
  })
  read.set(`${step} ${kinds}`, of)
  return of
}
const read = new Map<string, readonly StreamElement<string>[]>()

/** Records that the channel sends before the barrier of the checkpoint: all, if it ends without one. */
const before = (script: Script, checkpoint: number) =>
  (script.join(' ').split(`<${checkpoint}>`)[0] as string).replace(/[^a-z]/g, '')

/** Finds what is wrong with an outcome. Most plays come to one that another has come to, of which nothing is said again. */
const violations = (scripts: readonly Script[], kinds: string): ((of: Outcome) => readonly string[]) => {
  const checked = new Set<string>()
  return of => {
    const text = `${of.log} ${[...of.captured]} ${[...of.passed]}`
    if (checked.has(text)) return []
    checked.add(text)
    return violationsOf(of, scripts, kinds)
  }
}

const violationsOf = (
  { log, captured, passed }: Outcome,
  scripts: readonly Script[],
  kinds: string,
): readonly string[] => {
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
    const overtaken = checkpoint === 1 && /au|at|ut/.test(kinds) && begun < 0
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
      const at = `${checkpoint} ${id}`
      const inFlight = (captured.get(at) ?? '') + (passed.get(at) ?? '')
      holds(
        `${checkpoint}: what is taken of channel ${id} before it begins, and what is captured, is all before its barrier, once`,
        recordsOf(id, begun) + inFlight === before(script, checkpoint),
      )
      holds(`${checkpoint}: an aligned checkpoint captures nothing`, kinds[checkpoint - 1] !== 'a' || inFlight === '')
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

/** The timer at each position; then the task is busy, and only what is taken late tells. */
const modes = [
  { takes: 0, busy: false },
  { takes: 1, busy: false },
  { takes: 1, busy: true },
]

/** Channels that send the same come in another order of their numbers, and else it is an interleaving that is played. */
const isRenamed = (scripts: readonly Script[], arrivals: readonly number[]): boolean =>
  scripts.some((script, id) => script === scripts[id - 1] && arrivals.indexOf(id) < arrivals.indexOf(id - 1))

/** Before a barrier with a timeout has been sent, it is one whenever the limit is passed. */
const firstThatMayBeLate = (scripts: readonly Script[], arrivals: readonly number[], kinds: string): number => {
  const left = scripts.map(script => [...script])
  return arrivals.findIndex(id =>
    elementsOf(left[id]?.shift() as string, kinds).some(of => of.kind === 'barrier' && timeoutMsOf(of) !== undefined),
  )
}

describe.each(joinedBy)('channels of $joined:', joined => {
  test.each(kindCases)('in every interleaving of three channels the cut is exact: %s', (_, kinds) => {
    let count = 0
    for (const third of thirds) {
      const scripts = [whole, whole, third]
      const violated = violations(scripts, kinds)
      for (const arrivals of interleavings(scripts.map(({ length }) => length))) {
        for (const takes of [0, 1, 2, 3, 100]) {
          const outcome = played({ ...joined, scripts, arrivals, takes, kinds })
          const found = violated(outcome)
          if (found.length > 0) expect.fail(`${third} ${arrivals}, ${takes} taken after each: ${found}\n${outcome.log}`)
          count++
        }
      }
    }
    expect(count).toBe(5 * (1_680 + 560 + 140))
  })

  test.each([
    ['both', 'tt'],
    ['the second', 'at'],
    ['the first, then aligned', 'ta'],
    ['the first, then unaligned', 'tu'],
    ['the second, after unaligned', 'ut'],
  ] as const)('in every interleaving the cut is exact, wherever the limit is passed: %s', (_, kinds) => {
    // In halves, where a play takes twice as long, other numbers of channels that send the same only for the pair that both turn.
    const leavesOutRenamed = joined.form === halves && kinds !== 'tt'
    /** Whether a checkpoint with a timeout captured something. */
    const turned = new Set<boolean>()
    for (const third of thirds) {
      const scripts = [whole, whole, third]
      const violated = violations(scripts, kinds)
      for (const arrivals of interleavings(scripts.map(({ length }) => length))) {
        if (leavesOutRenamed && isRenamed(scripts, arrivals)) continue
        const first = firstThatMayBeLate(scripts, arrivals, kinds)
        for (const mode of modes) {
          for (let lateAfter = first; lateAfter <= arrivals.length; lateAfter++) {
            const outcome = played({ ...joined, scripts, arrivals, kinds, lateAfter, ...mode })
            const found = violated(outcome)
            if (found.length > 0) {
              expect.fail(
                `${third} ${arrivals}, ${JSON.stringify(mode)}, late after ${lateAfter}: ${found}\n${outcome.log}`,
              )
            }
            turned.add(
              [...outcome.captured.keys(), ...outcome.passed.keys()].some(
                of => kinds[Number.parseInt(of, 10) - 1] === 't',
              ),
            )
          }
        }
      }
    }
    expect(turned).toEqual(new Set([true, false]))
  })
})
