import { named, stream } from 'spillway'
import { collect, count, eventTime, fromArray, into, keyBy, rebalance, tumblingWindow } from 'spillway/operators'
import { simulate } from 'spillway/testing'
import { expect, test } from 'vitest'

const firstSeed = Number(process.env.SEED ?? Math.floor(Math.random() * 1e9))
const schedules = 200

interface Sample {
  readonly key: number
  readonly n: number
}
/** Every seventh is late. */
const timeOf = ({ n }: Sample): number => n - (n % 7 === 6 ? 30 : 0)

const job = () => {
  const samples = Array.from({ length: 240 }, (_, n) => ({ key: n % 5, n }))
  const windows = stream(fromArray<Sample>(samples, { splits: 5 })).pipe(
    eventTime({ timeMs: timeOf, outOfOrderMs: 4 }),
    rebalance(),
    keyBy(({ key }) => key),
    tumblingWindow({ sizeMs: 10, late: 'side' }, count()),
  )
  return [windows.pipe(named('windows', into(collect()))), windows.side('late').pipe(named('late', into(collect())))]
}

test(`windows and late records are the same at parallelism 1, 2, 4 and 7 and from one to another (SEED=${firstSeed})`, () => {
  let rescaled = 0
  for (let seed = firstSeed; seed < firstSeed + schedules; seed++) {
    const { met } = simulate(job, {
      seed,
      parallelism: [1, 2, 4, 7][seed % 4] as number,
      alignment: seed % 8 < 4 ? 'aligned' : 'unaligned',
      faults: [
        { kind: 'crash', phase: 'publishing', after: seed % 3 },
        { kind: 'otherParallelism', phase: 'restoring', after: 0 },
        { kind: 'crash', phase: 'flowing', after: seed % 30 },
      ],
      shrink: false,
    })
    if (met.some(({ kind }) => kind === 'otherParallelism')) rescaled++
  }
  expect(rescaled).toBeGreaterThan(schedules / 10)
}, 120_000)
