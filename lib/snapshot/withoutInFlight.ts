import { countRecords } from '../element.ts'
import { absurd } from '../invariant.ts'
import type { RestoredOperator } from '../state/operatorState.ts'
import { type Begun, type Frame, gateState, nothingBegun, ownState } from './frame.ts'
import type { InFlightCounts, ReadSnapshot, TaskId } from './snapshot.ts'

/** Records in flight that a restore has left out. */
export type LeftOut =
  /** On their way to a task: of which of its inputs, and the producer's number in its stage. */
  | {
      readonly kind: 'channel'
      readonly to: TaskId
      readonly input: number
      readonly from: number
      readonly records: number
    }
  /** Of calls that an operator had begun, and what waited behind them. */
  | { readonly kind: 'operator'; readonly task: TaskId; readonly operator: string; readonly records: number }

/**
 * A snapshot whose channel data has not been read, without what else it has in flight: records of suspended calls, those whose
 * results `asyncMap` waits for, and the
 * generations of a former restore, whose markers were in the channels. State, watermarks, positions, timers, transactions, also
 * calls of timers and of `end` that were suspended, stay.
 */
export const withoutInFlight = (task: TaskId, snapshot: ReadSnapshot): readonly [ReadSnapshot, readonly LeftOut[]] => {
  const leftOut: LeftOut[] = channelsOf(task, snapshot.counts ?? [])
  const operators = new Map<string, RestoredOperator>()
  for (const [operator, { kept, ...of }] of snapshot.operators) {
    const { [ownState.frame]: before, ...others }: Record<string, unknown> = kept
    const frame = before as Frame | undefined
    const [left, records] = frame === undefined ? [undefined, 0] : withoutRecords(frame)
    if (records > 0) leftOut.push({ kind: 'operator', task, operator, records })
    if (operator === gateState.operator) delete others[gateState.generations]
    operators.set(operator, { ...of, kept: left === undefined ? others : { ...others, [ownState.frame]: left } })
  }
  return [{ ...snapshot, operators, inFlight: [], outputs: [] }, leftOut]
}

/** What a barrier has passed in a sending half was on its way in the same channel. */
const channelsOf = (task: TaskId, counts: InFlightCounts): LeftOut[] =>
  counts.map(({ to = task, input, from, records }) => ({ kind: 'channel', to, input, from, records }))

/** Undefined if nothing is left to do. */
const withoutRecords = (frame: Frame): readonly [Frame | undefined, records: number] => {
  const all: readonly Begun[] = [frame, ...frame.more]
  const stays = all.filter(({ work }) => work.kind !== 'records').map(({ generation: _, ...begun }) => begun)
  const pending = frame.pending.filter(({ kind }) => kind !== 'buffer' && kind !== 'recovered')
  const records = all.reduce(
    (count, { work }) => count + (work.kind === 'records' ? work.buffer.records.length : 0),
    countRecords(frame.pending),
  )
  if (stays.length === 0 && pending.length === 0) return [undefined, records]
  const [first = nothingBegun, ...more] = stays
  return [{ ...first, more, pending }, records]
}

/** How many records of which channels and operators, in one line; of many the largest. */
export const summaryOf = (leftOut: readonly LeftOut[]): string => {
  const total = leftOut.reduce((sum, { records }) => sum + records, 0)
  const some = leftOut.filter(({ records }) => records > 0).sort((a, b) => b.records - a.records)
  const more = some.length - namedMax
  const named = some.slice(0, namedMax).map(of => `${of.records} ${placeOf(of)}`)
  if (more > 0) named.push(`those of ${more} others`)
  return `${total} records left out${named.length === 0 ? '' : `: ${named.join(', ')}`}`
}

const placeOf = (of: LeftOut): string => {
  switch (of.kind) {
    case 'channel':
      return `on their way to ${of.to} from ${of.from} of its input ${of.input}`
    case 'operator':
      return `in calls that ${of.operator} of ${of.task} had begun`
    default:
      return absurd(of)
  }
}

/** In a message. */
const namedMax = 10
