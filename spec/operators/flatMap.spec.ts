import { stream } from 'spillway'
import { collect, flatMap, fromArray, into } from 'spillway/operators'
import { harness } from 'spillway/testing'
import { expect, test } from 'vitest'
import { run } from '../run.ts'

type Projection = (record: number, from: number) => Iterable<unknown> & object

function* upFrom(n: number, from: number) {
  for (let i = from; i < n; i++) yield { i }
}

const results = (project: Projection, records: readonly number[]) => {
  const h = harness(flatMap(project))
  for (const record of records) h.push(record)
  return h.output
}

test.each<{ what: string; project: Projection }>([
  {
    what: 'ignores it',
    *project(n, _from) {
      for (let i = 0; i < n; i++) yield { i }
    },
  },
  { what: 'has nothing there', project: (n, from) => (from > 0 ? [] : [...upFrom(n, 0)]) },
  { what: 'begins one too late', project: (n, from) => upFrom(n, from === 0 ? 0 : from + 1) },
  { what: 'makes others each time', project: (n, from) => [...upFrom(n, from)].map(() => Math.random()) },
])('with checks a projection with `from` that $what is refused at the first record with two results', ({ project }) => {
  expect(results(project, [0, 1])).toHaveLength(1)
  expect(() => results(project, [0, 1, 2])).toThrow(/^flatMap: result 1 of record 2 is .*NOT_DETERMINISTIC/)
})

test('with checks a projection that begins at `from` gives each result once', () => {
  expect(results(upFrom, [0, 1, 3])).toEqual([{ i: 0 }, { i: 0 }, { i: 1 }, { i: 2 }])
  expect(results((n, from) => [...upFrom(n, 0)].slice(from), [3])).toEqual([{ i: 0 }, { i: 1 }, { i: 2 }])
})

test('in a job checks find it, and without them nothing is asked for twice', async () => {
  let asked = 0
  const ignoring = (n: number, _from: number) => {
    asked++
    return upFrom(n, 0)
  }
  const pipeline = () => stream(fromArray([3])).pipe(flatMap(ignoring), into(collect<{ i: number }>()))
  await expect(run(pipeline()).done).rejects.toMatchObject({ code: 'NOT_DETERMINISTIC' })
  asked = 0
  await run(pipeline(), { checks: false }).done
  expect(asked).toBe(1)
})
