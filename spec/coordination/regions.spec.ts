import fc from 'fast-check'
import { expect, test } from 'vitest'
import { checkpoints } from '../../lib/coordination/checkpoints.ts'
import { type CheckpointsState, initialCheckpoints } from '../../lib/coordination/checkpointsState.ts'
import type { Acknowledged, CheckpointEvent, CheckpointOrder } from '../../lib/coordination/events.ts'
import { global, regional } from '../../lib/coordination/policy.ts'
import { finishedPart } from '../../lib/coordination/retention.ts'
import { objectsOf } from '../../lib/snapshot/snapshot.ts'
import { storedAs } from '../storedAs.ts'

const limits = { failedRatioMax: 0.5, consecutiveFailuresMax: 2 }

const acknowledged = (task: string, checkpoint: number, ended = false): Acknowledged => ({
  kind: 'acknowledged',
  checkpoint,
  snapshot: storedAs(ended ? `ended/${task}` : `${checkpoint}/${task}`, { task, ended }),
  sizes: { stateBytes: 0, inFlightBytes: 0, inFlightRecords: 0 },
  times: {
    startDelayMs: 0,
    alignmentMs: 0,
    processedDuringAlignment: 0,
    syncMs: 0,
    begunAtMs: 0,
    wholeAtMs: 0,
    asyncMs: 0,
  },
})

const declined = (task: string, checkpoint: number): CheckpointEvent => ({
  kind: 'declined',
  task,
  ended: false,
  checkpoint,
  reason: 'no',
  cause: 'declined',
})

const requested: CheckpointEvent = { kind: 'requested', alignment: 'aligned' }

/** What the coordinator says, in short; commits are answered by the test. */
class Coordinator {
  state: CheckpointsState
  readonly commits: (CheckpointOrder & { kind: 'commit' })[] = []
  entry = 100

  constructor(options: Partial<Parameters<typeof initialCheckpoints>[0]>) {
    const connected = [
      ['a1', 'a2'],
      ['b1', 'b2'],
    ]
    this.state = initialCheckpoints({ policy: regional(limits), connected, nextId: 1, retainedCount: 1, ...options })
  }

  hear(event: CheckpointEvent): readonly string[] {
    const [next, orders] = checkpoints(this.state, event, 0)
    this.state = next
    return orders.map(order => this.#said(order))
  }

  all(events: readonly CheckpointEvent[]): readonly string[] {
    return events.flatMap(event => this.hear(event))
  }

  committed(): readonly string[] {
    const { checkpoint } = this.commits.shift() as CheckpointOrder & { kind: 'commit' }
    return this.hear({ kind: 'committed', checkpoint, entry: ++this.entry })
  }

  commitFails(): readonly string[] {
    const { checkpoint } = this.commits.shift() as CheckpointOrder & { kind: 'commit' }
    return this.hear({ kind: 'commitFailed', checkpoint, reason: 'full' })
  }

  #said(order: CheckpointOrder): string {
    switch (order.kind) {
      case 'commit': {
        this.commits.push(order)
        const parts = order.parts.map(({ tasks }) => tasks.flatMap(objectsOf).join('+')).join(' ')
        return `commit ${order.checkpoint} [${parts}]${order.completes === undefined ? '' : ' complete'}`
      }
      case 'publish':
      case 'notify':
      case 'abort':
        return `${order.kind} ${order.checkpoint} ${order.tasks}`
      case 'release':
        return `release ${[...order.objects, ...order.entries]}`
      case 'report':
        return `${order.report.outcome} ${order.report.id}${order.report.reason === undefined ? '' : `: ${order.report.reason}`}`
      default:
        return order.kind
    }
  }
}

const tasks = ['a1', 'a2', 'b1', 'b2']

const finish = (job: Coordinator, checkpoint: number) => {
  job.hear(requested)
  job.all(tasks.map(task => acknowledged(task, checkpoint)))
  while (job.commits.length > 0) job.committed()
}

