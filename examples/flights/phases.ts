/** Sinks around another sink, for the example alone: made slow, looked at, or stopped at the moments that matter. */
import * as rx from 'rxjs'
import type { Sink, SinkWriter } from 'spillway'

/** `snapshot`: a task has cut its transaction, which is not durable yet. `publication`: it is, and cannot be seen yet. */
export type Phase = 'snapshot' | 'publication'

/** Tells of each phase, and goes on when `announce` completes. */
export const announced = <T, Tx>(sink: Sink<T, Tx>, announce: (phase: Phase) => rx.Observable<never>): Sink<T, Tx> =>
  around(sink, writer => ({
    cut: checkpoint => {
      const cut = writer.cut(checkpoint)
      return cut && { ...cut, durable: rx.concat(announce('snapshot'), cut.durable) }
    },
    publish: transactions =>
      rx.concat(
        announce('publication'),
        rx.defer(() => writer.publish(transactions)),
      ),
  }))

/** Takes so many records a second in each task, and is full in between. */
export const slowed = <T, Tx>(sink: Sink<T, Tx>, { recordsPerSecond }: { recordsPerSecond: number }): Sink<T, Tx> =>
  around(sink, writer => {
    const free$ = new rx.Subject<void>()
    let free = true
    let freeAtMs = 0
    let waiting: NodeJS.Timeout | undefined
    return {
      mayWrite: () => free && writer.mayWrite(),
      ready$: rx.merge(writer.ready$, free$),
      write: batch => {
        writer.write(batch)
        // A timer that comes late is made up for, so that the rate holds on a busy machine.
        const nowMs = performance.now()
        freeAtMs = Math.max(freeAtMs, nowMs - madeUpForMs) + (batch.length / recordsPerSecond) * 1000
        if (freeAtMs <= nowMs) return
        free = false
        clearTimeout(waiting)
        waiting = setTimeout(() => {
          free = true
          free$.next()
        }, freeAtMs - nowMs)
      },
      close: () => {
        clearTimeout(waiting)
        writer.close()
      },
    }
  })

const madeUpForMs = 100

/** Shows each batch that is written. */
export const watched = <T, Tx>(sink: Sink<T, Tx>, see: (batch: readonly T[]) => void): Sink<T, Tx> =>
  around(sink, writer => ({
    write: batch => {
      see(batch)
      writer.write(batch)
    },
  }))

const around = <T, Tx>(
  sink: Sink<T, Tx>,
  change: (writer: SinkWriter<T, Tx>) => Partial<SinkWriter<T, Tx>>,
): Sink<T, Tx> => ({
  name: sink.name,
  transaction: sink.transaction,
  open: task => {
    const writer = sink.open(task)
    return {
      mayWrite: () => writer.mayWrite(),
      ready$: writer.ready$,
      write: batch => writer.write(batch),
      cut: checkpoint => writer.cut(checkpoint),
      publish: transactions => writer.publish(transactions),
      recover: options => writer.recover(options),
      close: () => writer.close(),
      ...change(writer),
    }
  },
})
