import * as t from 'io-ts'
import { EMPTY, NEVER } from 'rxjs'
import type { Sink, SinkWriter } from '../../lib/index.ts'

export interface Collected<T> {
  readonly id: string
  readonly records: readonly T[]
}

/**
 * Collects records in memory: for tests, and for results that fit there.
 *
 * `records` holds what has been published, of each task in order; exactly once also across restarts that use the same object.
 * A transaction carries its records, so they are part of the snapshot. Bounded by nothing but the input.
 */
export function collect<T>(into: T[] = []): Sink<T, Collected<T>> & { readonly records: readonly T[] } {
  const published = new Set<string>()
  let cuts = 0
  return {
    name: 'collect',
    records: into,
    transaction: t.type({ id: t.string, records: t.readonlyArray(t.any) }),
    open: task =>
      writer<T>({
        newId: () => `${task.epoch}.${task.subtask.index}.${cuts++}`,
        publish(transactions) {
          for (const { id, records } of transactions) {
            if (published.has(id)) continue
            published.add(id)
            for (const record of records) into.push(record)
          }
        },
      }),
  }
}

function writer<T>(shelf: {
  newId(): string
  publish(transactions: readonly Collected<T>[]): void
}): SinkWriter<T, Collected<T>> {
  let open: T[] = []
  return {
    mayWrite: () => true,
    ready$: NEVER,
    write(batch) {
      for (const record of batch) open.push(record)
    },
    cut() {
      if (open.length === 0) return undefined
      const tx = { id: shelf.newId(), records: open }
      open = []
      return { tx, durable: EMPTY }
    },
    publish(transactions) {
      shelf.publish(transactions)
      return EMPTY
    },
    recover({ publish }) {
      shelf.publish(publish)
      return EMPTY
    },
    close() {},
  }
}
