import * as t from 'io-ts'
import { EMPTY, Subject } from 'rxjs'
import type { Sink } from 'spillway'

export interface CountingSink extends Sink<unknown, number> {
  records: number
}

/** Counts what is written, and keeps nothing; takes no more than so many records a second in each task. */
export const countingSink = ({ name = 'counting', recordsPerSecond = Number.POSITIVE_INFINITY } = {}): CountingSink => {
  const sink: CountingSink = {
    name,
    records: 0,
    transaction: t.number,
    open() {
      const ready$ = new Subject<void>()
      let timer: NodeJS.Timeout | undefined
      const pause = (ms: number) => {
        timer ??= setTimeout(() => {
          timer = undefined
          ready$.next()
        }, ms)
      }
      return {
        mayWrite: () => timer === undefined,
        ready$,
        write(batch) {
          sink.records += batch.length
          if (recordsPerSecond < Number.POSITIVE_INFINITY) pause((batch.length / recordsPerSecond) * 1_000)
        },
        cut: () => undefined,
        publish: () => EMPTY,
        recover: () => EMPTY,
        close: () => clearTimeout(timer),
      }
    },
  }
  return sink
}
