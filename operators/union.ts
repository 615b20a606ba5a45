import { map } from 'rxjs'
import { buffer, multiInput, SpillwayError, type Stream, type StreamElement } from '../lib/index.ts'

type RecordOf<S> = S extends Stream<infer T, any> ? T : never

/** What `union()` is told by the compiler. */
type AtLeastOne<I extends readonly unknown[]> = I extends readonly [] ? 'union takes one stream or more' : unknown

/**
 * The records of all streams; those of one stream keep their order. The watermark is the smallest, idle streams do not count;
 * it ends with the last. Stateless. Keys are dropped: `keyBy` stands behind a union. Of one stream it is that stream.
 * @throws NO_SOURCE if an empty list is spread into it
 */
export const union = <I extends readonly Stream<any, any>[]>(
  ...inputs: I & AtLeastOne<I>
): Stream<RecordOf<I[number]>> => {
  const [only, ...others] = inputs
  if (only === undefined) throw ofNothing()
  if (others.length === 0) return only
  return multiInput<RecordOf<I[number]>, RecordOf<I[number]>>({ name: 'union' }, inputs, elements =>
    elements.pipe(map(({ element }) => withoutKeys(element))),
  )
}

const withoutKeys = <T>(element: StreamElement<T>): StreamElement<T> =>
  element.kind === 'buffer' && element.keys !== undefined
    ? buffer(element.records, { ...element, keys: undefined })
    : element

const ofNothing = () =>
  new SpillwayError('NO_SOURCE', {
    place: 'union',
    problem: 'it has been given no stream.',
    remedy: 'Give it at least one stream.',
  })
