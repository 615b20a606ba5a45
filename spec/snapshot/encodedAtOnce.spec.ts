import * as t from 'io-ts'
import { expect, test } from 'vitest'
import { encodedAtOnce } from '../../lib/snapshot/encodedAtOnce.ts'
import { msgpackEncoding } from '../../lib/snapshot/encoding.ts'
import { keptChunks, moreChunks, readSections } from '../../lib/snapshot/format.ts'
import type { TaskSnapshot } from '../../lib/snapshot/snapshot.ts'
import { capturedOf, OperatorState } from '../../lib/state/operatorState.ts'

const encoding = msgpackEncoding()

const snapshotOf = (operators: TaskSnapshot['operators']): TaskSnapshot => ({
  ...{ kind: 'snapshot', task: 'a', epoch: 1, ended: false, checkpoint: 1 },
  ...{ operators, inFlight: [], outputs: [], durable: [] },
  times: { startDelayMs: 0, alignmentMs: 0, processedDuringAlignment: 0, syncMs: 0, begunAtMs: 0, wholeAtMs: 0 },
})

/** What stands in a snapshot that is written now. */
const written = (operators: TaskSnapshot['operators'], { whole }: { readonly whole: boolean }) => {
  const snapshot = snapshotOf(operators)
  const chunks = [...keptChunks(snapshot, encoding), ...moreChunks(snapshot, encoding, { whole })]
  const sections = chunks.map(({ section, chunk }) => ({ name: section, chunks: [chunk] }))
  const { kept, tables } = readSections({ ended: false, sections }, { place: 'a', encoding }).operators.get('o') ?? {}
  return { ...kept, ...Object.fromEntries([...(tables ?? [])].map(([name, batches]) => [name, [...batches].flat()])) }
}

const stateOf = (value: unknown) => {
  const state = new OperatorState('o', 1, undefined, { incremental: true })
  const table = state.table('keyed', t.unknown)
  table.set(table.entry('k', 0), value)
  state.keep('kept', t.unknown, () => value)
  const captured = () => encodedAtOnce(capturedOf([state]), { coding: encoding, whole: false })
  return { table, captured }
}

const cases: readonly (readonly [what: string, make: () => any, change: (value: any) => void])[] = [
  ['a Map', () => new Map([['a', 1]]), value => value.set('b', 2)],
  ['a Set in a list', () => [new Set([1])], ([set]) => set.add(2)],
  ['a Date in an object', () => ({ at: new Date(0) }), ({ at }) => at.setTime(1)],
  ['a typed array', () => Float64Array.of(1, 2), array => array.fill(0)],
]

test.each(cases)('%s that changes after it was captured is written as it was', (_, make, change) => {
  const value = make()
  const captured = stateOf(value).captured()
  change(value)
  expect(written(captured, { whole: true })).toEqual({ keyed: [[0, 'k', make()]], kept: make() })
})

test('where there is a base only what has changed is encoded at once, and it is no whole state', () => {
  const { table, captured } = stateOf(new Map([['a', 1]]))
  captured()[0]?.tables[0]?.captured.stored({ asBase: true })
  expect(written(captured(), { whole: false })).toMatchObject({})
  table.set(table.entry('l', 0), new Map([['b', 2]]))
  const changes = captured()
  expect(written(changes, { whole: false })).toMatchObject({ keyed: [[0, 'l', new Map([['b', 2]])]] })
  expect(() => written(changes, { whole: true })).toThrow('what its changes build on has been superseded')
})

test('what cannot be encoded fails the writing, not the task', () => {
  const captured = stateOf({ map: new Map(), no: () => 1 }).captured()
  expect(() => written(captured, { whole: true })).toThrow(expect.objectContaining({ code: 'NOT_ENCODABLE' }))
})

test('what can be frozen stays a reference', () => {
  const captured = capturedOf([new OperatorState('o', 1)])
  const [of] = stateOf({ a: [1] }).captured()
  expect(of?.tables[0]?.encoded).toBeUndefined()
  expect(encodedAtOnce(captured, { coding: encoding, whole: false })).toEqual(captured)
})
