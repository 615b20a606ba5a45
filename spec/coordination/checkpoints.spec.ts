import fc from 'fast-check'
import { expect, test } from 'vitest'
import { checkpoints } from '../../lib/coordination/checkpoints.ts'
import { type CheckpointsState, initialCheckpoints } from '../../lib/coordination/checkpointsState.ts'
import type { Acknowledged, CheckpointEvent, CheckpointOrder } from '../../lib/coordination/events.ts'
import { global } from '../../lib/coordination/policy.ts'
import { finishedPart } from '../../lib/coordination/retention.ts'
import { objectsOf } from '../../lib/snapshot/snapshot.ts'
import { acknowledged, committedBy, parsed, told } from './told.ts'

type Case = readonly [claim: string, ...lines: string[]]

/** `ack 1 a`: task a's snapshot of checkpoint 1 is stored; `end 2 a`: its last one, and it would have taken 2 next. */
const cases: readonly Case[] = [
  [
    'a checkpoint is committed once all tasks have acknowledged, then notified',
    'due -> trigger 1,',
    'ack 1 a',
    'ack 1 b -> commit 1: 1/a 1/b,',
    'committed 1 -> publish 1, notify 1, report 1 completed,',
  ],
  [
    'the one before is released once the next is durable',
    'due -> trigger 1,',
    'ack 1 a',
    'ack 1 b -> commit 1: 1/a 1/b,',
    'committed 1 -> publish 1, notify 1, report 1 completed,',
    'due -> trigger 2,',
    'ack 2 a',
    'ack 2 b -> commit 2: 2/a 2/b,',
    'committed 2 -> publish 2, notify 2, report 2 completed, release 1/a 1/b entry 11,',
  ],
  [
    "the schedule's request is dropped while one is under way",
    'due -> trigger 1,',
    'due',
    'ack 1 a',
    'ack 1 b -> commit 1: 1/a 1/b,',
    'due',
    'committed 1 -> publish 1, notify 1, report 1 completed,',
    'due -> trigger 2,',
  ],
  [
    "a user's request waits for the one under way, each for its own",
    'due -> trigger 1,',
    'user 7',
    'user 8',
    'ack 1 a',
    'ack 1 b -> commit 1: 1/a 1/b,',
    'committed 1 -> publish 1, notify 1, report 1 completed, trigger 2,',
    'decline 2 a -> abort 2, report 2 failed for 7, trigger 3,',
    'ack 3 b',
    'ack 3 a -> commit 3: 3/a 3/b,',
    'committed 3 -> publish 3, notify 3, report 3 completed for 8, release 1/a 1/b entry 11,',
  ],
  [
    'a declined checkpoint fails, and what it has written is released',
    'due -> trigger 1,',
    'ack 1 a',
    'decline 1 b -> abort 1, report 1 failed, release 1/a,',
    'due -> trigger 2,',
  ],
  [
    'a checkpoint that takes too long fails',
    'due -> trigger 1,',
    'ack 1 a',
    'expire 1 -> abort 1, report 1 failed, release 1/a,',
    'due -> trigger 2,',
  ],
  [
    'a last snapshot that cannot be written fails the job: nothing else could stand for its task',
    'due -> trigger 1,',
    'declineEnd 1 a -> abort 1, report 1 failed, failJob,',
  ],
  [
    'a checkpoint whose commit fails keeps its objects: the entry may be in the log all the same',
    'due -> trigger 1,',
    'ack 1 a',
    'ack 1 b -> commit 1: 1/a 1/b,',
    'commitFailed 1 -> abort 1, report 1 failed,',
  ],
  [
    'only the commit decides once it is under way: it may have taken place',
    'due -> trigger 1,',
    'ack 1 a',
    'ack 1 b -> commit 1: 1/a 1/b,',
    'expire 1',
    'decline 1 a',
    'committed 1 -> publish 1, notify 1, report 1 completed,',
  ],
  [
    'what comes for a checkpoint that is settled changes nothing',
    'due -> trigger 1,',
    'decline 1 a -> abort 1, report 1 failed,',
    'decline 1 b',
    'expire 1',
    'committed 1',
    'commitFailed 1',
    'due -> trigger 2,',
    'expire 1',
    'decline 1 b',
  ],
  [
    'a late acknowledgement is released, while a checkpoint is under way with its end: others may share its file',
    'due -> trigger 1,',
    'decline 1 a -> abort 1, report 1 failed,',
    'ack 1 b -> release 1/b,',
    'due -> trigger 2,',
    'ack 1 a',
    'ack 2 a',
    'ack 2 b -> commit 2: 2/a 2/b,',
    'committed 2 -> publish 2, notify 2, report 2 completed, release 1/a,',
  ],
  [
    'a task that has ended counts for every later checkpoint',
    'end 1 a',
    'due -> trigger 1,',
    'ack 1 b -> commit 1: ended/a 1/b,',
    'committed 1 -> publish 1, notify 1, report 1 completed,',
    'due -> trigger 2,',
    'ack 2 b -> commit 2: ended/a 2/b,',
    'committed 2 -> publish 2, notify 2, report 2 completed, release 1/b entry 11,',
  ],
  [
    'a task that ends without having taken it counts for the pending one',
    'due -> trigger 1,',
    'ack 1 b',
    'end 1 a -> commit 1: ended/a 1/b,',
  ],
  [
    'a task that ends after it has acknowledged is represented by that',
    'due -> trigger 1,',
    'ack 1 a',
    'end 2 a',
    'ack 1 b -> commit 1: 1/a 1/b,',
    'committed 1 -> publish 1, notify 1, report 1 completed,',
    'due -> trigger 2,',
    'ack 2 b -> commit 2: ended/a 2/b,',
  ],
  [
    'a task that ends while its snapshot is being written is represented by that',
    'due -> trigger 1,',
    'ack 1 b',
    'end 2 a',
    'ack 1 a -> commit 1: 1/a 1/b,',
    'committed 1 -> publish 1, notify 1, report 1 completed,',
    'due -> trigger 2,',
    'ack 2 b -> commit 2: ended/a 2/b,',
  ],
  [
    'a checkpoint that fails keeps the last snapshots of ended tasks',
    'due -> trigger 1,',
    'end 1 a',
    'decline 1 b -> abort 1, report 1 failed,',
    'due -> trigger 2,',
    'ack 2 b -> commit 2: ended/a 2/b,',
  ],
  [
    'when all have ended, one more checkpoint publishes, then the job is finished',
    'end 1 a',
    'end 1 b -> commit 1: ended/a ended/b,',
    'committed 1 -> publish 1, notify 1, report 1 completed, final,',
    'published 1 a',
    'published 1 b -> finished,',
  ],
  [
    'the last checkpoint waits for the one under way',
    'due -> trigger 1,',
    'ack 1 a',
    'end 2 a',
    'ack 1 b -> commit 1: 1/a 1/b,',
    'end 2 b',
    'committed 1 -> publish 1, notify 1, report 1 completed, commit 2: ended/a ended/b,',
    'committed 2 -> publish 2, notify 2, report 2 completed, final, release 1/a 1/b entry 11,',
    'published 1 a',
    'published 2 a',
    'published 2 b -> finished,',
  ],
  [
    'the last checkpoint comes after one that fails',
    'due -> trigger 1,',
    'ack 1 a',
    'end 2 a',
    'end 2 b',
    'decline 1 b -> abort 1, report 1 failed, release 1/a, commit 2: ended/a ended/b,',
    'ack 1 b',
  ],
  [
    'a checkpoint that all tasks ended before is the last one',
    'due -> trigger 1,',
    'end 1 a',
    'end 1 b -> commit 1: ended/a ended/b,',
    'committed 1 -> publish 1, notify 1, report 1 completed, final,',
    'published 1 b',
    'published 1 a -> finished,',
  ],
  [
    'once all have ended nothing more is triggered',
    'end 1 a',
    'end 1 b -> commit 1: ended/a ended/b,',
    'due',
    'user 7',
    'committed 1 -> publish 1, notify 1, report 1 completed, final,',
    'due',
    'user 8',
  ],
  [
    'if the last checkpoint fails, so does the job',
    'end 1 a',
    'end 1 b -> commit 1: ended/a ended/b,',
    'commitFailed 1 -> abort 1, report 1 failed, final, failJob,',
  ],
  [
    'a task that fails fails the job',
    'due -> trigger 1,',
    'failed a -> abort 1, report 1 failed, failJob,',
    'ack 1 b -> release 1/b,',
  ],
]

