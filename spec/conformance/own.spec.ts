import { describe, expect, test } from 'vitest'
import { suites } from './suites.ts'

/** What the README of the cases says and none of the given cases needs. */
describe('cases of our own', () => {
  const pool = (options: object, steps: readonly (readonly [does: string, expected: object])[]) => ({
    ...{ size: 1, channels: 2, perChannelMax: 9, overdraftMax: 0, ...options },
    steps: steps.map(([does, expected]) => ({ do: does, ...expected })),
  })
  const bounds = { minSize: 1, maxSize: 10_000, samples: 3, startSize: 1_000 }
  const size = (options: object, steps: readonly object[]) => ({
    ...{ kind: 'size', ...bounds, targetMs: 1_000, thresholdPercent: 30, ...options },
    steps,
  })
  const throughput = (...steps: readonly (string | readonly [does: string, out: number])[]) => ({
    kind: 'throughput',
    steps: steps.map(step => (typeof step === 'string' ? { do: step } : { do: step[0], out: step[1] })),
  })

  const cases: readonly [claim: string, suite: string, of: object][] = [
    [
      'overdraft counts for the limit of its channel',
      'buffer-pool',
      pool({ perChannelMax: 2, overdraftMax: 1 }, [
        ['request 0', { out: 'granted', available: false }],
        ['request 0', { out: 'granted', available: false, overdraft: 1 }],
        ['resize 5', { available: false, overdraft: 0 }],
        ['release 0', { available: true }],
      ]),
    ],
    [
      'a pool that has shrunk grants again once fewer than its maximum are overdraft',
      'buffer-pool',
      pool({ size: 4, overdraftMax: 1 }, [
        ...Array.from({ length: 4 }, () => ['request 0', { out: 'granted', overdraft: 0 }] as const),
        ['resize 2', { overdraft: 2 }],
        ['request 1', { out: 'refused', overdraft: 2 }],
        ['release 0', { overdraft: 1 }],
        ['request 1', { out: 'refused', overdraft: 1 }],
        ['release 0', { overdraft: 0, available: false }],
        ['request 1', { out: 'granted', overdraft: 1 }],
      ]),
    ],
    [
      'what a step of a pool does not name is not checked',
      'buffer-pool',
      pool({}, [
        ['request 0', {}],
        ['release 0', { available: true }],
      ]),
    ],
    [
      'what a step of a size or an average does not name is not checked',
      'debloat',
      size({}, [{ throughput: 800, buffersInUse: 1 }]),
    ],
    [
      'the average moves also where nothing is announced',
      'debloat',
      size({}, [
        { throughput: 800, buffersInUse: 1, out: null },
        { throughput: 800, buffersInUse: 1, out: null },
        { throughput: 400, buffersInUse: 1, out: 625 },
      ]),
    ],
    [
      'a size at most doubles in a step',
      'debloat',
      size({ samples: 1, startSize: 100 }, [
        { throughput: 1_000_000, buffersInUse: 1, out: 200 },
        { throughput: 1_000_000, buffersInUse: 1, out: 400 },
      ]),
    ],
    [
      'the total is cut to whole units',
      'debloat',
      size({ samples: 1, startSize: 20, targetMs: 100 }, [{ throughput: 59, buffersInUse: 1, out: 5 }]),
    ],
    [
      'the threshold is cut to whole units',
      'debloat',
      size({ samples: 1, startSize: 10, thresholdPercent: 25 }, [
        { throughput: 11, buffersInUse: 1, out: null },
        { throughput: 12, buffersInUse: 1, out: 12 },
      ]),
    ],
    [
      'an average is rounded halves up',
      'debloat',
      { kind: 'ema', ...bounds, samples: 1, startSize: 10, steps: [{ total: 21, buffersInUse: 2, out: 11 }] },
    ],
    [
      'no total is no error, nor is one buffer',
      'debloat',
      { kind: 'ema', ...bounds, samples: 1, startSize: 10, steps: [{ total: 0, buffersInUse: 1, out: 1 }] },
    ],
    [
      'active time that ends in idle time is measured there',
      'debloat',
      throughput('busy', 'advance 5', 'add 10', 'idle', 'advance 90', ['measure', 2_000]),
    ],
    [
      'time that is active since before the last measurement counts only from it',
      'debloat',
      throughput('busy', 'advance 90', ['measure', 0], 'add 10', 'advance 10', ['measure', 1_000]),
    ],
  ]
  test.each(cases)('%s', (_, suite, of) => {
    expect(suites[suite]?.(of)()).toEqual([])
  })
})
