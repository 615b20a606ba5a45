import { describe, expect, test } from 'vitest'
import { type Failover, failover, initialFailover, restartedWith } from '../../lib/coordination/failover.ts'
import { layoutOf } from '../../lib/coordination/layout.ts'
import { global, regional } from '../../lib/coordination/policy.ts'
import { exponentialDelay, fixedDelay, none } from '../../lib/coordination/restarts.ts'
import { finishedPart } from '../../lib/coordination/retention.ts'
import { SpillwayError } from '../../lib/error.ts'
import { invariant } from '../../lib/invariant.ts'
import { acknowledged, told } from './told.ts'

const restart = fixedDelay({ delayMs: 50, attemptsMax: 2 })
const connected = [['a', 'b'], ['c']]
const policy = regional({ failedRatioMax: 0.5, consecutiveFailuresMax: 2 })

type Case = readonly [claim: string, ...lines: string[]]

const finished = ['due -> trigger 1,', 'ack 1 a', 'ack 1 b -> commit 1: 1/a 1/b,', 'committed 1 -> publish 1,']

/** Two regions: a and b, and c. */
const regionalCases: readonly Case[] = [
  [
    'a task that fails stops those joined to it; they are restarted, after the pause, in an epoch of their own',
    'failed a -> stop a b for 50,',
    'restartDue a -> beginEpoch a b,',
    'epochBegun a b -> restart a b from the start,',
    'restarted a b',
  ],
  [
    'they go on from the part that they finished last, also of a checkpoint that is not complete',
    ...finished,
    'failed b -> stop a b for 50,',
    'restartDue b -> beginEpoch a b,',
    'epochBegun a b -> restart a b from 1,',
  ],
  [
    'their region fails in the checkpoint that is under way, and in those that begin until they run; others are asked',
    ...finished,
    'ack 1 c -> commit 1: 1/c,',
    'committed 1 -> publish 1, notify 1, report 1 completed,',
    'due -> trigger 2,',
    'ack 2 a',
    'failed a -> abort 2, stop a b for 50,',
    'ack 2 c -> commit 2: 2/c,',
    'committed 2 -> publish 2, notify 2, report 2 completed, release 2/a 1/c,',
    'due -> trigger 3,',
    'ack 3 c -> commit 3: 3/c,',
    'committed 3 -> publish 3, notify 3, report 3 completed, release 2/c entry 12,',
    'restartDue a -> beginEpoch a b,',
    'epochBegun a b -> restart a b from 1,',
    'restarted a b',
    'due -> trigger 4,',
    'ack 4 a',
    'ack 4 b -> commit 4: 4/a 4/b,',
  ],
  [
    'a part that is being committed may still be finished: the restart waits for it, and goes on from it',
    'due -> trigger 1,',
    'ack 1 a',
    'ack 1 b -> commit 1: 1/a 1/b,',
    'failed a -> stop a b for 50,',
    'restartDue a',
    'committed 1 -> publish 1, beginEpoch a b,',
    'epochBegun a b -> restart a b from 1,',
  ],
  [
    'and from the one before, if the commit fails',
    'due -> trigger 1,',
    'ack 1 a',
    'ack 1 b -> commit 1: 1/a 1/b,',
    'failed a -> stop a b for 50,',
    'restartDue a',
    'commitFailed 1 -> abort 1, beginEpoch a b,',
    'epochBegun a b -> restart a b from the start,',
  ],
  [
    'a commit that failed but stands is the restart point: its sinks publish, nothing restarts from before it',
    'due -> trigger 1,',
    'ack 1 a',
    'ack 1 b -> commit 1: 1/a 1/b,',
    'commitFailed 1 -> abort 1,',
    'failed a -> stop a b for 50,',
    'restartDue a -> beginEpoch a b,',
    'stands 1 a b -> publish 1,',
    'epochBegun a b -> restart a b from 1,',
  ],
  [
    'what fails while it waits for its restart belongs to the failure before',
    'failed a -> stop a b for 50,',
    'failed b',
    'restartDue a -> beginEpoch a b,',
    'failed b',
  ],
  [
    'what fails while it is being restarted is a failure of its own, and so is an epoch that cannot be begun',
    'failed a -> stop a b for 50,',
    'restartDue a -> beginEpoch a b,',
    'epochFailed a b -> stop a b for 50,',
    'restartDue a -> beginEpoch a b,',
    'epochBegun a b -> restart a b from the start,',
    'failed a -> failJob,',
  ],
  [
    'each group has attempts of its own',
    'failed a -> stop a b for 50,',
    'failed c -> stop c for 50,',
    'restartDue c -> beginEpoch c,',
    'restartDue a -> beginEpoch a b,',
  ],
  [
    'a task that had ended is to end again, unless it had in the part that it goes on from; what it wrote last is deleted',
    'end 1 a',
    'failed b -> stop a b for 50,',
    'end 1 c',
    'restartDue b -> beginEpoch a b,',
    'epochBegun a b -> release ended/a, restart a b from the start,',
    'restarted a b',
    'end 1 a',
    'end 1 b -> commit 1: ended/a ended/b ended/c,',
  ],
  [
    'its last snapshot after the restart is another, also in the checkpoint that is still under way',
    'due -> trigger 1,',
    'end 1 a',
    'failed b -> abort 1, stop a b for 50,',
    'restartDue b -> beginEpoch a b,',
    'epochBegun a b -> restart a b from the start,',
    'restarted a b',
    'end 1 a',
    'end 1 b',
    'ack 1 c -> commit 1: 1/c,',
    'committed 1 -> publish 1, report 1 failed,',
    'due -> trigger 2, commit 2: ended/a ended/b,',
  ],
  [
    'a region in which one fails to publish its last part publishes it as it is restarted; then all is done',
    'end 1 a',
    'end 1 b',
    'end 1 c -> commit 1: ended/a ended/b ended/c,',
    'committed 1 -> publish 1, notify 1, report 1 completed, final,',
    'published 1 c',
    'published 1 a',
    'failed b -> stop a b for 50,',
    'due',
    'restartDue b -> beginEpoch a b,',
    'epochBegun a b -> restart a b from 1,',
    'restarted a b -> finished,',
  ],
  [
    'a last snapshot that cannot be written is a failure of its task',
    'due -> trigger 1,',
    'declineEnd 1 a -> abort 1, stop a b for 50,',
  ],
  ['the failure of what is no task fails the job', 'failed store -> failJob,'],
]

