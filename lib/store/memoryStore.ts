import { defer, type Observable, of } from 'rxjs'
import { fenced, objectExists, objectNotFound } from './failures.ts'
import type { Store } from './store.ts'

/**
 * A store in memory, for tests and for jobs that need not survive their process. Given to a second run it is what that
 * one finds after a restart.
 *
 * Emits while being subscribed to, so that it takes no virtual time. It holds the bytes that it is given (by the
 * contract their giver leaves them alone), and hands out copies.
 */
export function memoryStore(): Store {
  const objects = new Map<string, Uint8Array>()
  const log = new Map<number, Uint8Array>()
  const name = 'memory'

  return {
    name,
    put: (object, bytes) =>
      act(() => {
        if (objects.has(object)) throw objectExists(name, object)
        objects.set(object, bytes)
      }),
    get: (object, range) => ask(() => copyOf(objects.get(object), `object ${object}`, range)),
    list: prefix => ask(() => [...objects.keys()].filter(object => object.startsWith(prefix)).sort()),
    delete: object => act(() => objects.delete(object)),
    append: (n, bytes) =>
      act(() => {
        if (log.has(n)) throw fenced(name, n)
        log.set(n, bytes)
      }),
    entries: () => ask(() => [...log.keys()].sort((a, b) => a - b)),
    entry: n => ask(() => copyOf(log.get(n), `log entry ${n}`)),
    deleteEntry: n => act(() => log.delete(n)),
  }

  function copyOf(bytes: Uint8Array | undefined, what: string, range?: { begin: number; end: number }): Uint8Array {
    if (bytes === undefined) throw objectNotFound(name, what)
    // Not bytes.slice(), which for a Buffer shares the memory.
    return Uint8Array.prototype.slice.call(bytes, range?.begin, range?.end)
  }
}

const ask = <T>(answer: () => T): Observable<T> => defer(() => of(answer()))

const act = (change: () => unknown): Observable<void> =>
  defer(() => {
    change()
    return of(undefined)
  })