test('a part is committed as soon as its tasks have acknowledged, and its sinks publish then', () => {
  const job = new Coordinator({})
  expect(job.all([requested, acknowledged('a1', 1), acknowledged('a2', 1)])).toEqual([
    'trigger',
    'commit 1 [1/a1+1/a2]',
  ])
  expect(job.committed()).toEqual(['publish 1 a1,a2'])
  expect(job.all([acknowledged('b1', 1), acknowledged('b2', 1)])).toEqual(['commit 1 [1/b1+1/b2] complete'])
  expect(job.committed()).toEqual(['publish 1 b1,b2', 'notify 1 a1,a2,b1,b2', 'completed 1'])
})

test('what is acknowledged again is in use: nothing is released, before and after its part is finished', () => {
  const job = new Coordinator({})
  job.hear(requested)
  expect(job.all([acknowledged('a1', 1), acknowledged('a1', 1)])).toEqual([])
  job.hear(acknowledged('a2', 1))
  expect(job.hear(acknowledged('a1', 1))).toEqual([])
  job.committed()
  expect(job.hear(acknowledged('a1', 1))).toEqual([])
})

test('parts that become ready while a commit is under way share the next', () => {
  const job = new Coordinator({ connected: [['a'], ['b'], ['c']] })
  expect(job.all(['a', 'b', 'c'].map(task => acknowledged(task, 1)))).toHaveLength(3)
  job.all([requested, acknowledged('a', 1), acknowledged('b', 1), acknowledged('c', 1)])
  expect(job.committed()).toEqual(['publish 1 a', 'commit 1 [1/b 1/c] complete'])
})

test('a failed region is carried over by reference: nothing of its last part is released, what it has written is', () => {
  const job = new Coordinator({})
  finish(job, 1)
  expect(job.all([requested, acknowledged('b1', 2), declined('b2', 2)])).toEqual(['trigger', 'abort 2 b1,b2'])
  job.all([acknowledged('a1', 2), acknowledged('a2', 2)])
  expect(job.commits[0]?.completes).toEqual({ carriedOver: [{ task: 'b1', checkpoint: 1, entry: 102 }] })
  expect(job.committed()).toEqual(['publish 2 a1,a2', 'notify 2 a1,a2', 'completed 2', 'release 2/b1,1/a1,1/a2,101'])
})

test('an abort says which part of theirs is finished, so that tasks that have missed it publish it', () => {
  const job = new Coordinator({ connected: [['a1', 'a2'], ['b1'], ['c1']] })
  job.all([requested, ...['a1', 'a2', 'b1'].map(task => acknowledged(task, 1)), declined('c1', 1)])
  while (job.commits.length > 0) job.committed()
  job.all([requested, acknowledged('b1', 2)])
  while (job.commits.length > 0) job.committed()
  const [next, orders] = checkpoints(job.state, { kind: 'expired', checkpoint: 2 }, 0)
  job.state = next
  const abort = orders.find(order => order.kind === 'abort')
  expect(abort?.tasks).toEqual(['a1', 'a2', 'c1'])
  expect([...(abort?.latestFinished ?? [])]).toEqual([
    ['a1', 1],
    ['a2', 1],
  ])
})

test('a commit that fails fails its parts, and the checkpoint is judged without them', () => {
  const job = new Coordinator({})
  finish(job, 1)
  job.all([requested, acknowledged('a1', 2), acknowledged('a2', 2)])
  expect(job.commitFails()).toEqual(['abort 2 a1,a2'])
  job.all([acknowledged('b1', 2), acknowledged('b2', 2)])
  expect(job.committed()).toEqual(['publish 2 b1,b2', 'notify 2 b1,b2', 'completed 2', 'release 1/b1,1/b2,102'])
})

