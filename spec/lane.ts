import { from, lastValueFrom, toArray } from 'rxjs'
import { Stream, type StreamElement } from 'spillway'
import { inPlace } from 'spillway/testing'

/** A stream of these elements, for operators that run in place. */
export const lane = <T>(...elements: readonly StreamElement<T>[]): Stream<T> =>
  new Stream<T>({ name: 'lane', inputs: [] }, () => from(elements))

export const elementsOf = <T>(stream: Stream<T, any>): Promise<StreamElement<T>[]> =>
  lastValueFrom(stream.in(inPlace()).pipe(toArray()))

/** An element as specs compare it: what is absent is left out. */
export const plain = (element: StreamElement<unknown>): unknown => {
  if (element.kind === 'side') return { side: element.name, ...(plain(element.buffer) as object) }
  if (element.kind !== 'buffer') return element
  const { records, times, notes, keys, groups, split } = element
  return JSON.parse(
    JSON.stringify({ records, times: listed(times), notes: listed(notes), keys, groups: listed(groups), split }),
  )
}

const listed = (column: Float64Array | Uint16Array | undefined) =>
  column && Array.from(column, n => (Number.isFinite(n) ? n : String(n)))