test.each(cases)('%s', (_, ...lines) => {
  expect(told(lines)).toEqual(lines)
})

test('so many completed checkpoints are kept as retainedCount says', () => {
  const lines = [1, 2, 3].flatMap(id => [
    `due -> trigger ${id},`,
    `ack ${id} a`,
    `ack ${id} b -> commit ${id}: ${id}/a ${id}/b,`,
    `committed ${id} -> publish ${id}, notify ${id}, report ${id} completed,${id === 3 ? ' release 1/a 1/b entry 11,' : ''}`,
  ])
  expect(told(lines, { retainedCount: 2 })).toEqual(lines)
})

test('the checkpoint restored from is kept until the next one is durable', () => {
  const tasks = [acknowledged('a', { checkpoint: 4 }), acknowledged('b', { checkpoint: 2, ended: true })]
  const part = finishedPart(
    { checkpoint: 4, entry: 14 },
    tasks.map(({ snapshot }) => snapshot),
  )
  const restored = { checkpoint: 4, parts: [part], dealtAnew: false }
  const ended = new Map([['b', acknowledged('b', { checkpoint: 2, ended: true })]])
  const lines = [
    'due -> trigger 5,',
    'decline 5 a -> abort 5, report 5 failed,',
    'due -> trigger 6,',
    'ack 6 a -> commit 6: 6/a ended/b,',
    'committed 6 -> publish 6, notify 6, report 6 completed, release 4/a entry 14,',
  ]
  expect(told(lines, { nextId: 5, restored, ended })).toEqual(lines)
})

