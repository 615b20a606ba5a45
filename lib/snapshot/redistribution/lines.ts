import { type Buffer, buffer } from '../../element.ts'
import { type BroadcastLine, type HeldLine, heldLines, lineOf } from '../../state/broadcastLines.ts'
import type { RestoredOperator } from '../../state/operatorState.ts'
import { type Begun, lined, ofLines, ofNoKey, ownState } from '../frame.ts'
import type { RestoredTask } from '../snapshot.ts'
import { asBegun, withGenerations } from './generations.ts'
import type { Spread } from './spread.ts'

/**
 * Old tasks' lines of an operator whose broadcast records change state of keys and results, as they are dealt anew: broadcast
 * state with its line (`kept`), and with it what the line had still to do, by the heirs of its key groups.
 *
 * A restore may come while lines of the one before are still gone on with: then each of these is a line, and what its old task
 * had still to do for all of them is done for each.
 */
export class DealtLines {
  readonly #tasks: readonly RestoredTask[]
  readonly #operator: string
  readonly #spread: Spread
  readonly #old: readonly OldLine[]
  readonly #held: readonly (readonly HeldLine[])[]

  constructor(tasks: readonly RestoredTask[], operator: string, spread: Spread) {
    this.#tasks = tasks
    this.#operator = operator
    this.#spread = spread
    this.#old = tasks.flatMap((of, task) => linesOf(of.operators.get(operator), task, spread))
    this.#held = heldLines(this.#old, { parallelism: spread.after, groups: spread.keyGroups })
  }

  /** By new tasks: the lines, and the broadcast state of each; `names` are all names of what is kept. */
  kept(names: Iterable<string>): readonly Record<string, unknown>[] {
    const states = new Set([...names].flatMap(name => (name.startsWith('(') ? (ofLines(name) ?? []) : name)))
    return this.#held.map(lines => ({
      [ownState.lines]: lines.map(({ begin, end }) => ({ begin, end })),
      ...Object.fromEntries([...states].map(state => [lined(state), lines.map(({ of }) => this.#stateOf(of, state))])),
    }))
  }

  /** By new tasks: broadcast records that an old task had begun with, or had before it, by the lines that they are applied to. */
  sharesOf({ work, delivered, shares = [], generation }: Begun, old: number): readonly (readonly Begun[])[] {
    if (work.kind !== 'records') return this.#held.map(() => [])
    return this.#held.map(lines =>
      lines.flatMap((line, number) => {
        const of = this.#old[line.of] as OldLine
        if (of.task !== old || (work.line ?? of).number !== of.number) return []
        // Records of the whole task come out where its first key group is now.
        const emits = line.isFirst && (work.line?.emits ?? of.number === 0)
        const own = shares.filter(([group]) => (group === ofNoKey ? emits : group >= line.begin && group < line.end))
        return {
          work: { ...work, line: { number, emits } },
          delivered: delivered === 0 ? 0 : own.reduce((sum, [, deliveries]) => sum + deliveries, 0),
          shares: own,
          generation,
        }
      }),
    )
  }

  /** What an old task's broadcast channels hold, with its generations. */
  inFlight(old: number): readonly (readonly [Begun, generation: number])[] {
    const { inputs, generations } = this.#spread
    return (this.#tasks[old] as RestoredTask).inFlight
      .filter(({ input }) => inputs[input]?.exchange === 'broadcast')
      .flatMap(({ elements, generation }) => [...withGenerations(elements, generation ?? generations.before)])
      .flatMap(([element, generation]) =>
        element.kind === 'buffer' ? [[asBegun(withoutKeys(element)), generation] as const] : [],
      )
  }

  #stateOf(line: number, state: string): unknown {
    const { task, number } = this.#old[line] as OldLine
    const kept = this.#tasks[task]?.operators.get(this.#operator)?.kept ?? {}
    return ownState.lines in kept ? (kept[lined(state)] as readonly unknown[])[number] : kept[state]
  }
}

interface OldLine extends BroadcastLine {
  readonly task: number
  /** Among those of the task. */
  readonly number: number
}

const linesOf = (
  of: RestoredOperator | undefined,
  task: number,
  { before, keyGroups: groups }: Spread,
): readonly OldLine[] => {
  const stored = of?.kept[ownState.lines] as readonly BroadcastLine[] | undefined
  return (stored ?? [lineOf(task, { parallelism: before, groups })]).map((line, number) => ({ ...line, task, number }))
}

/** What it had before it was broadcast. */
const withoutKeys = (of: Buffer<unknown>): Buffer<unknown> =>
  buffer(of.records, { ...of, keys: undefined, groups: undefined })
