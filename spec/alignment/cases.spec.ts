import { readFileSync } from 'node:fs'
import { asapScheduler, type SchedulerLike } from 'rxjs'
import { describe, expect, test } from 'vitest'
import { alignment, initialAlignment } from '../../lib/alignment/alignment.ts'
import { Channel } from '../../lib/channel/channel.ts'
import { ChannelGate, type Taken } from '../../lib/channel/gate.ts'
import { align } from '../../lib/control/align.ts'
import { type Alignment, barrier, buffer, cancel, end, type StreamElement } from '../../lib/element.ts'

/** spec/conformance/cases/alignment.json, described in its README. */
interface Case {
  readonly id: string
  readonly name: string
  readonly channels: number
  readonly guarantee?: 'exactly-once' | 'at-least-once'
  readonly alignment: 'aligned' | 'unaligned' | 'timeout'
  readonly delivery: 'auto' | 'manual'
  readonly steps: readonly Step[]
  readonly persisted?: Persisted
}

interface Step {
  readonly do: string
  readonly out?: readonly string[]
  readonly blocked?: readonly number[]
  readonly pending?: number | null
  readonly metrics?: Metrics
}

interface Metrics {
  readonly checkpoint: number
  readonly alignmentMs?: number
  readonly startDelayMs?: number
  readonly processedDuringAlignment?: number
}

type Persisted = Record<string, Record<string, readonly string[]>>

const file = new URL('../conformance/cases/alignment.json', import.meta.url)
const cases = (JSON.parse(readFileSync(file, 'utf8')) as { cases: readonly Case[] }).cases

/** Timeouts and at-least-once do not exist yet. */
const isPlayable = ({ guarantee = 'exactly-once', alignment: kind, steps }: Case) =>
  guarantee === 'exactly-once' && kind !== 'timeout' && !steps.some(step => /timeout=|busy/.test(step.do))

class Played {
  readonly persisted: Persisted = {}
  readonly metrics = new Map<number, Required<Metrics>>()
  readonly #channels: readonly Channel<string>[]
  readonly #gate: ChannelGate<string>
  readonly #case: Case
  readonly #timestamps = new Map<number, number>()
  #nowMs = 1_000_000
  #out: string[] = []
  /** The same function beside the operator, whose state nobody sees. */
  #state: ReturnType<typeof initialAlignment>
  #processed = 0

