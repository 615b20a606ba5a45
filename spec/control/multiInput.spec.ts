import { map } from 'rxjs'
import { multiInput, type Stream, stream, withRecords } from 'spillway'
import { collect, fromArray, into, rebalance } from 'spillway/operators'
import { expect, test } from 'vitest'
import { run } from '../run.ts'

/** Each record with the number of the input that it has come from. */
const tagged = (...inputs: readonly Stream<number, any>[]) =>
  multiInput<number, string>({ name: 'tagged' }, inputs, elements =>
    elements.pipe(
      map(({ element, input }) => {
        if (element.kind !== 'buffer') return element
        return withRecords(
          element,
          element.records.map(record => `${record} from ${input}`),
        )
      }),
    ),
  )

const cases: Record<string, { stream: () => Stream<string>; gives: readonly string[] }> = {
  'two streams': {
    stream: () => tagged(stream(fromArray([1, 2], { name: 'a' })), stream(fromArray([3], { name: 'b' }))),
    gives: ['1 from 0', '2 from 0', '3 from 1'],
  },
  'a stream that is given twice': {
    stream: () => {
      const twice = stream(fromArray([1, 2]))
      return tagged(twice, twice)
    },
    gives: ['1 from 0', '1 from 1', '2 from 0', '2 from 1'],
  },
  'a stream and the same behind an exchange': {
    stream: () => {
      const numbers = stream(fromArray([1, 2], { splits: 2 }))
      return tagged(numbers.pipe(rebalance()), numbers)
    },
    gives: ['1 from 0', '1 from 1', '2 from 0', '2 from 1'],
  },
}

for (const [name, { stream: built, gives }] of Object.entries(cases)) {
  test(`a record has the number of its input in place: ${name}`, () => {
    const records: string[] = []
    built().records$.subscribe(record => records.push(record))
    expect(records.toSorted()).toEqual(gives)
  })

  test.each([1, 3])(`a record has the number of its input in a job: ${name}, parallelism %i`, async parallelism => {
    const sink = collect<string>()
    await run(built().pipe(into(sink)), { parallelism, checks: true }).done
    expect(sink.records.toSorted()).toEqual(gives)
  })
}
