import type { Observable } from 'rxjs'

/**
 * Where checkpoints live: named objects, and one log.
 *
 * Contract.
 * - All methods return cold Observables that emit at most one value and complete; nothing happens before a subscription,
 *   unsubscribing cancels as far as the medium allows. `fromPromises` adapts async functions.
 * - `put`: when it completes, the object is durable under its name, whole. Before that, no reader sees it. A name that
 *   exists is `OBJECT_EXISTS`: names are never used again.
 * - `get`: the object's bytes, or `range` of them; `OBJECT_NOT_FOUND` if there is none.
 * - `list`: the names that begin with `prefix`, ascending.
 * - `delete`: the object is gone; one that does not exist is no error.
 * - `append`: creates entry `n` of the log (1, 2, ...), atomically and durably, or fails with `FENCED` if another's
 *   stands there. Of two writers of one number exactly one succeeds.
 * - `entries`: the numbers of the log's entries, ascending; `entry`: its bytes; `deleteEntry`: forgets it.
 * - Bytes handed in are not changed by the caller afterwards; bytes handed out belong to the receiver.
 * - Every other failure is `STORE_FAILED`, naming the object and the medium's own message as `cause`.
 * Source: the log follows Delta Lake's, create-if-absent entries as the single point of truth.
 */
export interface Store {
  /** For messages: the medium and the place, such as `files in checkpoints/`. */
  readonly name: string
  put(object: string, bytes: Uint8Array): Observable<void>
  get(object: string, range?: { begin: number; end: number }): Observable<Uint8Array>
  list(prefix: string): Observable<readonly string[]>
  delete(object: string): Observable<void>
  append(n: number, bytes: Uint8Array): Observable<void>
  entries(): Observable<readonly number[]>
  entry(n: number): Observable<Uint8Array>
  deleteEntry(n: number): Observable<void>
}
