import { filter, map } from 'rxjs'
import { TestScheduler } from 'rxjs/testing'
import { type CheckpointOrder, type CoordinateEvent, regional } from 'spillway'
import { coordinate } from 'spillway/operators'
import { expect, test } from 'vitest'
import { storedAs } from '../storedAs.ts'

/** `ack 1 a`, `decline 1 a`, `committed 1`, `request`. */
const event = (line: string): CoordinateEvent => {
  const [kind, number, task = ''] = line.split(' ')
  const checkpoint = Number(number)
  switch (kind) {
    case 'ack':
      return {
        kind: 'acknowledged',
        checkpoint,
        snapshot: storedAs(line, { task }),
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
      }
    case 'decline':
      return { kind: 'declined', task, ended: false, checkpoint, reason: 'no', cause: 'declined' }
    case 'committed':
      return { kind, checkpoint, entry: checkpoint }
    default:
      return { kind: 'requested', request: checkpoint, alignment: 'aligned' }
  }
}

/** With all tasks that it is said to; a commit with the first task of each part. */
const said = (order: CheckpointOrder): string => {
  switch (order.kind) {
    case 'trigger':
      return `trigger ${order.barrier.checkpoint}`
    case 'commit': {
      const parts = order.parts.map(({ tasks: [first] }) => ` ${first?.task}`).join('')
      return `commit ${order.checkpoint}${parts}${order.completes === undefined ? '' : ' complete'}`
    }
    case 'publish':
    case 'notify':
    case 'abort':
      return `${order.kind} ${order.checkpoint} ${order.tasks}`
    case 'report':
      return `${order.report.outcome} ${order.report.id}`
    default:
      return order.kind
  }
}

interface Case {
  /** Default: a and b, c and d. */
  readonly connected?: readonly (readonly string[])[]
  readonly in: string
  readonly out: string
  readonly means: Readonly<Record<string, string>>
}

const first = {
  ...{ u: 'request', a: 'ack 1 a', b: 'ack 1 b', c: 'ack 1 c', d: 'ack 1 d', x: 'committed 1' },
  ...{ T: 'trigger 1', C: 'commit 1 a', P: 'publish 1 a,b', D: 'commit 1 c complete', Q: 'publish 1 c,d' },
  ...{ N: 'notify 1 a,b,c,d', O: 'completed 1' },
}
const second = {
  ...{ v: 'request', e: 'ack 2 a', f: 'ack 2 b', g: 'ack 2 c', n: 'decline 2 d', y: 'committed 2' },
  ...{
    U: 'trigger 2',
    A: 'abort 2 c,d',
    E: 'commit 2 a complete',
    R: 'publish 2 a,b',
    M: 'notify 2 a,b',
    S: 'completed 2',
  },
}
const single = Array.from({ length: 40 }, (_, i) => [`t${i}`])

const cases: Readonly<Record<string, Case>> = {
  'a region publishes once it is committed, and does not wait for the others': {
    in: ' -uabxcdx----|',
    out: '-T-CP-D(QNO)|',
    means: first,
  },
  'tasks of a failed region are told of the abort of its part, and of no completion': {
    in: ' -uabxcdx----vnefy----|',
    out: '-T-CP-D(QNO)UA-E(RMS)|',
    means: { ...first, ...second },
  },
  'what a failed region says later changes nothing': {
    in: ' -uabxcdx----vngnefy----|',
    out: '-T-CP-D(QNO)UA---E(RMS)|',
    means: { ...first, ...second },
  },
  'a region that has finished is not failed by one of its tasks any more': {
    in: ' -uabxncdx----|',
    out: '-T-CP--D(QNO)|',
    means: { ...first, n: 'decline 1 a' },
  },
  'the time fails the regions that are silent, and no other': {
    in: ' -uabx-----------------|',
    out: '-T-CP------(XF)-------|',
    means: { ...first, X: 'abort 1 c,d', F: 'failed 1' },
  },
  'a part waits 50 ms for others to share its commit': {
    connected: single,
    in: ' -ua 30ms b 30ms |',
    out: '-T 50ms C 11ms |',
    means: { u: 'request', a: 'ack 1 t0', b: 'ack 1 t1', T: 'trigger 1', C: 'commit 1 t0 t1' },
  },
  'and no longer than until they are a sixteenth of all': {
    connected: single,
    in: ' -uabc-|',
    out: '-T--C-|',
    means: { ...{ u: 'request', a: 'ack 1 t0', b: 'ack 1 t1', c: 'ack 1 t2' }, T: 'trigger 1', C: 'commit 1 t0 t1 t2' },
  },
}

const pairs = [
  ['a', 'b'],
  ['c', 'd'],
]

test.each(Object.entries(cases))('%s', (_, { connected = pairs, in: marbles, out, means }) => {
  const scheduler = new TestScheduler((actual, expected) => expect(actual).toEqual(expected))
  scheduler.run(({ hot, expectObservable }) => {
    const policy = regional({ failedRatioMax: 0.5, consecutiveFailuresMax: 2 })
    const orders$ = hot(marbles.trim(), means).pipe(
      map(event),
      coordinate({ connected, policy, scheduler, timeoutMs: connected === pairs ? 10 : 100 }),
      filter(({ kind }) => kind !== 'release'),
      map(said),
    )
    expectObservable(orders$).toBe(out, means)
  })
})
