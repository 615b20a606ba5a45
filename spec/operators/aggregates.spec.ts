import { type Aggregate, aggregates, count, max, mean, min, sum } from 'spillway/operators'
import { expect, test } from 'vitest'

const n = (record: { n: number }) => record.n
const records = [{ n: 3 }, { n: -1 }, { n: 4 }]

const cases: Record<string, readonly [Aggregate<{ n: number }, any, unknown>, unknown]> = {
  'count counts records': [count(), 3],
  'sum adds': [sum(n), 6],
  'min takes the smallest': [min(n), -1],
  'max takes the largest': [max(n), 4],
  'mean divides the sum by the count': [mean(n), 2],
  'aggregates gives several at once': [
    aggregates({ total: sum(n), many: count(), average: mean(n) }),
    { total: 6, many: 3, average: 2 },
  ],
}

for (const [title, [aggregate, result]] of Object.entries(cases)) {
  test(`${title}, from accumulators that it does not change and that its type decodes`, () => {
    const seen: unknown[] = []
    let accumulator = aggregate.initial
    for (const record of records) {
      seen.push(JSON.stringify(accumulator))
      const next = aggregate.add(Object.freeze(accumulator), record)
      expect(JSON.stringify(accumulator)).toBe(seen.at(-1))
      expect(aggregate.type.is(next)).toBe(true)
      accumulator = next
    }
    expect(aggregate.result(accumulator)).toEqual(result)
  })
}
