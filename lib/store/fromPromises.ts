import { Observable } from 'rxjs'
import { fenced, objectExists, objectNotFound, storeFailed } from './failures.ts'
import type { Store } from './store.ts'

/**
 * A store as async functions, for those who write one: `fromPromises` makes the Store of it. The guarantees are those
 * of Store; what is an error there is a result here. `signal` is aborted when nobody waits any longer. Names may come
 * in any order.
 */
export interface PromiseStore {
  readonly name: string
  put(object: string, bytes: Uint8Array, signal: AbortSignal): Promise<'stored' | 'exists'>
  /** Undefined if there is none. */
  get(
    object: string,
    range: { begin: number; end: number } | undefined,
    signal: AbortSignal,
  ): Promise<Uint8Array | undefined>
  list(prefix: string, signal: AbortSignal): Promise<readonly string[]>
  delete(object: string, signal: AbortSignal): Promise<unknown>
  append(n: number, bytes: Uint8Array, signal: AbortSignal): Promise<'appended' | 'fenced'>
  entries(signal: AbortSignal): Promise<readonly number[]>
  entry(n: number, signal: AbortSignal): Promise<Uint8Array | undefined>
  deleteEntry(n: number, signal: AbortSignal): Promise<unknown>
}

/** The Store of async functions: calls them once a subscription, and turns what they reject with into `STORE_FAILED`. */
export function fromPromises(store: PromiseStore): Store {
  const { name } = store
  const call = <T>(what: string, body: (signal: AbortSignal) => Promise<T>) => calling(`${name}, ${what}`, body)

  return {
    name,
    put: (object, bytes) =>
      call(`object ${object}`, async signal => {
        if ((await store.put(object, bytes, signal)) === 'exists') throw objectExists(name, object)
      }),
    get: (object, range) =>
      call(`object ${object}`, async signal => {
        const bytes = await store.get(object, range, signal)
        if (bytes === undefined) throw objectNotFound(name, `object ${object}`)
        return bytes
      }),
    list: prefix => call(`the list of objects`, async signal => [...(await store.list(prefix, signal))].sort()),
    delete: object =>
      call(`object ${object}`, async signal => {
        await store.delete(object, signal)
      }),
    append: (n, bytes) =>
      call(`log entry ${n}`, async signal => {
        if ((await store.append(n, bytes, signal)) === 'fenced') throw fenced(name, n)
      }),
    entries: () => call('the log', async signal => [...(await store.entries(signal))].sort((a, b) => a - b)),
    entry: n =>
      call(`log entry ${n}`, async signal => {
        const bytes = await store.entry(n, signal)
        if (bytes === undefined) throw objectNotFound(name, `log entry ${n}`)
        return bytes
      }),
    deleteEntry: n =>
      call(`log entry ${n}`, async signal => {
        await store.deleteEntry(n, signal)
      }),
  }
}

const calling = <T>(place: string, body: (signal: AbortSignal) => Promise<T>): Observable<T> =>
  new Observable(subscriber => {
    const controller = new AbortController()
    let settled = false
    const called = body(controller.signal).finally(() => {
      settled = true
    })
    called.then(
      value => {
        subscriber.next(value)
        subscriber.complete()
      },
      error => subscriber.error(storeFailed(place, error)),
    )
    return () => {
      // Aborting makes an error with its stack: not for nothing.
      if (!settled) controller.abort()
    }
  })
