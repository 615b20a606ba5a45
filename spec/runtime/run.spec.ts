import { memoryStore, stream } from 'spillway'
import { collect, flatMap, fromArray, into, keyBy, map, scan } from 'spillway/operators'
import { expect, test } from 'vitest'
import { run } from '../run.ts'

const numbers = (n: number) => Array.from({ length: n }, (_, i) => i)

test('a pipeline runs in parallel and its sink has each result once', async () => {
  const sink = collect<number>()
  const pipeline = stream(fromArray(numbers(10_000), { splits: 4 })).pipe(
    map(n => ({ key: `k${n % 10}`, n })),
    keyBy(({ key }) => key),
    scan((total, { n }) => total + n, 0),
    into(sink),
  )
  await run(pipeline, { parallelism: 4, store: memoryStore(), checks: true }).done
  expect(sink.records).toHaveLength(10_000)
  expect(Math.max(...sink.records)).toBe(5_000 * 999 + 9000)
})

test('flatMap', async () => {
  const sink = collect<number>()
  const pipeline = stream(fromArray(numbers(100))).pipe(
    flatMap(n => numbers(n)),
    keyBy(n => n % 7),
    scan(total => total + 1, 0),
    into(sink),
  )
  await run(pipeline, { parallelism: 2, checks: true }).done
  expect(sink.records).toHaveLength(4950)
})
