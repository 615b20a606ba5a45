import type { Observable } from 'rxjs'

/**
 * Where checkpoints live: named objects, and one log.
 *
 * Contract.
 * - All methods return cold Observables that emit one value and complete; nothing happens before a subscription, each
 *   subscription acts anew, unsubscribing cancels as far as the medium allows. `fromPromises` makes a store of async
 *   functions.
 * - Names are non-empty parts joined by `/`, none of them `.` or `..`, without backslashes; no object's name is
 *   another's folder.
 * - `put`: when it completes, the object is durable under its name, whole. Before that, no reader sees it, or sees it
 *   whole. A name that exists is `OBJECT_EXISTS`: names are never used again.
 * - `get`: the object's bytes, or those from `range.begin` up to, not including, `range.end`, as far as the object
 *   goes; `OBJECT_NOT_FOUND` if there is none.
 * - `list`: the names that begin with `prefix`, ascending (by UTF-16 code units). Objects being put may be in it, or
 *   not yet.
 * - `delete`: no reader finds the object any longer; one that does not exist is no error. It may be back after a power
 *   failure.
 * - `append`: creates entry `n` of the log (1, 2, ...), atomically and durably, or fails with `FENCED` if an entry
 *   stands there, which is durable then, whoever has written it. Of several writers of one number exactly one succeeds. Numbers may be left out.
 * - `entries`: the numbers of the log's entries, ascending; `entry`: its bytes, or `OBJECT_NOT_FOUND`; `deleteEntry`:
 *   forgets it, as `delete` does; its number is free again.
 * - Bytes handed in are not changed by the caller afterwards; bytes handed out belong to the receiver.
 * - Every other failure is `STORE_FAILED`, naming the object, with the medium's own error as `cause`. After it, or
 *   after unsubscribing, a `put` or `append` may or may not have taken place: reading tells, and `append` then meets
 *   its own entry.
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
