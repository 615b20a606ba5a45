import * as t from 'io-ts'
import { EMPTY, of, Subject } from 'rxjs'
import {
  type CheckpointReport,
  keyedOperator,
  memoryStore,
  type Pipeline,
  type Sink,
  type Source,
  stream,
} from 'spillway'
import { into, keyBy, map } from 'spillway/operators'
import { expect, test } from 'vitest'
import { runIn } from '../run.ts'
import { stepped } from './restored.ts'

interface Rec {
  readonly key: number
  readonly n: number
}

const records: readonly Rec[] = Array.from({ length: 300 }, (_, n) => ({ key: n % 11, n: Math.floor(n / 11) }))

/** All at once, and nothing more, until the sink is open: then it ends. */
const source = (isOpen: () => boolean): Source<Rec, number> => ({
  name: 'records',
  position: t.number,
  splits: () => of(['all']),
  open: (_, from = 0) => {
    let at = from
    return {
      next(recordsMax) {
        if (at === records.length) return isOpen() ? 'end' : 'wait'
        const batch = records.slice(at, at + recordsMax)
        at += batch.length
        return batch
      },
      ready$: EMPTY,
      position: () => at,
      close: () => {},
    }
  },
})

/** Takes nothing until it is open. */
const gated = (published: Rec[], isOpen: () => boolean): Sink<Rec> => {
  const seen = new Set<number>()
  let number = 0
  const publish = (transactions: readonly { id: number; all: readonly Rec[] }[]) => {
    for (const { id, all } of transactions) {
      if (!seen.has(id)) published.push(...all)
      seen.add(id)
    }
    return EMPTY
  }
  return {
    name: 'gated',
    transaction: t.type({ id: t.number, all: t.readonlyArray(t.any) }),
    open: () => {
      let all: Rec[] = []
      return {
        mayWrite: isOpen,
        ready$: new Subject<void>(),
        write: batch => void all.push(...batch),
        cut() {
          if (all.length === 0) return undefined
          const tx = { id: number++, all }
          all = []
          return { tx, durable: EMPTY }
        },
        publish,
        recover: ({ publish: left }) => publish(left),
        close: () => {},
      }
    },
  }
}

/** Each result says how many records of its key have come before, so that order per key and what is doubled are seen. */
const counted = keyedOperator<Rec, number, Rec>('counted', ({ state }) => {
  const seen = state.value('seen', t.number, 0)
  return {
    record: ({ key, n }, out) => {
      if (seen.get() !== n) throw new Error(`record ${n} of key ${key} comes as number ${seen.get()}`)
      seen.set(n + 1)
      out.emit({ key, n })
    },
  }
})
const again = keyedOperator<Rec, number, Rec>('again', ({ state }) => {
  const seen = state.value('seen', t.number, 0)
  return {
    record: (of, out) => {
      if (seen.get() !== of.n) throw new Error(`record ${of.n} of key ${of.key} comes again as number ${seen.get()}`)
      seen.set(of.n + 1)
      out.emit(of)
    },
  }
})

test.each([
  ['one queue', false],
  ['two halves', true],
])(
  'from 1 task to 10 and back, again and again, what is in flight stays as it is, and order per key is kept, with channels of %s',
  async (_, halves) => {
    let open = false
    const isOpen = () => open
    const published: Rec[] = []
    const sink = gated(published, isOpen)
    const pipeline = (): Pipeline =>
      stream(source(isOpen)).pipe(
        keyBy(({ key }) => key),
        counted,
        keyBy(({ key }) => 7 * key),
        again,
        map(of => of),
        keyBy(({ n }) => n),
        map(of => of),
        into(sink),
      )
    const store = memoryStore()
    const reports: CheckpointReport[] = []
    for (const parallelism of [1, 10, 1, 10, 1]) {
      const job = runIn(
        stepped(() => {}, halves),
        pipeline(),
        { parallelism, store, checks: true, channels: { buffersMax: 3, bufferRecordsMax: 32 } },
      )
      for (let macrotask = 0; macrotask < 40; macrotask++) await new Promise(resolve => setImmediate(resolve))
      reports.push(await job.triggerCheckpoint({ alignment: 'unaligned' }))
      await job.cancel().catch(() => {})
      await job.done.catch(() => {})
    }
    expect(reports.map(({ inFlightRecords }) => inFlightRecords)).toEqual([1, 10, 1, 10, 1].map(() => records.length))
    const bytes = reports.map(({ inFlightBytes }) => inFlightBytes)
    expect(bytes[4], `bytes ${bytes}`).toBeLessThan(1.2 * (bytes[0] as number))
    expect(bytes[3], `bytes ${bytes}`).toBeLessThan(1.2 * (bytes[1] as number))
    open = true
    await runIn(
      stepped(() => {}, halves),
      pipeline(),
      { parallelism: 3, store, checks: true },
    ).done
    const byKey = (a: Rec, b: Rec) => a.key - b.key || a.n - b.n
    expect(published.toSorted(byKey)).toEqual(records.toSorted(byKey))
  },
)
