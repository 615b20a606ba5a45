import { SpillwayError } from 'spillway'
import { expect, test } from 'vitest'
import { seeded } from '../../lib/testing/simulation/random.ts'
import { LosingDisk, type Operation } from '../store/losingDisk.ts'
import { counted, directory, leftOn, Outside, ran, started } from './jobOnDisk.ts'

const remedies = {
  ENOSPC: 'Make room on the disk',
  EDQUOT: 'Make room on the disk',
  EIO: 'Check the disk',
  EMFILE: 'Raise the limit of open files',
} as const
const codes = Object.keys(remedies) as (keyof typeof remedies)[]

const seed = Number(process.env.SEED ?? Date.now() % 1_000_000)

test('whichever operation of a disk fails: the checkpoint does, naming place and remedy, the next succeeds, and nothing is left behind', async () => {
  const random = seeded(seed)
  /** Checkpoints that failed, with one behind them that did not. */
  let goneOn = 0
  for (let at = 1; ; at++) {
    const code = random.pick(codes)
    const when = random.pick(['before', 'behind'] as const)
    const disk = new LosingDisk()
    const outside = new Outside()
    const fault = (n: number) => (n === at ? { when, code } : undefined)
    const running = started(disk, { outside, fault, choose: random.below })
    const { ended, reports } = await ran(running)
    const of = running.operations[at - 1]
    if (of === undefined) break
    const where = `SEED=${seed}, operation ${at}: ${code} ${when} ${of.what} ${of.path}`
    const failed = reports.filter(({ outcome }) => outcome === 'failed')
    const [first] = failed
    if (first !== undefined && reports.indexOf(first) < reports.length - 1) goneOn++
    // What is deleted in the background may stay, and fails nothing.
    expect(failed.length, where).toBeLessThanOrEqual(isRemoval(of) ? 0 : 1)
    for (const { reason } of failed) expect(reason, where).toMatch(told(code))
    if (ended instanceof SpillwayError) {
      // Only the first entry and the last checkpoint have none behind them: the job fails, and the next start goes on.
      expect(ended.message, where).toMatch(told(code))
      expect(ended.code, where).toBe(reports.length === 0 ? 'STORE_FAILED' : 'CHECKPOINT_FAILED')
    } else {
      expect(outside.records.sort(), where).toEqual(counted)
    }
    const next = await ran(started(disk, { outside }))
    expect(next.ended, where).toBe('done')
    expect(outside.records.sort(), where).toEqual(counted)
    expect(await leftOn(disk), where).toEqual([])
  }
  expect(goneOn).toBeGreaterThan(50)
})

const isRemoval = ({ what }: Operation) => what === 'unlink' || what === 'rmdir'

const told = (code: keyof typeof remedies) =>
  new RegExp(`${directory}(/\\S+)?: failed with "${code}: .*" ?\\.? ?${remedies[code]}`)
