import { filter, firstValueFrom } from 'rxjs'
import type { Job } from 'spillway'
import { expect, test } from 'vitest'
import { seeded } from '../../lib/testing/simulation/random.ts'
import { LosingDisk, type Process } from '../store/losingDisk.ts'
import { counted, directory, Outside, started } from './jobOnDisk.ts'

/** Takes checkpoints until it is killed or done; gives the newest that has completed. */
const ranUntilKilled = async (disk: LosingDisk, outside: Outside, process: Process) => {
  const { job, killed } = started(disk, { outside, ...process })
  let newest = 0
  job.checkpoints$.subscribe(({ id, outcome }) => {
    if (outcome === 'completed') newest = id
  })
  const over = Promise.race([job.done.then(() => 'done'), killed])
  await Promise.race([running(job), killed])
  const triggered = async () => {
    for (;;) await job.triggerCheckpoint()
  }
  triggered().catch(() => {})
  const isOver = (await over) === 'done'
  await job.cancel()
  await job.done.catch(() => {})
  return { isOver, newest }
}

const running = (job: Job) => firstValueFrom(job.status$.pipe(filter(status => status.kind === 'running')))

const seed = Number(process.env.SEED ?? Date.now() % 1_000_000)

test('after a power failure at any step of a job the next run goes on from the newest that was completed, and each result is published once', async () => {
  const random = seeded(seed)
  let objects = 0
  for (let killedAt = 1, isOver = false; !isOver; killedAt++) {
    const disk = new LosingDisk()
    const outside = new Outside()
    const before = await ranUntilKilled(disk, outside, { killedAt, choose: random.below })
    isOver = before.isOver
    objects = Math.max(objects, disk.filesBelow(`${directory}/objects`).length)
    // All that may be lost is, or some of it.
    const left = disk.afterPowerFailure(random.chance(0.5) ? () => 0 : random.below)
    const { job } = started(left, { outside, choose: random.below })
    const status = await running(job)
    const where = `SEED=${seed}, killed at operation ${killedAt}`
    expect(status.resumedFrom?.checkpoint ?? 0, where).toBeGreaterThanOrEqual(before.newest)
    await job.done
    expect(outside.records.sort(), where).toEqual(counted)
    expect(left.filesBelow(`${directory}/tmp`), where).toEqual([])
  }
  expect(objects).toBeGreaterThan(2)
})
