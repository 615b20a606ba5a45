import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { criticalPath, explained } from '../../lib/coordination/criticalPath.ts'
import type { TaskReport } from '../../lib/coordination/report.ts'

const none = {
  ...{ ended: false, unaligned: false, startDelayMs: 0, alignmentMs: 0, processedDuringAlignment: 0, begunMs: 0 },
  ...{ lastBarrierMs: 0, wholeMs: 0, syncMs: 0, asyncMs: 0, stateBytes: 0, inFlightBytes: 0, inFlightRecords: 0 },
}

/** A task that begins, and is whole, as its last barrier comes; `behind`: buffers in that one's channel. */
const task = (
  name: string,
  of: {
    readonly at: number
    readonly from?: string
    readonly behind?: number
    readonly sync?: number
    readonly async?: number
    readonly held?: number
    readonly begun?: number
    readonly ended?: boolean
  },
): TaskReport => ({
  ...none,
  task: name,
  begunMs: of.begun ?? of.at,
  lastBarrierMs: of.at,
  startDelayMs: of.at,
  wholeMs: of.at + (of.sync ?? 0) + (of.held ?? 0),
  syncMs: of.sync ?? 0,
  asyncMs: of.async ?? 0,
  ended: of.ended ?? false,
  ...(of.from === undefined ? {} : { lastBarrier: { from: of.from, buffers: of.behind } }),
})

const sentence = (durationMs: number, ...tasks: readonly TaskReport[]) =>
  explained(criticalPath({ durationMs, tasks }), durationMs)

test.each<[string, string, readonly [number, ...TaskReport[]]]>([
  [
    'the barrier that waits behind buffers',
    '91 % of it was the barrier waiting behind 37 buffers between parse/0 and cart/1; until parse/0 began 200 ms, sync 60 ms, async 60 ms, commit 60 ms',
    [
      4_200,
      task('0:parse/0', { at: 200 }),
      task('1:cart/1', { at: 4_020, from: '0:parse/0', behind: 37, sync: 60, async: 60 }),
    ],
  ],
  [
    'a source that begins late, and the way through several tasks',
    '80 % of it was the time until source/0 began; barrier from source/0 to map/0 50 ms, barrier from map/0 to sink/0 50 ms, async 100 ms',
    [
      1_000,
      task('0:source/0', { at: 800 }),
      task('1:map/0', { at: 850, from: '0:source/0', behind: 1 }),
      task('2:sink/0', { at: 900, from: '1:map/0', behind: 0, async: 100 }),
    ],
  ],
  [
    'one buffer, and a channel of which nothing is known',
    '60 % of it was the barrier waiting behind 1 buffer between a/0 and b/0; barrier from b/0 to c/0 40 ms',
    [
      100,
      task('0:a/0', { at: 0 }),
      task('1:b/0', { at: 60, from: '0:a/0', behind: 1 }),
      task('2:c/0', { at: 100, from: '1:b/0' }),
    ],
  ],
  [
    'the task that answers last, not the one that begins last',
    '90 % of it was writing the snapshot of b/0; commit 100 ms',
    [1_000, task('0:a/0', { at: 500 }), task('1:b/0', { at: 0, async: 900 })],
  ],
  [
    'a long synchronous phase',
    '70 % of it was taking the snapshot of a/0; async 30 ms',
    [100, task('0:a/0', { at: 0, sync: 70, async: 30 })],
  ],
  [
    'what is held up until its own barrier has left',
    '90 % of it was waiting for what was in flight to a/0; sync 10 ms',
    [100, task('0:a/0', { at: 0, sync: 10, held: 90 })],
  ],
  ['the log', '99 % of it was making it durable; async 10 ms', [1_000, task('0:a/0', { at: 0, async: 10 })]],
  [
    'the last checkpoint, made of what had ended',
    '100 % of it was making it durable',
    [5, task('0:a/0', { at: 0, ended: true })],
  ],
  [
    'a task that had begun before its last barrier: nothing is known of the one that it began with',
    '70 % of it was writing the snapshot of c/0; until b/0 began 20 ms, barrier from b/0 to c/0 10 ms',
    [
      100,
      task('0:a/0', { at: 0 }),
      task('1:b/0', { at: 50, from: '0:a/0', begun: 20 }),
      task('2:c/0', { at: 30, from: '1:b/0', async: 70 }),
    ],
  ],
])('it says: %s', (_, says, [durationMs, ...tasks]) => {
  expect(sentence(durationMs, ...tasks)).toBe(says)
})

test('what the figures do not explain is said, from a twentieth on', () => {
  const late = { ...task('0:a/0', { at: 10 }), wholeMs: 0, asyncMs: 0 }
  const legs = criticalPath({ durationMs: 100, tasks: [late] }).filter(({ kind }) => kind !== 'commit')
  expect(explained(legs, 100)).toBe(
    '10 % of it was the time until a/0 began; 90 % of it is not explained by these figures',
  )
  expect(explained([{ kind: 'commit', ms: 96 }], 100)).toBe('96 % of it was making it durable')
  expect(explained([{ kind: 'commit', ms: 94 }], 100)).toContain('6 % of it is not explained')
})

describe('whatever the figures', () => {
  const figure = fc.nat({ max: 1_000 })
  const chain = fc.array(fc.record({ wait: figure, sync: figure, held: figure, async: figure }), {
    minLength: 1,
    maxLength: 6,
  })

  test('of tasks that begin with their last barrier the legs sum to the duration', () => {
    fc.assert(
      fc.property(chain, figure, (links, commit) => {
        let at = 0
        const tasks = links.map(({ wait, sync, held, async }, i) => {
          at += wait
          return task(`${i}:t/0`, { at, sync, held, async, ...(i === 0 ? {} : { from: `${i - 1}:t/0`, behind: 1 }) })
        })
        const durationMs = Math.max(...tasks.map(({ wholeMs, asyncMs }) => wholeMs + asyncMs)) + commit
        const legs = criticalPath({ durationMs, tasks })
        expect(legs.reduce((sum, { ms }) => sum + ms, 0)).toBe(durationMs)
      }),
    )
  })
})
