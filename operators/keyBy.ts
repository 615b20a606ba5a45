import {
  callEach,
  type ExchangeOptions,
  exchangeLineage,
  groupOf,
  type Key,
  KeyedStream,
  perElement,
  type Stream,
  type StreamElement,
} from '../lib/index.ts'

/**
 * Gives each record a key. Records of one key go to one task, in the order in which each task before it sends them.
 * @throws INVALID_OPTION; INVALID_KEY if a key is no string, number, bigint, boolean or tuple of these
 */
export const keyBy =
  <T, K extends Key>(keyOf: (record: T) => K, options: ExchangeOptions = {}) =>
  (source: Stream<T, any>): KeyedStream<T, K> =>
    new KeyedStream<T, K>(
      exchangeLineage({ name: 'keyBy', inputs: [source], exchange: 'keyed' }, options),
      (task, node) =>
        perElement<T, T>(source.in(task), (element, next) => {
          next(
            element.kind === 'buffer'
              ? keyed(element, callEach(node.name, keyOf, element.records), task.keyGroups)
              : element,
          )
        }),
    )

const keyed = <T>(
  buffer: StreamElement<T> & { kind: 'buffer' },
  keys: readonly Key[],
  keyGroups: number,
): StreamElement<T> => {
  const { length } = keys
  const groups = new Uint16Array(length)
  for (let i = 0; i < length; i++) groups[i] = groupOf(keys[i] as Key, keyGroups)
  return { ...buffer, keys, groups }
}