test('a barrier carries what its request says', () => {
  const state = initialCheckpoints({ policy: global(), connected: [['a']], nextId: 3, retainedCount: 1 })
  const [, orders] = checkpoints(state, { kind: 'requested', alignment: 'unaligned', request: 1 }, 17)
  const barrier = { kind: 'barrier', checkpoint: 3, timestampMs: 17, alignment: 'unaligned', savepoint: false }
  expect(orders).toEqual([{ kind: 'trigger', barrier, asked: [['a']] }])
})

test('a report adds up what the tasks say, and its summary says where the time went', () => {
  let state = initialCheckpoints({ policy: global(), connected: [['a', 'b']], nextId: 1, retainedCount: 1 })
  const reports: unknown[] = []
  const events: [nowMs: number, CheckpointEvent][] = [
    [100, { kind: 'requested', alignment: 'aligned' }],
    [120, acknowledged('a', { checkpoint: 1 })],
    [
      125,
      {
        ...acknowledged('b', { checkpoint: 1 }),
        times: {
          startDelayMs: 1,
          alignmentMs: 12,
          processedDuringAlignment: 0,
          syncMs: 0,
          begunAtMs: 113,
          wholeAtMs: 113,
          asyncMs: 4,
        },
      },
    ],
    [130, { kind: 'committed', checkpoint: 1, entry: 2 }],
  ]
  for (const [nowMs, event] of events) {
    const [next, orders] = checkpoints(state, event, nowMs)
    state = next
    for (const of of orders) if (of.kind === 'report') reports.push(of.report)
  }
  expect(reports).toEqual([
    expect.objectContaining({
      id: 1,
      outcome: 'completed',
      triggeredAtMs: 100,
      durationMs: 30,
      stateBytes: 20,
      inFlightBytes: 10,
      inFlightRecords: 4,
      summary:
        'checkpoint 1 (aligned) took 30 ms and wrote 20 B of state and 4 records (10 B) in flight: 43 % of it was the time until b began; async 4.0 ms, commit 13 ms',
    }),
  ])
})

