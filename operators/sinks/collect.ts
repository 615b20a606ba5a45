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
  const publish = (transactions: readonly Collected<T>[]) => {
    for (const { id, records } of transactions) {
      if (published.has(id)) continue
      published.add(id)
      for (const record of records) into.push(record)
    }
    return EMPTY
  }
  let cuts = 0
  // What does not depend on the task all of them have in common: there may be thousands.
  const common = {
    mayWrite: () => true,
    ready$: NEVER,
    publish,
    recover: (of: { readonly publish: readonly Collected<T>[] }) => publish(of.publish),
    close: () => {},
  }
  return {
    name: 'collect',
    records: into,
    transaction: t.type({ id: t.string, records: t.readonlyArray(t.any) }),
    open: ({ epoch, subtask }) => ({ ...common, ...writing<T>(() => `${epoch}.${subtask.index}.${cuts++}`) }),
  }
}

function writing<T>(newId: () => string): Pick<SinkWriter<T, Collected<T>>, 'write' | 'cut'> {
  let open: T[] = []
  return {
    write(batch) {
      for (const record of batch) open.push(record)
    },
    cut() {
      if (open.length === 0) return undefined
      const tx = { id: newId(), records: open }
      open = []
      return { tx, durable: EMPTY }
    },
  }
}