test('the last part to fail leaves an entry of its own to complete the checkpoint', () => {
  const job = new Coordinator({})
  finish(job, 1)
  job.all([requested, acknowledged('a1', 2), acknowledged('a2', 2)])
  job.committed()
  expect(job.hear(declined('b1', 2))).toEqual(['abort 2 b1,b2', 'commit 2 [] complete'])
  expect(job.committed()).toEqual(['notify 2 a1,a2', 'completed 2', 'release 1/a1,1/a2,101'])
})

test('after another dealing of tasks the first parts are finished in one commit, or none is', () => {
  const part = finishedPart({ checkpoint: 7, entry: 50 }, [acknowledged('old', 7).snapshot])
  const job = new Coordinator({ nextId: 8, restored: { checkpoint: 7, parts: [part], dealtAnew: true } })
  expect(
    job.all([requested, acknowledged('a1', 8), acknowledged('a2', 8), { kind: 'commitDue', checkpoint: 8 }]),
  ).toEqual(['trigger'])
  expect(job.hear(declined('b1', 8))).toEqual(['abort 8 b1,b2,a1,a2', 'failed 8: b1 declined: no', 'release 8/a1,8/a2'])
  finish(job, 9)
  expect(job.state.retained.map(({ checkpoint }) => checkpoint)).toEqual([9])
  expect(job.all([requested, acknowledged('a1', 10), acknowledged('a2', 10)])).toEqual([
    'trigger',
    'commit 10 [10/a1+10/a2]',
  ])
})

test('a region that has ended is asked no more, and the part in which it ends is never carried over', () => {
  const job = new Coordinator({})
  finish(job, 1)
  job.all([acknowledged('a1', 2, true), acknowledged('a2', 2, true)])
  expect(job.hear(requested)).toEqual(['trigger', 'commit 2 [ended/a1+ended/a2]'])
  expect(job.commitFails()).toEqual(['abort 2 a1,a2'])
  job.all([acknowledged('b1', 2), acknowledged('b2', 2)])
  expect(job.committed()).toEqual(['publish 2 b1,b2', 'failed 2: full'])
  // Tried again.
  expect(job.hear(requested)).toEqual(['trigger', 'commit 3 [ended/a1+ended/a2]'])
  job.committed()
  job.all([acknowledged('b1', 3), acknowledged('b2', 3)])
  job.committed()
  // The ended region neither counts nor fails.
  expect(job.all([requested, declined('b1', 4)])).toEqual([
    'trigger',
    'abort 4 b1,b2',
    'failed 4: too-many-regions: 1 of 1 failed, the first because b1 declined: no',
  ])
})

test('a global policy has one region, and any task fails the checkpoint with its own reason', () => {
  const job = new Coordinator({ policy: global() })
  finish(job, 1)
  expect(job.all([requested, acknowledged('a1', 2), declined('b1', 2)])).toEqual([
    'trigger',
    'abort 2 a1,a2,b1,b2',
    'failed 2: b1 declined: no',
    'release 2/a1',
  ])
})

test('5,000 regions that answer one after the other take at most 20 commits', () => {
  const connected = Array.from({ length: 5_000 }, (_, i) => [`a${i}`, `b${i}`])
  const job = new Coordinator({ connected })
  job.hear(requested)
  let commits = 0
  for (const [source, sink] of connected as [string, string][]) {
    job.all([acknowledged(source, 1), acknowledged(sink, 1)])
    // The store takes as long as ten regions.
    if (job.commits.length > 0 && source.endsWith('9')) {
      commits++
      job.committed()
    }
  }
  for (; job.commits.length > 0; commits++) job.committed()
  expect(job.state.retained).toHaveLength(1)
  expect(commits).toBeGreaterThan(1)
  expect(commits).toBeLessThanOrEqual(20)
})

interface Limits {
  readonly failedRatioMax: unknown
  readonly consecutiveFailuresMax: unknown
}

