import { describe, expect, test } from 'vitest'
import { SnapshotChains } from '../../lib/control/snapshotChains.ts'
import type { TaskSnapshot } from '../../lib/snapshot/snapshot.ts'

const snapshotOf = (checkpoint: number): TaskSnapshot => ({
  ...{ kind: 'snapshot', task: 'a', epoch: 1, ended: false, checkpoint },
  ...{ operators: [], inFlight: [], outputs: [], durable: [] },
  times: { startDelayMs: 0, alignmentMs: 0, processedDuringAlignment: 0, syncMs: 0, begunAtMs: 0, wholeAtMs: 0 },
})

describe('how long a chain becomes', () => {
  const piece = (bytes: number) => ({ holds: 'state', object: `${bytes}`, begin: 0, bytes, crc: 0 }) as const
  const limits = { deltasMax: 3, bytesPercentMax: 50 }
  test.each([
    ['a whole snapshot is built on', [100], true],
    ['so are changes', [100, 10, 20], true],
    ['not with as many snapshots as there may be', [100, 1, 1, 1], false],
    ['nor with as many bytes', [100, 10, 40], false],
  ])('%s', (_, bytes, isBase) => {
    const chains = new SnapshotChains(limits)
    const snapshot = snapshotOf(7)
    chains.written(snapshot, bytes.map(piece))
    chains.published({ checkpoint: 7, tasks: ['a'] })
    expect(chains.baseOf(snapshotOf(8))?.map(of => of.bytes)).toEqual(isBase ? bytes : undefined)
  })

  test.each<[string, (chains: SnapshotChains) => void]>([
    ['it is not durable', () => {}],
    [
      'it has been aborted',
      chains => {
        chains.aborted(['a'])
        chains.published({ checkpoint: 7, tasks: ['a'] })
      },
    ],
    ['another one is', chains => chains.published({ checkpoint: 6, tasks: ['a'] })],
    [
      'its task is no more',
      chains => {
        chains.published({ checkpoint: 7, tasks: ['a'] })
        chains.abandoned(['a'])
      },
    ],
  ])('a snapshot is not built on if %s', (_, happens) => {
    const chains = new SnapshotChains(limits)
    chains.written(snapshotOf(7), [piece(100)])
    happens(chains)
    expect(chains.baseOf(snapshotOf(8))).toBeUndefined()
  })

  test('the last snapshot of a task builds on nothing, as it stays', () => {
    const chains = new SnapshotChains(limits)
    chains.written(snapshotOf(7), [piece(100)])
    chains.published({ checkpoint: 7, tasks: ['a'] })
    expect(chains.baseOf({ ...snapshotOf(8), ended: true })).toBeUndefined()
  })
})
