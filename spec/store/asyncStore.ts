import type { PromiseStore } from '../../lib/store/fromPromises.ts'

/** Answers late, and lists names in the order in which they came. */
export function asyncStore(): PromiseStore {
  const objects = new Map<string, Uint8Array>()
  const log = new Map<number, Uint8Array>()
  const later = <T>(answer: () => T) =>
    new Promise<T>((resolve, reject) =>
      setTimeout(() => {
        try {
          resolve(answer())
        } catch (error) {
          reject(error)
        }
      }),
    )
  const create = <K, R>(map: Map<K, Uint8Array>, key: K, bytes: Uint8Array, outcomes: { made: R; there: R }) =>
    later(() => {
      if (map.has(key)) return outcomes.there
      map.set(key, bytes)
      return outcomes.made
    })
  return {
    name: 'a late memory',
    put: (object, bytes) => create(objects, object, bytes, { made: 'stored' as const, there: 'exists' as const }),
    get: (object, range) => later(() => objects.get(object)?.slice(range?.begin, range?.end)),
    list: prefix => later(() => [...objects.keys()].filter(object => object.startsWith(prefix))),
    delete: object => later(() => objects.delete(object)),
    append: (n, bytes) => create(log, n, bytes, { made: 'appended' as const, there: 'fenced' as const }),
    entries: () => later(() => [...log.keys()]),
    entry: n => later(() => log.get(n)?.slice()),
    deleteEntry: n => later(() => log.delete(n)),
  }
}
