import { global, regional } from 'spillway'
import type { Bench, Options } from './bench.ts'
import { type Counted, type CountOptions, chance, countRegions } from './countRegions.ts'
import { collectGarbage, quantile } from './measure.ts'
import { withFileStore } from './withFileStore.ts'

/** What becomes of 5,000 regions whose snapshots fail now and then, with a global policy and with a regional one. */
export const regionalBench: Bench<'global' | 'regional' | 'files' | 'together' | 'always' | 'most'> = {
  about: '5,000 regions whose snapshots fail with probability 1/10,000: global and regional checkpoints',
  options:
    '[--regions 5000] [--global 2000] [--regional 3000] [--files 100] [--together 50] [--probability 0.0001] [--seed 1]',
  parts: {
    global: options => counted(options, { policy: global(), checkpoints: countOf(options, 'global', 2_000) }),
    regional: options => counted(options, { checkpoints: countOf(options, 'regional', 3_000) }),
    files: options => withFileStore(store => counted(options, { checkpoints: countOf(options, 'files', 100), store })),
    /** A tenth of all regions fails together, in every tenth checkpoint. */
    together: options =>
      counted(options, {
        checkpoints: countOf(options, 'together', 50),
        fails: (region, checkpoint) => checkpoint % 10 === 0 && region * 10 < regionsOf(options),
      }),
    /** One region never succeeds again: it is carried over twice. */
    always: options => counted(options, { checkpoints: 6, fails: region => region === 0, tolerableFailures: 0 }),
    /** More than half of the regions fail, in the third checkpoint. */
    most: options =>
      counted(options, {
        checkpoints: 6,
        fails: (region, checkpoint) => checkpoint === 3 && region * 2 <= regionsOf(options),
        tolerableFailures: 0,
      }),
  },

  async measure(part, options) {
    const ofAll: Measured = await part('global')
    const ofRegions: Measured = await part('regional')
    const onFiles: Measured = await part('files')
    const together: Measured = await part('together')
    const always: Measured = await part('always')
    const most: Measured = await part('most')
    const theory = (1 - probabilityOf(options)) ** regionsOf(options)
    const all = [ofAll, ofRegions, onFiles, together, always, most]
    const figures = {
      globalRate: ofAll.completed / ofAll.taken,
      globalRateInTheory: theory,
      regionalRate: ofRegions.completed / ofRegions.taken,
      partRate: 1 - ofRegions.failedParts / (ofRegions.taken * regionsOf(options)),
      partRateInTheory: 1 - probabilityOf(options),
      checkpointP50Ms: quantile(ofRegions.tookMs, 0.5),
      checkpointOnFilesP50Ms: quantile(onFiles.tookMs, 0.5),
      bytesPerIdleTask: ofRegions.bytesPerIdleTask,
      togetherRate: together.completed / together.taken,
      lost: all.reduce((sum, { lost }) => sum + lost, 0),
      duplicated: all.reduce((sum, { duplicated }) => sum + duplicated, 0),
    }
    console.log(`global: ${percent(figures.globalRate)} of ${ofAll.taken} complete (${percent(theory)} in theory)`)
    console.log(
      `regional: ${percent(figures.regionalRate)} of ${ofRegions.taken} complete, ${ofRegions.failedParts} parts failed`,
    )
    console.log(`a tenth that fails together: ${percent(figures.togetherRate)} of ${together.taken} complete`)
    console.log(`one that always fails: ${always.stopped}\nhalf that fails: ${most.stopped}`)
    check('the share of complete global checkpoints is that of the theory', isNear(figures.globalRate, theory, ofAll))
    check('every regional checkpoint is complete', figures.regionalRate === 1 && figures.togetherRate === 1)
    check(
      'reports name the regions that failed',
      all.every(({ unexpected }) => unexpected.length === 0),
    )
    check('consecutiveFailuresMax stops the job', always.taken === 3 && always.reasons['region-stale'] === 1)
    check('failedRatioMax stops the job', most.taken === 3 && most.reasons['too-many-regions'] === 1)
    check('every record is published once', figures.lost === 0 && figures.duplicated === 0)
    return figures
  },
}

interface Measured extends Counted {
  readonly bytesPerIdleTask: number
}

const counted = async (
  options: Options,
  of: Omit<CountOptions, 'regions' | 'policy' | 'fails'> & Partial<Pick<CountOptions, 'policy' | 'fails'>>,
): Promise<Measured> => {
  const regions = regionsOf(options)
  const before = live()
  let bytesPerIdleTask = 0
  const result = await countRegions({
    regions,
    policy: regional({ failedRatioMax: 0.5, consecutiveFailuresMax: 2 }),
    fails: chance(probabilityOf(options), Number(options.get('seed') ?? 1)),
    onIdle: () => {
      bytesPerIdleTask = (live() - before) / (2 * regions)
    },
    progress: console.error,
    ...of,
  })
  return { ...result, bytesPerIdleTask }
}

/** Within three standard deviations: 3.3 points of 2,000 checkpoints. */
const isNear = (rate: number, theory: number, { taken }: Counted): boolean =>
  Math.abs(rate - theory) <= 3 * Math.sqrt((theory * (1 - theory)) / taken)

const check = (claim: string, holds: boolean): void => {
  if (!holds) throw new Error(`it does not hold that ${claim}`)
}

const regionsOf = (options: Options) => Number(options.get('regions') ?? 5_000)
const probabilityOf = (options: Options) => Number(options.get('probability') ?? 1 / 10_000)
const countOf = (options: Options, name: string, otherwise: number) => Number(options.get(name) ?? otherwise)
const percent = (share: number) => `${(100 * share).toFixed(2)} %`

const live = (): number => {
  collectGarbage()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}
