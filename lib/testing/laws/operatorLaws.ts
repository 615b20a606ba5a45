import { countRecords, type Key, type StreamElement } from '../../element.ts'
import type { Source } from '../../graph/source.ts'
import type { Fn, KeyedStream, Stream } from '../../graph/stream.ts'
import { inPlaceLaws } from './inPlaceLaws.ts'
import { type Law, lawsOf } from './law.ts'
import { ended } from './operatorRun.ts'
import { type Tried, tried } from './reference.ts'
import { resultLaws } from './resultLaws.ts'
import { snapshotLaws } from './snapshotLaws.ts'

export interface OperatorLawsOptions {
  /**
   * Results of one key come in one order, whatever the input's cut. Default: all results come in one order, as they do of one
   * input.
   */
  readonly keyOf?: (record: any) => unknown
}

/**
 * What every operator must keep, tried with inputs of a few elements: their number is squared in the number of runs.
 *
 * `factory` makes the operator anew for each run. `inputs`: the elements of its input (an end follows by itself), of each of
 * its inputs, or a source for an operator that must stand behind one, as `eventTime` must for its splits.
 *
 * Throws if there is no record among them.
 */
export function operatorLaws<A, K extends Key>(
  name: string,
  factory: () => Fn<KeyedStream<A, K>, Stream<any, any>>,
  inputs: readonly StreamElement<A>[],
  options: OperatorLawsOptions & { readonly keyBy: (record: A) => K },
): readonly Law[]
export function operatorLaws<A>(
  name: string,
  factory: () => Fn<Stream<A>, Stream<any, any>>,
  inputs: readonly StreamElement<A>[] | Source<A>,
  options?: OperatorLawsOptions,
): readonly Law[]
export function operatorLaws(
  name: string,
  factory: () => (...sources: Stream<any>[]) => Stream<any, any>,
  inputs: readonly (readonly StreamElement<any>[])[],
  options?: OperatorLawsOptions,
): readonly Law[]
export function operatorLaws(
  name: string,
  factory: () => (...sources: any[]) => Stream<any, any>,
  inputs: readonly (StreamElement<any> | readonly StreamElement<any>[])[] | Source<any>,
  options: OperatorLawsOptions & { readonly keyBy?: (record: any) => Key } = {},
): readonly Law[] {
  if (!('open' in inputs) && !lanesOf(inputs).some(lane => countRecords(lane) > 0)) throw noRecords(name)
  let subject: Tried | undefined
  return lawsOf<Tried>(name, { ...resultLaws, ...inPlaceLaws, ...snapshotLaws }, () => {
    subject ??= tried({
      operator: factory,
      lanes: 'open' in inputs ? [] : lanesOf(inputs).map(ended),
      source: 'open' in inputs ? inputs : undefined,
      keyBy: options.keyBy,
      keyOf: options.keyOf,
      recordsMax: 2,
    })
    return subject
  })
}

/** All laws would hold. */
const noRecords = (name: string): Error =>
  new Error(`The laws of ${name} are given no record to try it with. Give them some, such as [buffer([1, 2, 3])].`)

const lanesOf = (
  inputs: readonly (StreamElement<any> | readonly StreamElement<any>[])[],
): readonly (readonly StreamElement<any>[])[] =>
  inputs.every(isLane) && inputs.length > 0 ? inputs : [inputs as readonly StreamElement<any>[]]

const isLane = (input: StreamElement<any> | readonly StreamElement<any>[]): input is readonly StreamElement<any>[] =>
  Array.isArray(input)
