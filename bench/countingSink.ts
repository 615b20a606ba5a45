import * as t from 'io-ts'
import { EMPTY, Subject } from 'rxjs'
import type { Sink } from 'spillway'

export interface CountingSink extends Sink<unknown, number>, Load {
  records: number
}

/** May change while it runs. */
interface Load {
  /** Of each task. */
  recordsPerSecond: number
  /** Of the processor's time, within that rate. */
  burnMsPerRecord: number
}

export interface CountingSinkOptions extends Partial<Load> {
  readonly name?: string
  /** A task has begun a checkpoint. */
  readonly onCut?: () => void
}

/** Counts what is written, and keeps nothing; takes no more than so many records a second in each task. */
export const countingSink = ({
  name = 'counting',
  recordsPerSecond = Number.POSITIVE_INFINITY,
  burnMsPerRecord = 0,
  onCut = () => {},
}: CountingSinkOptions = {}): CountingSink => {
  const sink: CountingSink = {
    name,
    records: 0,
    recordsPerSecond,
    burnMsPerRecord,
    transaction: t.number,
    open() {
      const ready$ = new Subject<void>()
      let timer: NodeJS.Timeout | undefined
      /** When what has been written so far is worked off; timers that are late do not add up. */
      let freeAtMs = performance.now()
      const pause = (records: number, begunMs: number) => {
        freeAtMs = Math.max(freeAtMs, begunMs - catchUpMs) + (records / sink.recordsPerSecond) * 1_000
        const leftMs = freeAtMs - performance.now()
        if (leftMs <= 0) return
        timer ??= setTimeout(() => {
          timer = undefined
          ready$.next()
        }, leftMs)
      }
      return {
        mayWrite: () => timer === undefined,
        ready$,
        write(batch) {
          const begunMs = performance.now()
          sink.records += batch.length
          if (sink.burnMsPerRecord > 0) burn(begunMs + batch.length * sink.burnMsPerRecord)
          if (sink.recordsPerSecond < Number.POSITIVE_INFINITY) pause(batch.length, begunMs)
        },
        cut() {
          onCut()
          return undefined
        },
        publish: () => EMPTY,
        recover: () => EMPTY,
        close: () => clearTimeout(timer),
      }
    },
  }
  return sink
}

const burn = (untilMs: number): void => {
  while (performance.now() < untilMs);
}

/** What is lost to late timers is made up for, but not what is lost while there is nothing to write. */
const catchUpMs = 50
