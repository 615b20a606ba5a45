import * as t from 'io-ts'
import { type Observable, of } from 'rxjs'
import type { AtMostOnceSource } from '../../lib/index.ts'
import { checkBufferRecordsMax } from './checkBufferRecordsMax.ts'
import { type Reading, readPushed } from './readPushed.ts'

/** A source that can be read once only, and says what it has had to give up. */
export interface PushSource<out T> extends AtMostOnceSource<T, number> {
  /** How many records have been dropped since this value was made, over all starts. */
  readonly dropped: () => number
}

/**
 * One split, read from what is pushed; its position is the number of records handed over.
 * @throws INVALID_OPTION
 */
export const pushSource = <T>(
  pushed$: Observable<T>,
  options: Pick<Reading, 'name' | 'onFull' | 'bufferRecordsMax'>,
): PushSource<T> => {
  const { name, onFull, bufferRecordsMax } = options
  checkBufferRecordsMax(name, bufferRecordsMax)
  let dropped = 0
  return {
    name,
    position: t.number,
    guarantee: 'at-most-once',
    splits: () => of(['0/1']),
    open: (_, from = 0) => readPushed(pushed$, { name, onFull, bufferRecordsMax, from, drop: () => dropped++ }),
    dropped: () => dropped,
  }
}
