import { alignment, initialAlignment, pendingCheckpoint } from '../../lib/alignment/alignment.ts'
import type { AlignmentEvent } from '../../lib/alignment/events.ts'
import { Channel } from '../../lib/channel/channel.ts'
import { type Announced, type Captured, ChannelGate, type Taken } from '../../lib/channel/gate.ts'
import { type AlignedElement, align } from '../../lib/control/align.ts'
import { type Alignment, barrier, buffer, cancel, end, type StreamElement } from '../../lib/element.ts'
import { absurd } from '../../lib/invariant.ts'
import {
  type AlignmentCase,
  type ExpectedStep,
  type Metrics,
  readCase,
  readStep,
  type ScriptedBarrier,
  type Step,
} from './alignmentSteps.ts'
import type { Failure, Suite } from './failure.ts'
import { ScriptedClock } from './scriptedClock.ts'

/**
 * Reads a case of the suite "alignment". Run, on real channels, their gate and `align`, it says what differs.
 *
 * @throws an Error, if the case or a step of it cannot be parsed
 */
export const alignmentCase: Suite = of => {
  const read = readCase(of)
  const steps = read.steps.map(step => ({ step, does: readStep(step.do, read) }))
  return () => differencesOf(read, steps)
}

const differencesOf = (
  read: AlignmentCase,
  steps: readonly { readonly step: ExpectedStep; readonly does: Step }[],
): readonly Failure[] => {
  const task = new ScriptedTask(read)
  const failures = steps.flatMap(({ step, does }, i) => {
    const out = task.step(does)
    return differences(`step ${i + 1}: ${step.do}`, step, { task, out })
  })
  if (read.persisted === undefined) return failures
  return [...failures, ...difference('persisted', canonical(read.persisted), canonical(task.persisted))]
}

type Persisted = Record<string, Record<string, readonly string[]>>

/** A task that a case's steps drive. */
class ScriptedTask {
  readonly persisted: Persisted = {}
  readonly #case: AlignmentCase
  readonly #clock = new ScriptedClock()
  readonly #channels: readonly Channel<string>[]
  readonly #gate: ChannelGate<string>
  readonly #timestamps = new Map<number, number>()
  readonly #metrics = new Map<number, Metrics>()
  /** The same function beside the operator, which does not show its state. */
  #state: ReturnType<typeof initialAlignment>
  #out: string[] = []

  constructor(of: AlignmentCase) {
    const guarantee = of.guarantee ?? 'exactly-once'
    this.#case = of
    this.#channels = Array.from({ length: of.channels }, () => new Channel<string>())
    this.#gate = new ChannelGate(this.#channels)
    this.#state = initialAlignment(of.channels, guarantee)
    this.#gate.subscribe(event => this.#follow(event))
    this.#gate.pipe(align<string>({ scheduler: this.#clock, guarantee })).subscribe(element => this.#cameOut(element))
  }

  get blocked(): readonly number[] {
    return this.#channels.flatMap((channel, id) => (channel.blocked ? [id] : []))
  }

  get pending(): number | null {
    return pendingCheckpoint(this.#state) ?? null
  }

  metrics(checkpoint: number): Metrics | undefined {
    return this.#metrics.get(checkpoint)
  }

  /** What came out. */
  step(step: Step): readonly string[] {
    this.#out = []
    this.#do(step)
    if (this.#case.delivery !== 'manual') this.#take(Number.POSITIVE_INFINITY)
    return this.#out
  }

  #do(step: Step): void {
    switch (step.kind) {
      case 'record':
        return this.#arrives(step, buffer([step.record]))
      case 'barrier':
        return this.#arrives(step, this.#barrier(step.barrier))
      case 'cancel':
        return this.#arrives(step, cancel(step.checkpoint))
      case 'end':
        return this.#arrives(step, end)
      case 'poll':
        return this.#take(step.count)
      case 'advance':
        this.#clock.pass(step.durationMs)
        if (!step.busy) this.#clock.runDue()
        return
      default:
        return absurd(step)
    }
  }

  #arrives({ channel: id }: { channel: number }, element: StreamElement<string>): void {
    this.#channels[id]?.push(element)
  }