test('a report of a failure says why', () => {
  const lines: [CheckpointEvent[], string][] = [
    [[parsed('decline 1 a')], 'checkpoint 1 (aligned) failed after 40 ms: a declined: no'],
    [
      [parsed('ack 1 b'), parsed('expire 1')],
      'checkpoint 1 (aligned) failed after 40 ms: it was not complete in time; missing: a; 1 of 2 tasks had acknowledged, the last of them, b, after 4.0 ms',
    ],
  ]
  for (const [events, summary] of lines) {
    let state = initialCheckpoints({ policy: global(), connected: [['a', 'b']], nextId: 1, retainedCount: 1 })
    const said: string[] = []
    for (const event of [parsed('due'), ...events]) {
      const [next, orders] = checkpoints(state, event, event.kind === 'requested' ? 10 : 50)
      state = next
      for (const of of orders) if (of.kind === 'report') said.push(of.report.summary)
    }
    expect(said).toEqual([summary])
  }
})

/** A job around the function: tasks that take, write and end as they like, and a store that remembers what names what. */
class Job {
  readonly tasks = ['a', 'b', 'c']
  readonly #retainedCount: number
  #state: CheckpointsState
  /** Snapshots being written, in no order. */
  readonly #writing: Acknowledged[] = []
  /** Triggered, and not yet taken by these tasks. */
  #triggered: { readonly checkpoint: number; readonly tasks: Set<string> } | undefined
  /** The newest checkpoint that each task has taken. */
  readonly #taken = new Map<string, number>()
  readonly #ended = new Set<string>()
  readonly #stored = new Set<string>()
  readonly #released = new Set<string>()
  #committing: { readonly checkpoint: number; readonly objects: readonly string[] } | undefined
  readonly #durable: { readonly entry: number; readonly objects: readonly string[]; readonly isKnown: boolean }[] = []
  /** Of commits that failed. */
  readonly #leftToNextStart = new Set<string>()
  readonly #unpublished = new Set<string>()
  #finalId = 0
  finished = false

  constructor(retainedCount: number) {
    this.#retainedCount = retainedCount
    this.#state = initialCheckpoints({ policy: global(), connected: [this.tasks], nextId: 1, retainedCount })
  }

