import { asyncScheduler } from 'rxjs'
import { type Job, memoryStore, type Pipeline, type RunOptions } from 'spillway'
import type { Environment } from 'spillway/testing'
import { expect, test } from 'vitest'
import { seeded } from '../../lib/testing/simulation/random.ts'
import { runIn } from '../run.ts'
import { promptHalves } from './channelForms.ts'
import { pipelines, sorted } from './exactlyOncePipelines.ts'
import { stoppedAndResumed, turnsOf } from './restored.ts'
import { unions } from './unions.ts'

const options = { parallelism: 2, checks: true, channels: { buffersMax: 2, bufferRecordsMax: 4 } }

const cases = Object.entries(pipelines).flatMap(([name, of]) =>
  (['aligned', 'unaligned'] as const).flatMap(alignment =>
    [true, false].map(halves => ({ name, of, alignment, halves })),
  ),
)

for (const [nth, { name, of, alignment, halves }] of cases.entries()) {
  const form = halves ? 'two halves' : 'one queue'
  test(`${name}, ${form}: ${alignment} checkpoints of turns from the first to the last are restored exactly once`, async () => {
    const undisturbed: unknown[] = []
    const turns = await turnsOf(of(undisturbed), { ...options, halves })
    expect(undisturbed.length).toBeGreaterThan(0)
    let resumed = 0
    const step = Math.max(1, Math.floor(turns / 40))
    // Each case has other turns.
    for (let turn = 1 + (nth % step); turn <= turns; turn += step) {
      const records: unknown[] = []
      // One sink for both runs: it stands for the outside world.
      const pipeline = of(records)
      if (await stoppedAndResumed(() => pipeline, { ...options, halves, turn, alignment })) resumed++
      expect(sorted(records), `stopped in turn ${turn}`).toEqual(sorted(undisturbed))
    }
    expect(resumed).toBeGreaterThan(turns / step / 2)
  })
}

/** Any ready task may be next, any turn may be used up, and channels may have two halves. */
const unpredictable = (random: () => number, onTurn: (turn: number) => void): Environment => {
  let [turn, nowMs] = [0, 0]
  return {
    scheduler: asyncScheduler,
    clock: () => {
      nowMs += random() / 2
      return nowMs
    },
    nextSlice: slice => void setImmediate(slice),
    choose: ready => {
      onTurn(++turn)
      return Math.floor(random() * ready)
    },
    sliceTurnsMax: 1 + Math.floor(random() * 6),
    ...(random() < 0.5 ? promptHalves : {}),
  }
}

/** Runs to the end through up to five crashes at random moments, with checkpoints of both kinds every so many turns. */
const throughCrashes = async (pipelinesOf: readonly Pipeline[], options: RunOptions, random: () => number) => {
  const store = memoryStore()
  for (let restarts = 0; ; restarts++) {
    const crashIn = restarts < 5 ? 1 + Math.floor(random() * 250) : Number.POSITIVE_INFINITY
    const every = 1 + Math.floor(random() * 60)
    const job: Job = runIn(
      unpredictable(random, turn => {
        const alignment = random() < 0.6 ? 'unaligned' : 'aligned'
        if (turn % every === 0) job.triggerCheckpoint({ alignment }).catch(() => {})
        if (turn === crashIn) setTimeout(() => void job.cancel(), 3 * random())
      }),
      pipelinesOf,
      { ...options, store },
    )
    const ended = await job.done.then(
      () => true,
      error => {
        if (error.code === 'CANCELLED') return false
        throw error
      },
    )
    if (ended) return
  }
}

const runs = 30
const firstSeed = Number(process.env.SEED ?? Math.floor(Math.random() * 1e9))

const unionsOf = Object.entries(unions).map(([name, { of }]) => [`a union of ${name}`, of] as const)

for (const [name, of] of [...Object.entries(pipelines), ...unionsOf]) {
  test(`${name}: exactly once through several crashes, whoever is next (SEED=${firstSeed})`, async () => {
    for (let seed = firstSeed; seed < firstSeed + runs; seed++) {
      const random = seeded(seed).next
      const settings = {
        parallelism: 1 + Math.floor(random() * 4),
        checks: true,
        channels: { buffersMax: 1 + Math.floor(random() * 3), bufferRecordsMax: 1 + Math.floor(random() * 5) },
      }
      const undisturbed: unknown[] = []
      await turnsOf(of(undisturbed), settings)
      const records: unknown[] = []
      await throughCrashes(of(records), settings, random)
      expect(sorted(records), `SEED=${seed}`).toEqual(sorted(undisturbed))
    }
  })
}