  #barrier({ checkpoint, alignment: kind = this.#kind, savepoint, atMs }: ScriptedBarrier) {
    const nowMs = this.#clock.now()
    const timestampMs = atMs === undefined ? (this.#timestamps.get(checkpoint) ?? nowMs) : nowMs + atMs
    if (!this.#timestamps.has(checkpoint)) this.#timestamps.set(checkpoint, timestampMs)
    return barrier(checkpoint, { timestampMs, savepoint, alignment: kind })
  }

  get #kind(): Alignment {
    const { alignment: kind = 'aligned', alignedTimeoutMs } = this.#case
    if (kind !== 'timeout') return kind
    return { alignedTimeoutMs: alignedTimeoutMs as number }
  }

  #take(count: number): void {
    for (let i = 0; i < count && this.#gate.take({ recordsMax: 100, takes: 'all' }); i++);
  }

  #follow(event: Announced | Taken<string> | Captured<string>): void {
    const happened = eventOf(event)
    if (happened !== undefined) this.#state = alignment(this.#state, happened)[0]
  }

  #cameOut(element: AlignedElement<string>): void {
    switch (element.kind) {
      case 'buffer':
        this.#out.push(...element.records.map(record => `${this.#gate.current} ${record}`))
        return
      case 'begin':
        this.#out.push(`begin ${element.barrier.checkpoint} ${element.alignment}`)
        return
      case 'captured':
        return this.#persist(element)
      case 'aligned':
        this.#metrics.set(element.checkpoint, element)
        return
      case 'aborted':
        delete this.persisted[element.checkpoint]
        this.#out.push(`abort ${element.checkpoint} ${element.reason}`)
        return
      case 'watermark':
      case 'idle':
      case 'active':
      case 'recovered':
      case 'end':
        return
      default:
        return absurd(element)
    }
  }

  #persist({ checkpoint, channel, elements }: Captured<string>): void {
    const records = elements.flatMap(element => (element.kind === 'buffer' ? element.records : []))
    if (records.length === 0) return
    const channels = this.persisted[checkpoint] ?? {}
    this.persisted[checkpoint] = { ...channels, [channel]: [...(channels[channel] ?? []), ...records] }
  }
}

/** Times do not change what is pending. */
const eventOf = (event: Announced | Taken<string> | Captured<string>): AlignmentEvent | undefined => {
  if (event.kind === 'captured') return undefined
  if (event.kind === 'announced') return event
  const { channel, element } = event
  switch (element.kind) {
    case 'barrier':
      return { kind: 'barrier', channel, barrier: element, nowMs: 0, buffers: 0 }
    case 'cancel':
      return element
    case 'end':
      return { kind: 'end', channel, nowMs: 0, buffers: 0 }
    default:
      return undefined
  }
}

const differences = (
  at: string,
  { out, blocked, pending, metrics }: ExpectedStep,
  got: { task: ScriptedTask; out: readonly string[] },
): readonly Failure[] => [
  ...(out === undefined ? [] : difference(`${at}, out`, unordered(out), unordered(got.out))),
  ...(blocked === undefined ? [] : difference(`${at}, blocked`, blocked, got.task.blocked)),
  ...(pending === undefined ? [] : difference(`${at}, pending`, pending, got.task.pending)),
  ...(metrics === undefined ? [] : metricsDifference(at, metrics, got.task.metrics(metrics.checkpoint))),
]

const metricsDifference = (at: string, expected: Metrics, got: Metrics | undefined): readonly Failure[] => {
  if (got === undefined) return [{ step: `${at}, metrics`, expected: JSON.stringify(expected), got: 'none' }]
  const names = Object.keys(expected) as (keyof Metrics)[]
  return names.flatMap(name => difference(`${at}, ${name}`, expected[name], got[name]))
}

const difference = (step: string, expected: unknown, got: unknown): readonly Failure[] => {
  const texts = { expected: JSON.stringify(expected), got: JSON.stringify(got) }
  return texts.expected === texts.got ? [] : [{ step, ...texts }]
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

/** Without what persisted nothing; checkpoints and channels in order of number, as an object keeps them. */
const canonical = (persisted: Persisted): Persisted => {
  const channels = Object.entries(persisted).map(([checkpoint, of]) => {
    const some = Object.entries(of).filter(([, records]) => records.length > 0)
    return [checkpoint, Object.fromEntries(some)] as const
  })
  return Object.fromEntries(channels.filter(([, of]) => Object.keys(of).length > 0))
}