  hear(event: CheckpointEvent): void {
    const [next, orders] = checkpoints(this.#state, event, 0)
    this.#state = next
    for (const of of orders) this.#obey(of)
  }

  /** A task takes the barrier. */
  take(task: string): void {
    if (this.#triggered === undefined || !this.#triggered.tasks.delete(task) || this.#ended.has(task)) return
    const { checkpoint } = this.#triggered
    this.#taken.set(task, checkpoint)
    this.#writing.push(acknowledged(task, { checkpoint }))
  }

  end(task: string): void {
    if (this.#ended.has(task)) return
    this.#ended.add(task)
    this.#writing.push(acknowledged(task, { checkpoint: (this.#taken.get(task) ?? 0) + 1, ended: true }))
  }

  /** One that is being written is stored, or fails to be. */
  written(which: number, succeeds: boolean): void {
    if (this.#writing.length === 0) return
    const [event] = this.#writing.splice(which % this.#writing.length, 1) as [Acknowledged]
    const { checkpoint, snapshot } = event
    // Nothing stands in for a last snapshot that cannot be written.
    if (!succeeds && !snapshot.ended)
      return this.hear({ kind: 'declined', task: snapshot.task, ended: false, checkpoint, reason: 'no', cause: 'io' })
    for (const object of objectsOf(snapshot)) this.#stored.add(object)
    this.hear(event)
  }

  committed(becomes: 'durable' | 'failed' | 'durable, but failed'): void {
    const committing = this.#committing
    if (committing === undefined) return
    this.#committing = undefined
    const { checkpoint, objects } = committing
    if (becomes !== 'failed') this.#durable.push({ entry: checkpoint, objects, isKnown: becomes === 'durable' })
    if (becomes !== 'durable') {
      for (const object of objects) this.#leftToNextStart.add(object)
      return this.hear({ kind: 'commitFailed', checkpoint, reason: 'no' })
    }
    this.hear({ kind: 'committed', checkpoint, entry: checkpoint })
  }

  expire(): void {
    const checkpoint = this.#state.pending?.barrier.checkpoint
    if (checkpoint !== undefined) this.hear({ kind: 'expired', checkpoint })
  }

  /** All that is under way comes to its end; every task ends, takes, writes. */
  comeToRest(): void {
    for (let i = 0; i < 100 && !this.finished; i++) {
      for (const task of this.tasks) {
        this.take(task)
        this.end(task)
      }
      this.written(0, true)
      this.committed('durable')
      this.hear({ kind: 'published', tasks: [...this.#unpublished], checkpoint: this.#finalId })
    }
    while (this.#writing.length > 0) this.written(0, true)
    expect(this.finished).toBe(true)
    const kept = this.#kept.flatMap(({ objects }) => objects)
    const gone = new Set([...kept, ...this.#released, ...this.#leftToNextStart])
    expect([...this.#stored].filter(object => !gone.has(object))).toEqual([])
  }

  /** A restart begins at the newest entry, also if its commit is said to have failed. */
  get #kept() {
    const known = this.#durable.filter(({ isKnown }) => isKnown).slice(-this.#retainedCount)
    return [...known, ...this.#durable.slice(-1)]
  }

  #obey(of: CheckpointOrder): void {
    switch (of.kind) {
      case 'trigger':
        this.#triggered = { checkpoint: of.barrier.checkpoint, tasks: new Set(this.tasks) }
        return
      case 'abort':
        this.#triggered = undefined
        return
      case 'commit': {
        const tasks = of.parts.flatMap(part => part.tasks)
        for (const snapshot of tasks) {
          const { task, ended } = snapshot
          const [object] = objectsOf(snapshot)
          // The cut is one: a task that has taken this checkpoint stands in it as it was then.
          const tookIt = this.#taken.get(task) === of.checkpoint
          expect({ object, ended }).toEqual({
            object: tookIt ? `${of.checkpoint}/${task}` : `ended/${task}`,
            ended: !tookIt,
          })
        }
        expect(tasks.map(({ task }) => task).sort()).toEqual(this.tasks)
        this.#committing = { checkpoint: of.checkpoint, objects: committedBy(of) }
        return
      }
      case 'release': {
        const kept = this.#kept
        const named = new Set(
          [...kept, ...(this.#committing === undefined ? [] : [this.#committing])].flatMap(({ objects }) => objects),
        )
        for (const object of of.objects) {
          expect(named).not.toContain(object)
          expect(object).not.toMatch(/^ended/)
          expect(this.#stored).toContain(object)
          expect(this.#released).not.toContain(object)
          this.#released.add(object)
        }
        for (const entry of of.entries) expect(kept.map(durable => durable.entry)).not.toContain(entry)
        return
      }
      case 'report':
        if (of.report.kind !== 'final') return
        this.#finalId = of.report.id
        for (const task of this.tasks) this.#unpublished.add(task)
        return
      case 'finished':
        this.finished = true
        return
      case 'failJob':
        // Only the last checkpoint fails the job here; another attempt begins anew.
        this.finished = true
        return
      case 'publish':
      case 'notify':
      case 'refuse':
        return
    }
  }
}

test('nothing that is still named is ever released, all else is, and each cut is one', () => {
  const task = fc.constantFrom('a', 'b', 'c')
  const step: fc.Arbitrary<(job: Job) => void> = fc.oneof(
    { weight: 4, arbitrary: fc.constant((job: Job) => job.hear(parsed('due'))) },
    { weight: 1, arbitrary: fc.nat().map(n => (job: Job) => job.hear(parsed(`user ${n}`))) },
    { weight: 7, arbitrary: task.map(of => (job: Job) => job.take(of)) },
    { weight: 2, arbitrary: task.map(of => (job: Job) => job.end(of)) },
    {
      weight: 6,
      arbitrary: fc.tuple(fc.nat(20), fc.integer({ min: 0, max: 9 })).map(
        ([which, luck]) =>
          (job: Job) =>
            job.written(which, luck > 0),
      ),
    },
    {
      weight: 4,
      arbitrary: fc
        .constantFrom('durable' as const, 'durable' as const, 'failed' as const, 'durable, but failed' as const)
        .map(becomes => (job: Job) => job.committed(becomes)),
    },
    { weight: 1, arbitrary: fc.constant((job: Job) => job.expire()) },
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80, size: 'max' }), fc.constantFrom(1, 2), (steps, retainedCount) => {
      const job = new Job(retainedCount)
      for (const of of steps) if (!job.finished) of(job)
      if (!job.finished) job.comeToRest()
    }),
    { numRuns: 3_000 },
  )
})
