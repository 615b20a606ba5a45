import { parseArgs } from 'node:util'
import { large, runSeed, type Sizes, small } from './cases.ts'
import { Coverage } from './coverage.ts'

/**
 * `npm run -s simulate -- [--runs N] [--seed N] [--minutes M] [--as-found]`: as many generated jobs, from this seed on; ends with
 * the first failure, made as short as can be unless it is wanted as found, or after so many minutes.
 */
const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '2000' },
    seed: { type: 'string', default: String(Math.floor(Math.random() * 1e9)) },
    minutes: { type: 'string', default: 'Infinity' },
    'as-found': { type: 'boolean', default: false },
  },
})
const [runsMax, firstSeed, minutes] = [Number(values.runs), Number(values.seed), Number(values.minutes)]
if (![runsMax, firstSeed, minutes].every(n => n >= 0) || !Number.isInteger(firstSeed)) {
  throw new Error('--runs, --seed and --minutes take numbers of at least 0')
}

const coverage = new Coverage()

interface Totals {
  runs: number
  checkpoints: number
  starts: number
  restarts: number
}

/** Runs until the number is reached or time is up; exits where one fails. */
const simulated = async (sizes: Sizes, options: { runs: number; untilMs: number }): Promise<Totals> => {
  const totals: Totals = { runs: 0, checkpoints: 0, starts: 0, restarts: 0 }
  for (; totals.runs < options.runs && performance.now() < options.untilMs; totals.runs++) {
    // Lets the promises of the runs before settle, which hold all that they have held.
    await new Promise(resolve => setImmediate(resolve))
    const failure = runSeed(
      firstSeed + totals.runs,
      sizes,
      run => {
        coverage.add(run)
        totals.checkpoints += run.checkpoints
        totals.starts += run.starts
        totals.restarts += run.restarts
      },
      { shrink: !values['as-found'] },
    )
    if (failure === undefined) continue
    console.error(`FAILED after ${totals.runs + 1} runs. Again: npm run -s simulate -- --runs 1 --seed ${failure.seed}`)
    console.error(
      `${values['as-found'] ? 'the case' : 'the shortest case found'}: ${JSON.stringify(failure.case)}\n\n${failure.message}`,
    )
    process.exit(1)
  }
  return totals
}

const least = 20
const runsWithRule = 2000

const begunMs = performance.now()
const totals = await simulated(large, { runs: runsMax, untilMs: begunMs + minutes * 60_000 })
const seconds = (performance.now() - begunMs) / 1000
console.log(
  `${totals.runs} jobs from seed ${firstSeed}, ${totals.checkpoints} checkpoints, ${totals.starts} starts, ${totals.restarts} restarts of failed tasks: all as meant`,
)
console.log(`in ${seconds.toFixed(0)} s, ${(totals.runs / seconds).toFixed(0)} runs a second\n`)
console.log(`${coverage.table}\n`)

const rare = coverage.below(least)
if (totals.runs >= runsWithRule && rare.length > 0) {
  console.error(`FAILED: met fewer than ${least} times: ${rare.join(', ')}`)
  process.exit(1)
}

const smallRuns = Math.min(runsMax, 300)
const smallBegunMs = performance.now()
await simulated(small, { runs: smallRuns, untilMs: Number.POSITIVE_INFINITY })
const smallSeconds = (performance.now() - smallBegunMs) / 1000
console.log(
  `small jobs (at most 3 stages, parallelism 2, 200 records, one crash): ${(smallRuns / smallSeconds).toFixed(0)} a second`,
)
