import * as t from 'io-ts'
import { queueScheduler } from 'rxjs'
import { expect, test } from 'vitest'
import { msgpackEncoding } from '../../lib/snapshot/encoding.ts'
import { hashOf } from '../../lib/snapshot/hashOf.ts'
import { SnapshotEncoder } from '../../lib/snapshot/snapshotEncoder.ts'
import { OperatorState } from '../../lib/state/operatorState.ts'

const keyed = (value: unknown) => {
  const state = new OperatorState('o', 1, undefined, { hashOf, incremental: true })
  const table = state.table('keyed', t.unknown)
  table.set(table.entry(['k', 1], 0), value)
  return { state, set: (next: unknown) => table.set(table.entry(['k', 1], 0), next) }
}

const mutated = expect.objectContaining({ code: 'MUTATED_AFTER_CAPTURE', place: 'o, state keyed, key ["k", 1]' })

test('a value changed while its snapshot is written is found once it is written', () => {
  const value = { deep: [1] }
  const captured = keyed(value).state.capture()
  expect(captured).toBeDefined()
  if (captured === undefined) return
  value.deep.push(2)
  const heard: unknown[] = []
  new SnapshotEncoder(msgpackEncoding(), queueScheduler).encode({
    snapshot: {
      ...{ kind: 'snapshot', task: 'a', epoch: 1, ended: false, checkpoint: 1 },
      ...{ operators: [captured], inFlight: [], outputs: [], durable: [] },
      times: { startDelayMs: 0, alignmentMs: 0, processedDuringAlignment: 0, syncMs: 0, begunAtMs: 0, wholeAtMs: 0 },
    },
    ...{ whole: true, stopped: false },
    encoded: () => heard.push('encoded'),
    failed: error => heard.push(error),
  })
  expect(heard).toEqual([mutated])
})

test('a value changed between two snapshots is found by the second, also if it was set again', () => {
  const value = { deep: [1] }
  const { state, set } = keyed(value)
  state.capture()
  set(value)
  state.capture()
  value.deep.push(2)
  expect(() => state.capture()).toThrow(mutated)
})

test('one that cannot be frozen may change if it is set then, or all is written', () => {
  const value = new Map([['a', 1]])
  const { state, set } = keyed(value)
  const first = state.capture()
  value.set('b', 2)
  first?.check?.()
  state.capture()?.tables[0]?.captured.stored({ asBase: true })
  value.set('c', 3)
  set(value)
  state.capture()
  state.capture()?.tables[0]?.captured.stored({ asBase: true })
  value.set('d', 4)
  expect(() => state.capture()).toThrow(mutated)
})
