import { from as fromInput, lastValueFrom, type ObservableInput } from 'rxjs'
import { expect, test } from 'vitest'
import type { SinkTask } from '../../../lib/graph/sink.ts'
import { type Collected, collect } from '../../../operators/sinks/collect.ts'

const task = (epoch: number, index = 0): SinkTask => ({ epoch, subtask: { index, parallelism: 2 } })
const done = (input: ObservableInput<unknown>) => lastValueFrom(fromInput(input), { defaultValue: undefined })

test('records appear when they are published, in order, and not before', async () => {
  const into: string[] = []
  const sink = collect(into)
  const writer = sink.open(task(1))
  writer.write(['a', 'b'])
  const first = writer.cut(1)!
  writer.write(['c'])
  const second = writer.cut(2)!
  await done(first.durable)
  expect(sink.records).toEqual([])
  await done(writer.publish([first.tx]))
  expect(sink.records).toEqual(['a', 'b'])
  await done(writer.publish([first.tx, second.tx]))
  expect(sink.records).toEqual(['a', 'b', 'c'])
  expect(into).toBe(sink.records)
})

test('a transaction published twice is collected once, also in a later start and after being stored', async () => {
  const sink = collect<string>()
  const writer = sink.open(task(1))
  writer.write(['a'])
  const { tx } = writer.cut(1)!
  await done(writer.publish([tx]))
  const stored = sink.transaction.decode(JSON.parse(JSON.stringify(sink.transaction.encode(tx))))
  const restored = stored._tag === 'Right' ? stored.right : expect.fail()
  await done(sink.open(task(2)).recover({ publish: [restored] }))
  expect(sink.records).toEqual(['a'])
})

test('a start publishes what it is given, and forgets what was not cut', async () => {
  const sink = collect<string>()
  const crashed = sink.open(task(1))
  crashed.write(['a'])
  const { tx } = crashed.cut(1)!
  crashed.write(['lost with the crash'])
  const writer = sink.open(task(2))
  await done(writer.recover({ publish: [tx] }))
  expect(writer.cut(1)).toBeUndefined()
  expect(sink.records).toEqual(['a'])
})

test('transactions are told apart by task, and also between jobs that use one object with new stores', async () => {
  const sink = collect<number>()
  const all: Collected<number>[] = []
  for (const of of [task(1, 0), task(1, 1), task(1, 0)]) {
    const writer = sink.open(of)
    writer.write([all.length])
    all.push(writer.cut(1)!.tx)
    await done(writer.publish(all.slice(-1)))
  }
  expect(sink.records).toEqual([0, 1, 2])
})

test('a cut without records has no transaction', () => {
  const writer = collect().open(task(1))
  expect(writer.cut(1)).toBeUndefined()
  writer.write([])
  expect(writer.cut(2)).toBeUndefined()
})
