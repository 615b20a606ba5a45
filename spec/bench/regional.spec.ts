import { global, regional } from 'spillway'
import { expect, test } from 'vitest'
import { type CountOptions, chance, countRegions } from '../../bench/countRegions.ts'
import { withFileStore } from '../../bench/withFileStore.ts'

/** The bench in small: its regions fail so often that as few global checkpoints are complete, 60.6 %. */
const regions = 200
const policy = regional({ failedRatioMax: 0.5, consecutiveFailuresMax: 2 })
const fails = chance(1 / 400, 1)

/** Regions that fail, and checkpoints in which any does, of so many; the same at every run. */
const planned = (checkpoints: number) => {
  const failed = Array.from(
    { length: checkpoints },
    (_, i) => Array.from({ length: regions }, (__, region) => region).filter(region => fails(region, i + 1)).length,
  )
  return {
    parts: failed.reduce((sum, count) => sum + count, 0),
    checkpoints: failed.filter(count => count > 0).length,
  }
}

const taken = async (of: Omit<CountOptions, 'regions'>) => {
  const { tookMs: _, ...counted } = await countRegions({ regions, ...of })
  return counted
}

const nothingWrong = { unexpected: [], lost: 0, duplicated: 0 }
const goesOn = { ...nothingWrong, stopped: undefined }

test('what is planned is about as likely as it should be', () => {
  const { parts, checkpoints } = planned(1_000)
  expect(parts / 1_000).toBeCloseTo(regions / 400, 1)
  expect(1 - checkpoints / 1_000).toBeCloseTo((1 - 1 / 400) ** regions, 1)
})

test('global checkpoints fail with any region, and every record is published once', async () => {
  const failed = planned(60).checkpoints
  const counted = await taken({ policy: global(), checkpoints: 60, fails })
  expect(counted).toMatchObject({ ...goesOn, taken: 60, completed: 60 - failed })
})

test('regional checkpoints are complete, name the regions that failed, and every record is published once', async () => {
  const counted = await taken({ policy, checkpoints: 60, fails })
  expect(counted).toMatchObject({ ...goesOn, taken: 60, completed: 60, failedParts: planned(60).parts })
})

test('on files too', async () => {
  const counted = await withFileStore(store => taken({ policy, checkpoints: 20, fails, store }))
  expect(counted).toMatchObject({ ...goesOn, taken: 20, completed: 20, failedParts: planned(20).parts })
})

test.each<[string, number, CountOptions['fails'], object]>([
  ['half of the regions may fail together', 5, (region, at) => at === 3 && region < 100, { completed: 5 }],
  [
    'more than half stop the job, and its next start publishes the rest',
    5,
    (region, at) => at === 3 && region <= 100,
    { taken: 3, completed: 2, reasons: { 'too-many-regions': 1 }, stopped: expect.stringContaining('101 of 200') },
  ],
  ['a region may fail twice in a row', 5, (region, at) => region === 0 && at % 3 > 0, { completed: 5 }],
  [
    'one that fails three times stops the job, and its next start publishes the rest',
    5,
    region => region === 0,
    {
      taken: 3,
      completed: 2,
      reasons: { 'region-stale': 1 },
      stopped: expect.stringContaining('carried over 2 times'),
    },
  ],
])('%s', async (_, checkpoints, which, expected) => {
  const counted = await taken({ policy, checkpoints, fails: which, tolerableFailures: 0 })
  expect(counted).toMatchObject({ ...nothingWrong, ...expected })
})