test.each(regionalCases)('by region: %s', (_, ...lines) => {
  expect(told(lines, { connected, policy, restart })).toEqual(lines)
})

const globalCases: readonly Case[] = [
  [
    'tasks that nothing joins to the failed one go on; the checkpoint under way fails, and each that begins until all run',
    'due -> trigger 1,',
    'ack 1 c',
    'failed a -> abort 1, report 1 failed, release 1/c, stop a b for 50,',
    'due -> report 2 failed,',
    'restartDue a -> beginEpoch a b,',
    'epochBegun a b -> restart a b from the start,',
    'restarted a b',
    'due -> trigger 3,',
  ],
  [
    'without a restart policy the job fails with its first task',
    ...finished.slice(0, 1),
    'failed a -> abort 1, report 1 failed, failJob,',
  ],
]

test.each(globalCases)('globally: %s', (claim, ...lines) => {
  const of = claim.startsWith('without') ? none() : restart
  expect(told(lines, { connected, policy: global(), restart: of })).toEqual(lines)
})

test('after another dealing a part that waits for the others is given up with the failed region', () => {
  const restored = { checkpoint: 4, parts: [finishedPart({ checkpoint: 4, entry: 14 }, [])], dealtAnew: true }
  const lines = [
    'due -> trigger 5,',
    'ack 5 a',
    'ack 5 b',
    'failed a -> abort 5, report 5 failed, release 5/a 5/b, stop a b for 50,',
    'restartDue a -> beginEpoch a b,',
    'epochBegun a b -> restart a b from the start,',
  ]
  expect(told(lines, { connected, policy, restart, restored, nextId: 5 })).toEqual(lines)
})

