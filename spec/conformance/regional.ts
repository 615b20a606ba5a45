import * as t from 'io-ts'
import { checkpoints } from '../../lib/coordination/checkpoints.ts'
import { type CheckpointsState, initialCheckpoints } from '../../lib/coordination/checkpointsState.ts'
import type { CheckpointEvent, CheckpointOrder } from '../../lib/coordination/events.ts'
import { regional } from '../../lib/coordination/policy.ts'
import { membersOf } from '../../lib/coordination/vector.ts'
import { decode } from '../../lib/decode.ts'
import { storedAs } from '../storedAs.ts'
import { difference, type Suite } from './failure.ts'

const caseType = t.type({
  regions: t.array(t.array(t.string)),
  failedRatioMax: t.number,
  consecutiveFailuresMax: t.number,
  retained: t.number,
  steps: t.array(t.intersection([t.type({ do: t.string }), t.partial({ out: t.array(t.string) })])),
})

/**
 * Reads a case of the suite "regional". Run on the coordinator's transition function, it says what differs. What it orders to be
 * committed is at once.
 *
 * @throws an Error, if the case or a step of it cannot be parsed
 */
export const regionalCase: Suite = of => {
  const { steps, ...options } = decode(caseType, of, {
    place: 'a case of the suite regional',
    remedy: 'The format is described in the README of the cases.',
    code: 'INVALID_OPTION',
  })
  const tasks = new Set(options.regions.flat())
  const events = steps.map(step => readStep(step.do, tasks))
  return () => {
    const job = new Coordinated(options)
    return steps.flatMap((step, i) =>
      difference(`step ${i + 1}: ${step.do}`, step.out?.join(', '), job.hear(events[i] as CheckpointEvent).join(', ')),
    )
  }
}

class Coordinated {
  #state: CheckpointsState
  #entry = 0
  /** Entries of the log, and which checkpoint each belongs to. */
  readonly #entries = new Map<number, number>()
  #out: string[] = []

  constructor({ regions, retained, ...limits }: Omit<t.TypeOf<typeof caseType>, 'steps'>) {
    this.#state = initialCheckpoints({
      policy: regional(limits),
      connected: regions,
      nextId: 1,
      retainedCount: retained,
    })
  }

  hear(event: CheckpointEvent): readonly string[] {
    this.#out = []
    // The case numbers its checkpoints as it likes.
    if (event.kind === 'requested' && this.#state.pending === undefined) {
      this.#state = { ...this.#state, nextId: event.request as number }
    }
    this.#about(event)
    return this.#out
  }

  #about(event: CheckpointEvent): void {
    const [next, orders] = checkpoints(this.#state, event, 0)
    this.#state = next
    for (const order of orders) this.#obey(order)
  }

  #obey(order: CheckpointOrder): void {
    switch (order.kind) {
      case 'commit':
        this.#entries.set(++this.#entry, order.checkpoint)
        return this.#about({ kind: 'committed', checkpoint: order.checkpoint, entry: this.#entry })
      case 'publish':
        for (const region of order.regions) this.#out.push(`region ${region} of ${order.checkpoint}`)
        return
      case 'notify':
        this.#out.push(`notify ${order.checkpoint} ${order.tasks.join(',')}`)
        return
      case 'report':
        return this.#outcome(order.report)
      case 'release':
        return this.#release(order.entries)
    }
  }

  /** Before the notification, which the coordinator orders first. */
  #outcome({ id, outcome, reason }: { id: number; outcome: string; reason?: string }): void {
    const last = this.#out.at(-1)?.startsWith('notify') ? this.#out.pop() : undefined
    if (outcome === 'failed') this.#out.push(`fail ${id} ${reason?.split(':')[0]}`)
    else {
      const newest = membersOf(this.#state.standings).map(({ part }) => part?.checkpoint)
      this.#out.push(`complete ${id} ${newest.join(',')}`)
    }
    if (last !== undefined) this.#out.push(last)
  }

  /** A checkpoint's files are gone once all entries are. */
  #release(entries: readonly number[]): void {
    const before = new Set(entries.map(entry => this.#entries.get(entry) as number))
    for (const entry of entries) this.#entries.delete(entry)
    const left = new Set(this.#entries.values())
    for (const checkpoint of [...before].sort((a, b) => a - b)) {
      if (!left.has(checkpoint)) this.#out.push(`release ${checkpoint}`)
    }
  }
}

const readStep = (text: string, tasks: ReadonlySet<string>): CheckpointEvent => {
  const [what, first = '', task, ...more] = text.split(' ')
  const checkpoint = Number(first)
  const isNumber = /^\d+$/.test(first)
  if (more.length === 0 && task === undefined) {
    if (what === 'trigger' && isNumber) return { kind: 'requested', alignment: 'aligned', request: checkpoint }
    if (what === 'expire' && isNumber) return { kind: 'expired', checkpoint }
    if (what === 'task-fails' && tasks.has(first)) return { kind: 'failed', task: first, error: new Error(text) }
  }
  if (more.length === 0 && task !== undefined && isNumber && tasks.has(task)) {
    if (what === 'ack') return acknowledged(task, checkpoint)
    if (what === 'decline') {
      return { kind: 'declined', task, ended: false, checkpoint, reason: text, cause: 'declined' }
    }
  }
  throw new Error(`The step \`${text}\` of the suite regional cannot be parsed.`)
}

const acknowledged = (task: string, checkpoint: number): CheckpointEvent => ({
  kind: 'acknowledged',
  checkpoint,
  snapshot: storedAs(`${checkpoint}/${task}`, { task }),
  sizes: { stateBytes: 1, inFlightBytes: 0, inFlightRecords: 0 },
  times: {
    startDelayMs: 0,
    alignmentMs: 0,
    processedDuringAlignment: 0,
    syncMs: 0,
    begunAtMs: 0,
    wholeAtMs: 0,
    asyncMs: 0,
  },
})
