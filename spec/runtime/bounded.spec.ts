import * as t from 'io-ts'
import { defer, EMPTY, first, Subject } from 'rxjs'
import { type Sink, stream } from 'spillway'
import { fromIterable, into, map, rebalance } from 'spillway/operators'
import { expect, test } from 'vitest'
import { run } from '../run.ts'

/** Takes one record at a time out of what it was given, a macrotask each, and is full until it has taken all. */
const oneAtATime = (onTaken: () => void): Sink<unknown> => ({
  name: 'oneAtATime',
  transaction: t.any,
  open: () => {
    const ready$ = new Subject<void>()
    let left = 0
    const take = () => {
      onTaken()
      left--
      if (left > 0) setImmediate(take)
      else ready$.next()
    }
    return {
      mayWrite: () => left === 0,
      ready$,
      write(batch) {
        left += batch.length
        setImmediate(take)
      },
      cut: () => ({ tx: 0, durable: defer(() => (left === 0 ? EMPTY : ready$.pipe(first()))) }),
      publish: () => EMPTY,
      recover: () => EMPTY,
      close: () => {},
    }
  },
})

test('with a sink that takes one record at a time, records alive stay within the stated bound', async () => {
  const [records, buffersMax, bufferRecordsMax] = [1_000_000, 4, 128]
  let [made, taken, aliveMax] = [0, 0, 0]
  const make = function* () {
    for (; made < records; made++) {
      aliveMax = Math.max(aliveMax, made - taken)
      yield { n: made }
    }
  }
  const pipeline = stream(fromIterable(make)).pipe(
    map(({ n }) => ({ n: n + 1 })),
    rebalance(),
    map(({ n }) => ({ n })),
    into(oneAtATime(() => taken++)),
  )
  await run(pipeline, { channels: { buffersMax, bufferRecordsMax } }).done
  expect(taken).toBe(records)
  // A channel: buffersMax, and two more of the batch handed over last; the sink: the batch that it was given.
  expect(aliveMax).toBeLessThanOrEqual((buffersMax + 2 + 1) * bufferRecordsMax)
  expect(aliveMax).toBeGreaterThan(buffersMax * bufferRecordsMax)
})