test.each<[Limits, string]>([
  [{ failedRatioMax: -0.1, consecutiveFailuresMax: 1 }, 'failedRatioMax: expected a share from 0 to 1, found -0.1'],
  [{ failedRatioMax: 1.1, consecutiveFailuresMax: 1 }, 'found 1.1'],
  [{ failedRatioMax: Number.NaN, consecutiveFailuresMax: 1 }, 'found NaN'],
  [{ failedRatioMax: 1, consecutiveFailuresMax: -1 }, 'consecutiveFailuresMax: expected a whole number'],
  [{ failedRatioMax: 1, consecutiveFailuresMax: 1.5 }, 'found 1.5'],
])('regional(%j) is refused', (of, says) => {
  expect(() => regional(of as typeof limits)).toThrow(
    expect.objectContaining({ code: 'INVALID_OPTION', message: expect.stringContaining(says) }),
  )
})

/**
 * The rules once more, written down by what a region and a checkpoint know in the end, not step by step: which part each
 * region has, which checkpoints are complete.
 */
test('whatever comes in whatever order, a region has the newest part that was committed, and nothing that it needs is released', () => {
  const region = fc.constantFrom(0, 1, 2)
  const step = fc.oneof(
    { weight: 3, arbitrary: fc.constant({ kind: 'request' } as const) },
    { weight: 8, arbitrary: fc.record({ kind: fc.constant('ack' as const), region, second: fc.boolean() }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('decline' as const), region, second: fc.boolean() }) },
    { weight: 4, arbitrary: fc.constant({ kind: 'commit' } as const) },
    { weight: 1, arbitrary: fc.constant({ kind: 'commitFails' } as const) },
    { weight: 1, arbitrary: fc.constant({ kind: 'expire' } as const) },
  )
  const connected = [0, 1, 2].map(i => [`r${i}x`, `r${i}y`])
  fc.assert(
    fc.property(fc.array(step, { maxLength: 120, size: 'max' }), fc.constantFrom(1, 2), (steps, retainedCount) => {
      const job = new Coordinator({ connected, retainedCount })
      const parts: (readonly string[])[] = [[], [], []]
      const released = new Set<string>()
      const doubtful = new Set<string>()
      const acknowledgedBy = new Set<string>()
      let id = 0
      const hear = (said: readonly string[]) => {
        for (const line of said) {
          if (line === 'trigger') id++
          if (line.startsWith('release')) for (const of of line.slice(8).split(',')) released.add(of)
        }
      }
      for (const of of steps) {
        switch (of.kind) {
          case 'request':
            hear(job.hear(requested))
            break
          case 'ack': {
            const task = `r${of.region}${of.second ? 'y' : 'x'}`
            // A task answers once.
            if (acknowledgedBy.has(`${id} ${task}`)) break
            acknowledgedBy.add(`${id} ${task}`)
            // The first tasks of all regions share a file.
            const snapshot = storedAs(of.second ? `${id}/${task}` : `${id}/shared`, { task })
            hear(job.hear({ ...acknowledged(task, id), snapshot }))
            break
          }
          case 'decline':
            hear(job.hear(declined(`r${of.region}${of.second ? 'y' : 'x'}`, id)))
            break
          case 'expire':
            hear(job.hear({ kind: 'expired', checkpoint: id }))
            break
          case 'commit': {
            const [order] = job.commits
            if (order === undefined) break
            for (const { tasks: members } of order.parts) {
              const [first] = members
              parts[Number(first?.task[1])] = members.flatMap(objectsOf)
            }
            doubtful.clear()
            hear(job.committed())
            break
          }
          case 'commitFails': {
            const order = job.commits.shift()
            if (order === undefined) break
            for (const { tasks: members } of order.parts)
              for (const object of members.flatMap(objectsOf)) doubtful.add(object)
            hear(job.hear({ kind: 'commitFailed', checkpoint: order.checkpoint, reason: 'no' }))
          }
        }
        const kept = job.state.retained.flatMap(of => of.parts.flatMap(part => part.objects))
        const needed = [...parts.flat(), ...kept, ...doubtful]
        expect(needed.filter(object => released.has(object))).toEqual([])
      }
    }),
    { numRuns: 1_000 },
  )
})