test('tasks whose region is restored from parts of several checkpoints go on from what the job was started from', () => {
  const snapshots = ['a', 'b', 'c'].map(task => acknowledged(task, { checkpoint: 4 }).snapshot)
  const parts = [
    finishedPart({ checkpoint: 4, entry: 14 }, snapshots.slice(0, 2)),
    finishedPart({ checkpoint: 3, entry: 13 }, snapshots.slice(2)),
  ]
  const lines = [
    'failed c -> stop c for 50,',
    'restartDue c -> beginEpoch c,',
    'epochBegun c -> restart c from the start,',
  ]
  const of = { connected, restart, restored: { checkpoint: 4, parts, dealtAnew: false }, nextId: 5 }
  expect(told(lines, { ...of, policy: global() })).toEqual(lines)
  const byRegion = [...lines.slice(0, 2), 'epochBegun c -> restart c from 3,']
  expect(told(byRegion, { ...of, policy })).toEqual(byRegion)
})

test("a failure restarts its task, those that channels join with it, and no other, whatever the policy's regions", () => {
  const groups = [['source/0', 'sink/0'], ['source/1', 'sink/1'], ['alone/0']]
  for (const regions of [groups, [groups.flat()]]) {
    const layout = layoutOf(regions, groups)
    expect(restartedWith('sink/1', layout)).toEqual(['source/1', 'sink/1'])
    expect(restartedWith('alone/0', layout)).toEqual(['alone/0'])
    expect(() => restartedWith('other/0', layout)).toThrow('other/0 is a task of the job')
  }
})

describe('what is given up', () => {
  const failed = (error: unknown, state: Failover = initialFailover(restart)) =>
    failover(state, { kind: 'failed', group: 0, error }, 0)
  const bug = () => {
    try {
      return invariant(false, () => 'it is well')
    } catch (error) {
      return error
    }
  }
  const coded = (code: 'FENCED' | 'TRANSACTION_LOST' | 'DAMAGED' | 'NOT_DETERMINISTIC') =>
    new SpillwayError(code, { place: 'p', problem: 'q.', remedy: 'r.' })

  test.each<readonly [string, unknown]>([
    ['a bug', bug()],
    ['what a bug has caused', new Error('outer', { cause: bug() })],
    ...(['FENCED', 'TRANSACTION_LOST', 'DAMAGED', 'NOT_DETERMINISTIC'] as const).map(
      code => [code, coded(code)] as const,
    ),
  ])('%s is not mended by a restart: the job fails with it', (_, error) => {
    expect(failed(error)[1]).toEqual({ kind: 'giveUp', error })
  })

  test('the last of too many failures is the cause of what the job fails with', () => {
    const error = new SpillwayError('WRITE_FAILED', { place: 'the sink', problem: 'no space.', remedy: 'Make room.' })
    const once = initialFailover(exponentialDelay({ ...backoff, attemptsMax: 1 }))
    const [state] = failed(error, once)
    const [up] = failover(state, { kind: 'started', group: 0 }, 0)
    const [, effect] = failover(up, { kind: 'failed', group: 0, error }, 20_000)
    expect(effect).toMatchObject({
      kind: 'giveUp',
      error: {
        code: 'RESTARTS_EXHAUSTED',
        place: 'the sink',
        cause: error,
        message: expect.stringContaining('1 time'),
      },
    })
  })
})

const backoff = { initialMs: 100, maxMs: 1_000, multiplier: 2, jitterFraction: 0, resetAfterMs: 50_000 }
