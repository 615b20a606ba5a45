import { type Buffer, buffer, end, type Key, type StreamElement, sliceBuffer } from '../../element.ts'
import type { Source } from '../../graph/source.ts'
import type { Stream } from '../../graph/stream.ts'
import type { Subtask } from '../../graph/task.ts'
import { type Harness, harness } from '../harness.ts'
import type { HarnessSnapshot } from '../harnessSnapshot.ts'
import { type Elements, elementsOf } from './outputs.ts'

/** What an operator is tried with. */
export interface OperatorSubject {
  /** A new one each time, as a restart makes it. */
  readonly operator: () => (...sources: any[]) => Stream<any, any>
  /** The elements of each input, an end last; none with a source. */
  readonly lanes: readonly (readonly StreamElement<any>[])[]
  readonly source: Source<any> | undefined
  readonly keyBy: ((record: any) => Key) | undefined
  readonly keyOf: ((record: any) => unknown) | undefined
  /** Of a source, read at once. */
  readonly recordsMax: number
}

interface RunOptions {
  readonly room?: number
  readonly restored?: HarnessSnapshot | readonly HarnessSnapshot[]
  readonly subtask?: Subtask
}

/** A step of a run that reads no source: an element for a lane. */
export interface Send {
  readonly lane: number
  readonly element: StreamElement<any>
}

/** One instance of an operator, being played the inputs step by step. */
export class OperatorRun {
  readonly h: Harness<any, any, any>
  readonly #steps: readonly Send[] | undefined
  readonly #recordsMax: number

  constructor(subject: OperatorSubject, options: RunOptions = {}) {
    const { operator, lanes, source, keyBy, recordsMax } = subject
    this.h = harness(operator(), {
      ...options,
      lanes: lanes.length,
      ...(keyBy === undefined ? {} : { keyBy }),
      ...(source === undefined ? {} : { source }),
    } as { lanes: number })
    this.#recordsMax = recordsMax
    this.#steps = source === undefined ? inTurns(lanes) : undefined
  }

  /** undefined with a source, whose steps are to read. */
  get steps(): readonly Send[] | undefined {
    return this.#steps
  }

  /** Plays a step; false if there is none of this number. */
  step(number: number): boolean {
    if (this.#steps === undefined) return this.h.read(this.#recordsMax)
    const step = this.#steps[number]
    if (step === undefined) return false
    this.#send(step)
    return true
  }

  play(options: { readonly from?: number; readonly to: number }): this {
    for (let i = options.from ?? 0; i < options.to; i++) this.step(i)
    return this
  }

  /** Plays what is left, with a free output. As after a restart, inputs that have ended before say so again. */
  rest(options: { readonly from: number; readonly again?: boolean }): this {
    this.h.free()
    if (options.again === true)
      for (const step of this.#steps?.slice(0, options.from) ?? []) if (step.element.kind === 'end') this.#send(step)
    for (let i = options.from; this.step(i); i++);
    return this
  }

  get elements(): Elements {
    return elementsOf(this.h)
  }

  #send({ lane, element }: Send): void {
    this.h.lane(lane).send(element)
  }
}

/** The first of each lane, then the second of each, and so on. */
export const inTurns = (lanes: readonly (readonly StreamElement<any>[])[]): readonly Send[] =>
  Array.from({ length: Math.max(...lanes.map(({ length }) => length)) }, (_, i) =>
    lanes.flatMap((elements, lane) => {
      const element = elements[i]
      return element === undefined ? [] : [{ lane, element }]
    }),
  ).flat()

export const ended = (elements: readonly StreamElement<any>[]): readonly StreamElement<any>[] =>
  elements.at(-1)?.kind === 'end' ? elements : [...elements, end]

/** The same elements, but that buffers next to each other are one, cut anew. */
export const cut = (elements: readonly StreamElement<any>[], recordsMax: number): readonly StreamElement<any>[] => {
  const result: StreamElement<any>[] = []
  for (const element of joined(elements)) {
    if (element.kind !== 'buffer') result.push(element)
    else
      for (let i = 0; i < element.records.length; i += recordsMax) result.push(sliceBuffer(element, i, i + recordsMax))
  }
  return result
}

const joined = (elements: readonly StreamElement<any>[]): readonly StreamElement<any>[] => {
  const result: StreamElement<any>[] = []
  for (const element of elements) {
    const last = result.at(-1)
    if (last?.kind === 'buffer' && element.kind === 'buffer' && last.split === element.split)
      result.splice(-1, 1, both(last, element))
    else result.push(element)
  }
  return result
}

const both = (a: Buffer<any>, b: Buffer<any>): Buffer<any> => {
  const column = (of: (from: Buffer<any>) => Float64Array | undefined) =>
    of(a) === undefined && of(b) === undefined
      ? undefined
      : Float64Array.from([a, b].flatMap(from => [...(of(from) ?? from.records.map(() => Number.NEGATIVE_INFINITY))]))
  return buffer([...a.records, ...b.records], {
    times: column(({ times }) => times),
    notes: column(({ notes }) => notes),
    split: a.split,
  })
}
