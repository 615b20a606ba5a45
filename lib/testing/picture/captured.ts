import type { Captured } from '../../channel/gate.ts'
import type { CheckpointId } from '../../element.ts'
import type { Row } from './drawing.ts'
import { type Legend, markOf, meaningOf } from './meaning.ts'
import { notationError } from './notationError.ts'
import { Recorder } from './received.ts'

/** The in-flight data of each checkpoint by lane, as it is in the end; that of one that has been given up is dropped. */
export class CapturedData {
  readonly #lanes: readonly string[]
  readonly #legend: Legend
  readonly #marks = new Map<CheckpointId, Map<string, string>>()
  readonly #whole = new Set<CheckpointId>()
  readonly #late: string[] = []

  constructor(lanes: readonly string[], legend: Legend) {
    this.#lanes = lanes
    this.#legend = legend
  }

  add({ checkpoint, channel, elements }: Captured<unknown>): void {
    const recorder = new Recorder(() => 0)
    for (const element of elements) recorder.next(element)
    const marks = recorder.received.map(received => markOf(received, this.#legend)).join('')
    const lane = this.#lanes[channel] as string
    if (this.#whole.has(checkpoint)) {
      this.#late.push(`${checkpoint}, after it was whole: ${lane}(${marks})`)
    } else {
      const of = this.#marks.get(checkpoint) ?? new Map<string, string>()
      this.#marks.set(checkpoint, of.set(lane, (of.get(lane) ?? '') + marks))
    }
  }

  whole(checkpoint: CheckpointId): void {
    this.#whole.add(checkpoint)
  }

  drop(checkpoint: CheckpointId): void {
    this.#marks.delete(checkpoint)
  }

  /** One a checkpoint, ascending: `1: A(abc) B(x)`, the lanes in the gate's order. */
  rows(): readonly string[] {
    return [...rowsOf(this.#marks, this.#lanes), ...this.#late]
  }
}

/** The expected rows as `rows()` would give them. */
export const expectedCaptured = (
  rows: readonly Row[],
  { lanes, legend }: { lanes: readonly string[]; legend: Legend },
): readonly string[] => {
  const marks = new Map<CheckpointId, Map<string, string>>()
  for (const { text, place } of rows) {
    const [, checkpoint, list] = /^(\d+):((?: +\w+\([^() ]+\))+)$/.exec(text) ?? []
    if (list === undefined) throw notationError('a row of `captured` is such as `1: A(abc) B(x)`.', place)
    const of = marks.get(Number(checkpoint)) ?? new Map<string, string>()
    for (const { 0: all, 1: lane = '', 2: captured = '', index } of list.matchAll(/(\w+)\(([^()]+)\)/g)) {
      const at = { line: place.line, column: place.column + text.length - list.length + index }
      if (!lanes.includes(lane)) throw notationError(`\`${lane}\` is no lane of the gate.`, at)
      for (const [i, mark] of [...captured].entries())
        meaningOf({ mark, place: { ...at, column: at.column + all.indexOf('(') + 1 + i } }, legend)
      of.set(lane, (of.get(lane) ?? '') + captured)
    }
    marks.set(Number(checkpoint), of)
  }
  return rowsOf(marks, lanes)
}

const rowsOf = (
  marks: ReadonlyMap<CheckpointId, ReadonlyMap<string, string>>,
  lanes: readonly string[],
): readonly string[] =>
  [...marks]
    .sort(([a], [b]) => a - b)
    .map(([checkpoint, of]) => {
      const listed = lanes.flatMap(lane => (of.has(lane) ? [`${lane}(${of.get(lane)})`] : []))
      return `${checkpoint}: ${listed.join(' ')}`
    })
