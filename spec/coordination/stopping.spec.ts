import { describe, expect, test } from 'vitest'
import { regional } from '../../lib/coordination/policy.ts'
import { fixedDelay } from '../../lib/coordination/restarts.ts'
import { told } from './told.ts'

type Case = readonly [claim: string, ...lines: string[]]

/** `wants 7 save stop`: request 7, for a savepoint that the job stops with. Tasks a and b are joined. */
const cases: readonly Case[] = [
  [
    'a savepoint is made of a completed checkpoint, and is kept until it is, whatever is released meanwhile',
    'wants 7 save -> trigger 1 as savepoint,',
    'ack 1 a',
    'ack 1 b -> commit 1: 1/a 1/b,',
    'committed 1 -> publish 1, notify 1, report 1 completed for 7, save 1 for 7,',
    'due -> trigger 2,',
    'ack 2 a',
    'ack 2 b -> commit 2: 2/a 2/b,',
    'committed 2 -> publish 2, notify 2, report 2 completed,',
    'saved 7 -> release 1/a 1/b entry 11,',
  ],
  [
    'one that cannot be made is kept no longer',
    'wants 7 save -> trigger 1 as savepoint,',
    'ack 1 a',
    'ack 1 b -> commit 1: 1/a 1/b,',
    'committed 1 -> publish 1, notify 1, report 1 completed for 7, save 1 for 7,',
    'saveFailed 7',
    'due -> trigger 2,',
    'ack 2 a',
    'ack 2 b -> commit 2: 2/a 2/b,',
    'committed 2 -> publish 2, notify 2, report 2 completed, release 1/a 1/b entry 11,',
  ],
  [
    'a savepoint comes before the checkpoints that wait',
    'due -> trigger 1,',
    'user 6',
    'wants 7 save',
    'decline 1 a -> abort 1, report 1 failed, trigger 2 as savepoint,',
    'decline 2 a -> abort 2, report 2 failed for 7, trigger 3,',
  ],
  [
    'a job stops once its last checkpoint is published; what waits is refused, and nothing is begun',
    'wants 7 stop -> trigger 1 as savepoint and stop,',
    'user 8',
    'ack 1 a',
    'ack 1 b -> commit 1: 1/a 1/b,',
    'committed 1 -> publish 1, notify 1, report 1 completed for 7, refuse 8 stopping,',
    'due',
    'user 9 -> refuse 9 stopping,',
    'drain 10 -> refuse 10 stopping,',
    'published 1 a',
    'published 1 b -> finished,',
  ],
  [
    'also when its tasks have ended meanwhile',
    'wants 7 stop -> trigger 1 as savepoint and stop,',
    'ack 1 a',
    'ack 1 b -> commit 1: 1/a 1/b,',
    'committed 1 -> publish 1, notify 1, report 1 completed for 7,',
    'end 2 a',
    'end 2 b',
    'published 1 a',
    'published 1 b -> finished,',
  ],
  [
    'a savepoint of a job that stops is made of what is published',
    'wants 7 save stop -> trigger 1 as savepoint and stop,',
    'ack 1 a',
    'ack 1 b -> commit 1: 1/a 1/b,',
    'committed 1 -> publish 1, notify 1, report 1 completed for 7,',
    'published 1 a',
    'published 1 b -> save what is published for 7,',
    'saved 7 -> finished,',
  ],
  [
    'if it cannot be made the job goes on, and may be stopped again',
    'wants 7 save stop -> trigger 1 as savepoint and stop,',
    'ack 1 a',
    'ack 1 b -> commit 1: 1/a 1/b,',
    'committed 1 -> publish 1, notify 1, report 1 completed for 7,',
    'published 1 a',
    'published 1 b -> save what is published for 7,',
    'saveFailed 7 -> resume,',
    'wants 8 stop -> trigger 2 as savepoint and stop,',
    'ack 2 a',
    'ack 2 b -> commit 2: 2/a 2/b,',
    'committed 2 -> publish 2, notify 2, report 2 completed for 8, release 1/a 1/b entry 11,',
    'published 2 b',
    'published 2 a -> finished,',
  ],
  [
    'a job whose last checkpoint fails goes on',
    'wants 7 save stop -> trigger 1 as savepoint and stop,',
    'ack 1 a',
    'decline 1 b -> abort 1, report 1 failed for 7, release 1/a,',
    'due -> trigger 2,',
  ],
  [
    'a drained job ends as any other, with a savepoint of what is published',
    'drain 7 save -> drain,',
    'user 8 -> trigger 1,',
    'end 1 a',
    'end 1 b -> commit 1: ended/a ended/b,',
    'committed 1 -> publish 1, notify 1, report 1 completed, final for 8,',
    'published 1 a',
    'published 1 b -> save what is published for 7,',
    'saveFailed 7 -> finished,',
  ],
  [
    'a job that ends waits for the savepoint that is being made',
    'wants 7 save -> trigger 1 as savepoint,',
    'ack 1 a',
    'ack 1 b -> commit 1: 1/a 1/b,',
    'committed 1 -> publish 1, notify 1, report 1 completed for 7, save 1 for 7,',
    'end 2 a',
    'end 2 b -> commit 2: ended/a ended/b,',
    'committed 2 -> publish 2, notify 2, report 2 completed, final,',
    'published 2 a',
    'published 2 b',
    'saved 7 -> release 1/a 1/b entry 11, finished,',
  ],
]

test.each(cases)('%s', (_, ...lines) => {
  expect(told(lines)).toEqual(lines)
})

describe('of several regions', () => {
  const policy = regional({ failedRatioMax: 1, consecutiveFailuresMax: 9 })
  const ofRegions: readonly Case[] = [
    [
      'a savepoint is one commit',
      'wants 7 save -> trigger 1 as savepoint,',
      'ack 1 a',
      'ack 1 b -> commit 1: 1/a 1/b,',
      'committed 1 -> publish 1, notify 1, report 1 completed for 7, save 1 for 7,',
    ],
    [
      'none is carried over into a savepoint: all tasks are told that it is aborted',
      'due -> trigger 1,',
      'ack 1 a -> commit 1: 1/a,',
      'committed 1 -> publish 1,',
      'ack 1 b -> commit 1: 1/b,',
      'committed 1 -> publish 1, notify 1, report 1 completed,',
      'wants 7 save -> trigger 2 as savepoint,',
      'ack 2 a',
      'decline 2 b -> abort 2, report 2 failed for 7, release 2/a,',
    ],
  ]
  const restart = fixedDelay({ delayMs: 50, attemptsMax: 2 })
  const restarted: readonly Case[] = [
    [
      'none is begun while some tasks do not run',
      'failed b -> stop b for 50,',
      'wants 7 save -> report 1 failed for 7,',
    ],
    [
      'tasks that fail while the job stops have published once they have been restarted',
      'wants 7 stop -> trigger 1 as savepoint and stop,',
      'ack 1 a',
      'ack 1 b -> commit 1: 1/a 1/b,',
      'committed 1 -> publish 1, notify 1, report 1 completed for 7,',
      'published 1 a',
      'failed b -> stop b for 50,',
      'restartDue b -> beginEpoch b,',
      'epochBegun b -> restart b from 1,',
      'restarted b -> finished,',
    ],
  ]
  test.each(restarted)('%s', (_, ...lines) => {
    expect(told(lines, { policy, connected: [['a'], ['b']], restart })).toEqual(lines)
  })
  test.each(ofRegions)('%s', (_, ...lines) => {
    expect(told(lines, { policy, connected: [['a'], ['b']] })).toEqual(lines)
  })
})