  constructor(of: Case) {
    this.#case = of
    this.#channels = Array.from({ length: of.channels }, () => new Channel<string>())
    this.#gate = new ChannelGate(this.#channels)
    this.#state = initialAlignment(of.channels)
    this.#gate.subscribe(event => {
      if (event.kind === 'taken') this.#follow(event)
    })
    const clock: SchedulerLike = { now: () => this.#nowMs, schedule: asapScheduler.schedule.bind(asapScheduler) }
    this.#gate.pipe(align<string>({ scheduler: clock })).subscribe(event => {
      switch (event.kind) {
        case 'buffer':
          this.#processed++
          this.#out.push(...event.records.map(record => `${this.#gate.current} ${record}`))
          break
        case 'begin':
          this.#out.push(`begin ${event.barrier.checkpoint} ${event.alignment}`)
          this.#measured(event.barrier.checkpoint, { startDelayMs: event.startDelayMs })
          break
        case 'captured': {
          const channels = this.persisted[event.checkpoint] ?? {}
          this.persisted[event.checkpoint] = channels
          const records = event.elements.flatMap(element => (element.kind === 'buffer' ? element.records : []))
          if (records.length > 0) channels[event.channel] = [...(channels[event.channel] ?? []), ...records]
          break
        }
        case 'aligned':
          this.#measured(event.checkpoint, {
            alignmentMs: event.alignmentMs,
            processedDuringAlignment: this.#processed,
          })
          break
        case 'aborted':
          delete this.persisted[event.checkpoint]
          this.#out.push(`abort ${event.checkpoint} ${event.reason}`)
          break
      }
    })
  }

  get blocked(): readonly number[] {
    return this.#channels.flatMap((channel, id) => (channel.blocked ? [id] : []))
  }

  get pending(): number | null {
    return this.#state.underWay?.barrier.checkpoint ?? null
  }

  /** What came out of the step. */
  step(step: string): readonly string[] {
    this.#out = []
    const [subject, argument] = (/^(\w+)(?: (.*))?$/.exec(step) ?? []).slice(1) as [string, string | undefined]
    if (subject === 'poll') this.#take(Number(argument ?? 1))
    else if (subject === 'advance') this.#nowMs += Number(argument)
    else this.#channels[Number(subject)]?.push(this.#element(argument as string))
    if (this.#case.delivery === 'auto') this.#take(Number.POSITIVE_INFINITY)
    return this.#out
  }

  #element(text: string): StreamElement<string> {
    if (text === '<end>') return end
    if (text.startsWith('<cancel')) return cancel(Number(/\d+/.exec(text)))
    if (!text.startsWith('<')) return buffer([text])
    const words = text.slice(1, -1).split(' ')
    const checkpoint = Number(words[0])
    const at = words.find(word => word.startsWith('at='))
    const first = this.#timestamps.get(checkpoint) ?? this.#nowMs
    const timestampMs = at === undefined ? first : this.#nowMs + Number(at.slice(3))
    if (!this.#timestamps.has(checkpoint)) this.#timestamps.set(checkpoint, timestampMs)
    const kind = words.find(word => /^(aligned|unaligned|savepoint)$/.test(word)) ?? this.#case.alignment
    const savepoint = kind === 'savepoint'
    return barrier(checkpoint, { timestampMs, savepoint, alignment: savepoint ? 'aligned' : (kind as Alignment) })
  }

  #take(count: number): void {
    for (let i = 0; i < count && this.#gate.take({ recordsMax: 100, takes: 'all' }); i++);
  }

  #follow({ channel, element }: Taken<string>): void {
    const before = this.pending
    if (element.kind === 'barrier')
      this.#state = alignment(this.#state, { kind: 'barrier', channel, barrier: element })[0]
    if (element.kind === 'cancel') this.#state = alignment(this.#state, element)[0]
    if (element.kind === 'end') this.#state = alignment(this.#state, { kind: 'end', channel })[0]
    if (this.pending !== null && this.pending !== before) this.#processed = 0
  }

  #measured(checkpoint: number, part: Partial<Metrics>): void {
    this.metrics.set(checkpoint, { checkpoint, ...this.metrics.get(checkpoint), ...part } as Required<Metrics>)
  }
}

/** Records with nothing else between them may come in any order of channels. */
const unordered = (out: readonly string[]): readonly string[] => {
  const runs: string[][] = []
  for (const line of out) {
    const isRecord = /^\d/.test(line)
    const last = runs.at(-1)
    if (isRecord && last !== undefined && /^\d/.test(last[0] as string)) last.push(line)
    else runs.push([line])
  }
  return runs.flatMap(run => run.sort((a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10)))
}

describe('conformance of alignment', () => {
  test.each(cases.filter(isPlayable).map(of => [of.id, of.name, of] as const))('%s: %s', (_, __, of) => {
    const played = new Played(of)
    for (const [number, step] of of.steps.entries()) {
      const at = `step ${number + 1}: ${step.do}`
      const out = played.step(step.do)
      if (step.out !== undefined) expect(unordered(out), at).toEqual(unordered(step.out))
      if (step.blocked !== undefined) expect(played.blocked, at).toEqual(step.blocked)
      if (step.pending !== undefined) expect(played.pending, at).toBe(step.pending)
      if (step.metrics !== undefined)
        expect(played.metrics.get(step.metrics.checkpoint), at).toMatchObject(step.metrics)
    }
    if (of.persisted === undefined) return
    const nonEmpty = Object.entries(played.persisted).filter(([, channels]) => Object.keys(channels).length > 0)
    expect(Object.fromEntries(nonEmpty)).toEqual(of.persisted)
  })

  test.skip.each(cases.filter(of => !isPlayable(of)).map(of => [of.id, of.name] as const))('%s: %s', () => {})
})
