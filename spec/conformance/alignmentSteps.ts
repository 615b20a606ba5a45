import * as t from 'io-ts'
import { decode } from '../../lib/decode.ts'
import type { Alignment } from '../../lib/element.ts'

const metricsType = t.intersection([
  t.type({ checkpoint: t.number }),
  t.partial({ alignmentMs: t.number, startDelayMs: t.number, processedDuringAlignment: t.number }),
])

const stepType = t.intersection([
  t.type({ do: t.string }),
  t.partial({
    out: t.array(t.string),
    blocked: t.array(t.number),
    pending: t.union([t.number, t.null]),
    metrics: metricsType,
  }),
])

const caseType = t.intersection([
  t.type({ channels: t.number, steps: t.array(stepType) }),
  t.partial({
    guarantee: t.keyof({ 'exactly-once': null, 'at-least-once': null }),
    alignment: t.keyof({ aligned: null, unaligned: null, timeout: null }),
    alignedTimeoutMs: t.number,
    delivery: t.keyof({ auto: null, manual: null }),
    persisted: t.record(t.string, t.record(t.string, t.array(t.string))),
  }),
])

export type AlignmentCase = t.TypeOf<typeof caseType>
export type ExpectedStep = t.TypeOf<typeof stepType>
export type Metrics = t.TypeOf<typeof metricsType>

/** @throws an Error, if it is none */
export const readCase = (of: unknown): AlignmentCase => {
  const read = decode(caseType, of, {
    place: 'a case of the suite alignment',
    remedy: 'The format is described in the README of the cases.',
    code: 'INVALID_OPTION',
  })
  if (read.alignment === 'timeout' && read.alignedTimeoutMs === undefined)
    throw new Error('A case of alignment "timeout" has `alignedTimeoutMs`.')
  return read
}

/** What a step does. A barrier without a kind is of its case's, without `atMs` it has its checkpoint's timestamp. */
export type Step =
  | { readonly kind: 'record'; readonly channel: number; readonly record: string }
  | { readonly kind: 'barrier'; readonly channel: number; readonly barrier: ScriptedBarrier }
  | { readonly kind: 'cancel'; readonly channel: number; readonly checkpoint: number }
  | { readonly kind: 'end'; readonly channel: number }
  | { readonly kind: 'poll'; readonly count: number }
  | { readonly kind: 'advance'; readonly durationMs: number; readonly busy: boolean }

export interface ScriptedBarrier {
  readonly checkpoint: number
  readonly alignment: Alignment | undefined
  readonly savepoint: boolean
  /** Beside now. */
  readonly atMs: number | undefined
}

/** @throws an Error that names the step, if it is none, or of a channel that its case has not */
export const readStep = (text: string, { channels }: Pick<AlignmentCase, 'channels'>): Step => {
  const step = parsedStep(text)
  if ('channel' in step && step.channel >= channels)
    throw new Error(`The step \`${text}\` is of channel ${step.channel}, which the case has not.`)
  return step
}

const parsedStep = (text: string): Step => {
  const match = (form: RegExp) => form.exec(text)?.slice(1) as string[] | undefined
  const poll = match(/^poll(?: (\d+))?$/)
  if (poll !== undefined) return { kind: 'poll', count: Number(poll[0] ?? 1) }
  const advance = match(/^advance (\d+)( busy)?$/)
  if (advance !== undefined) return { kind: 'advance', durationMs: Number(advance[0]), busy: advance[1] !== undefined }
  const cancel = match(/^(\d+) <cancel (\d+)>$/)
  if (cancel !== undefined) return { kind: 'cancel', channel: Number(cancel[0]), checkpoint: Number(cancel[1]) }
  const end = match(/^(\d+) <end>$/)
  if (end !== undefined) return { kind: 'end', channel: Number(end[0]) }
  const barrier = match(/^(\d+) <(\d+)((?: \S+)*)>$/)
  if (barrier !== undefined) {
    const [channel, checkpoint, words] = barrier as [string, string, string]
    return { kind: 'barrier', channel: Number(channel), barrier: readBarrier(Number(checkpoint), words, text) }
  }
  const record = match(/^(\d+) ([A-Za-z0-9]+)$/)
  if (record !== undefined) return { kind: 'record', channel: Number(record[0]), record: record[1] as string }
  throw new Error(`The step \`${text}\` of the suite alignment cannot be parsed.`)
}

const readBarrier = (checkpoint: number, words: string, text: string): ScriptedBarrier => {
  let barrier: ScriptedBarrier = { checkpoint, alignment: undefined, savepoint: false, atMs: undefined }
  for (const word of words.split(' ').filter(word => word !== '')) {
    const [, timeoutMs] = /^timeout=(\d+)$/.exec(word) ?? []
    const [, atMs] = /^at=(-?\d+)$/.exec(word) ?? []
    if (word === 'aligned' || word === 'unaligned') barrier = { ...barrier, alignment: word }
    else if (word === 'savepoint') barrier = { ...barrier, alignment: 'aligned', savepoint: true }
    else if (timeoutMs !== undefined) barrier = { ...barrier, alignment: { alignedTimeoutMs: Number(timeoutMs) } }
    else if (atMs !== undefined) barrier = { ...barrier, atMs: Number(atMs) }
    else throw new Error(`\`${word}\` in the step \`${text}\` of the suite alignment cannot be parsed.`)
  }
  return barrier
}
