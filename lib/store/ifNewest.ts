import { map, type Observable } from 'rxjs'
import { fenced } from './failures.ts'
import type { Store } from './store.ts'

/**
 * Gives the number of an entry that has just been appended where another may have stood and been deleted since: `FENCED` if
 * there are newer ones. A run's newest commit entry, and start entries, are never deleted: whoever has gone on behind the
 * number is seen.
 */
export const ifNewest = (store: Store, n: number): Observable<number> =>
  store.entries().pipe(
    map(entries => {
      if (entries.some(other => other > n)) throw fenced(store.name, n)
      return n
    }),
  )
