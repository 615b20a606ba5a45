import { catchError, concat, EMPTY, from, ignoreElements, mergeMap, type Observable } from 'rxjs'
import type { Store } from './store.ts'

/**
 * Deletes what is no longer needed: first the entries, and only once they are gone the objects, since an entry must not name what
 * is not there, wherever a crash comes. What cannot be deleted now is left behind, without an error: the next start deletes
 * what nothing names.
 */
export const deleted = (
  store: Store,
  {
    objects,
    entries,
    atATimeMax,
  }: { readonly objects: readonly string[]; readonly entries: readonly number[]; readonly atATimeMax: number },
): Observable<never> =>
  concat(
    from(entries).pipe(mergeMap(n => store.deleteEntry(n), atATimeMax)),
    from(objects).pipe(mergeMap(object => store.delete(object).pipe(catchError(() => EMPTY)), atATimeMax)),
  ).pipe(
    catchError(() => EMPTY),
    ignoreElements(),
  )
