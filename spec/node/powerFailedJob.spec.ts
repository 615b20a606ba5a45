import { expect, test } from 'vitest'
import { seeded } from '../../lib/testing/simulation/random.ts'
import { LosingDisk } from '../store/losingDisk.ts'
import { counted, directory, Outside, ran, started } from './jobOnDisk.ts'

const seed = Number(process.env.SEED ?? Date.now() % 1_000_000)

test('after a power failure at any step of a job the next run goes on from the newest checkpoint that was completed, and each result is published once', async () => {
  const random = seeded(seed)
  let objects = 0
  for (let killedAt = 1, isOver = false; !isOver; killedAt++) {
    const where = `SEED=${seed}, killed at operation ${killedAt}`
    const disk = new LosingDisk()
    const outside = new Outside()
    const before = await ran(started(disk, { outside, killedAt, choose: random.below }))
    isOver = before.ended === 'done'
    const completed = before.reports.filter(({ outcome }) => outcome === 'completed')
    objects = Math.max(objects, disk.filesBelow(`${directory}/objects`).length)
    // All that may be lost is, or some of it.
    const left = disk.afterPowerFailure(random.chance(0.5) ? () => 0 : random.below)
    const after = await ran(started(left, { outside, choose: random.below }))
    expect(after.ended, where).toBe('done')
    expect(after.resumedFrom, where).toBeGreaterThanOrEqual(completed.at(-1)?.id ?? 0)
    expect(outside.records.sort(), where).toEqual(counted)
    expect(left.filesBelow(`${directory}/tmp`), where).toEqual([])
  }
  expect(objects).toBeGreaterThan(2)
})
