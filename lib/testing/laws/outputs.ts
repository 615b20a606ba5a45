import type { StreamElement } from '../../element.ts'
import { shown } from '../../graph/callEach.ts'
import type { Harness } from '../harness.ts'
import { type Expectation, expectSame } from './same.ts'

/** One record as it comes out, with what travels beside it. */
export interface Result {
  readonly record: unknown
  readonly timeMs?: number
  readonly noteMs?: number
  readonly key?: unknown
  readonly group?: number
  readonly split?: string
}

/** What has come out of one output, whatever its buffers. */
export interface Output {
  readonly results: readonly Result[]
  /** `after`: how many results came before it. */
  readonly watermarks: readonly { readonly timeMs: number; readonly after: number }[]
  readonly barriers: readonly { readonly checkpoint: number; readonly after: number }[]
  readonly idleness: readonly ('idle' | 'active')[]
  readonly ends: number
}

/** By the side output's name; the main one's is empty. */
export type Outputs = ReadonlyMap<string, Output>

export const outputsOf = (...parts: readonly Elements[]): Outputs =>
  new Map(
    [...(parts[0]?.keys() ?? [])].map(name => [name, outputOf(parts.flatMap(part => part.get(name) ?? []))] as const),
  )

export const outputName = (name: string): string => (name === '' ? 'the main output' : `side output ${name}`)

/** The elements of each output. */
export type Elements = ReadonlyMap<string, readonly StreamElement<unknown>[]>

export const elementsOf = (h: Harness<any, any, any>): Elements =>
  new Map([['', h.elements], ...h.sides.map(side => [side, h.sideElements(side)] as const)])

/** What each output has given before the barrier of a checkpoint. */
export const beforeBarrier = (of: Elements, checkpoint: number): Elements =>
  new Map(
    [...of].map(([name, elements]) => {
      const at = elements.findIndex(element => element.kind === 'barrier' && element.checkpoint === checkpoint)
      return [name, elements.slice(0, at < 0 ? elements.length : at)] as const
    }),
  )

const outputOf = (elements: readonly StreamElement<unknown>[]): Output => {
  const results: Result[] = []
  const watermarks: { timeMs: number; after: number }[] = []
  const barriers: { checkpoint: number; after: number }[] = []
  const idleness: ('idle' | 'active')[] = []
  let ends = 0
  for (const element of elements) {
    if (element.kind === 'buffer') results.push(...resultsOf(element))
    else if (element.kind === 'watermark') watermarks.push({ timeMs: element.timeMs, after: results.length })
    else if (element.kind === 'barrier') barriers.push({ checkpoint: element.checkpoint, after: results.length })
    else if (element.kind === 'idle' || element.kind === 'active') idleness.push(element.kind)
    else if (element.kind === 'end') ends++
  }
  return { results, watermarks, barriers, idleness, ends }
}

const resultsOf = ({ records, times, notes, keys, groups, split }: StreamElement<unknown> & { kind: 'buffer' }) =>
  records.map((record, i): Result => {
    const [timeMs, noteMs] = [times?.[i] ?? Number.NEGATIVE_INFINITY, notes?.[i] ?? Number.NEGATIVE_INFINITY]
    return {
      record,
      ...(timeMs === Number.NEGATIVE_INFINITY ? {} : { timeMs }),
      ...(noteMs === Number.NEGATIVE_INFINITY ? {} : { noteMs }),
      ...(keys === undefined ? {} : { key: keys[i] }),
      ...(groups === undefined ? {} : { group: groups[i] as number }),
      ...(split === undefined ? {} : { split }),
    }
  })

export interface OutputExpectation<T> extends Expectation<T> {
  /** Results of one key come in one order; undefined: all of them do. */
  readonly keyOf: ((record: any) => unknown) | undefined
}

/**
 * The same results in the same order, and watermarks that are expected too, none of them too early; of two in a row the first
 * may be missing.
 */
export const expectOutputs = (received: Outputs, { expected, where, keyOf }: OutputExpectation<Outputs>): void => {
  for (const [name, output] of expected) {
    expectOutput(received.get(name) as Output, { expected: output, where: `${where}, ${outputName(name)}`, keyOf })
  }
}

const expectOutput = (received: Output, expectation: OutputExpectation<Output>): void => {
  const { expected, where, keyOf } = expectation
  if (keyOf === undefined) expectSame(received.results, { expected: expected.results, where })
  else expectSameByKey(received, { expected, where, keyOf })
  expectSame(received.ends, { expected: expected.ends, where: `${where}, number of ends` })
  expectSame(received.idleness, { expected: expected.idleness, where: `${where}, idleness` })
  expectForward(received, where)
  expectSame(lastOf(received), { expected: lastOf(expected), where: `${where}, last watermark` })
  if (keyOf === undefined) expectNotTooEarly(received, { expected, where })
}

/** Watermarks never go back. */
export const expectForward = ({ watermarks }: Output, where: string): void => {
  watermarks.forEach(({ timeMs }, i) => {
    const before = watermarks[i - 1]?.timeMs ?? Number.NEGATIVE_INFINITY
    if (timeMs < before) throw new Error(`${where}: expected no watermark below ${before}, received ${timeMs}`)
  })
}

/** Each stands behind the results that it is expected to stand behind. */
const expectNotTooEarly = ({ watermarks }: Output, { expected, where }: Expectation<Output>): void => {
  for (const { timeMs, after } of watermarks) {
    const first = expected.watermarks.find(watermark => watermark.timeMs >= timeMs)
    if (first !== undefined && first.after <= after) continue
    const then = first === undefined ? 'none as late' : `it after ${first.after} results`
    throw new Error(`${where}: watermark ${timeMs}: expected ${then}, received it after ${after}`)
  }
}

const lastOf = ({ watermarks }: Output): number | undefined => watermarks.at(-1)?.timeMs

const expectSameByKey = (
  received: Output,
  { expected, where, keyOf }: Expectation<Output> & { readonly keyOf: (record: any) => unknown },
): void => {
  const [of, those] = [byKey(received, keyOf), byKey(expected, keyOf)]
  for (const [key, results] of those)
    expectSame(of.get(key) ?? [], { expected: results, where: `${where}, key ${key}` })
  expectSame([...of.keys()].sort(), { expected: [...those.keys()].sort(), where: `${where}, keys` })
}

const byKey = ({ results }: Output, keyOf: (record: any) => unknown): ReadonlyMap<string, readonly Result[]> => {
  const keys = new Map<string, Result[]>()
  for (const result of results) {
    const key = shown(keyOf(result.record))
    keys.set(key, [...(keys.get(key) ?? []), result])
  }
  return keys
}
