import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { firstValueFrom, lastValueFrom } from 'rxjs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { fileStore } from '../../lib/node/fileStore.ts'
import { readContainer } from '../../lib/snapshot/container.ts'
import type { Store } from '../../lib/store/store.ts'
import { type Random, seeded } from '../../lib/testing/simulation/random.ts'
import { built, filesIn, killedOnce } from './killed.ts'

const folder = mkdtempSync(join(tmpdir(), 'spillway-killed-'))
let program: string
beforeAll(async () => {
  program = await built('spec/store/killed.writer.ts', folder)
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** Reads all that there is; what the newest entry names has to be there. Gives its number. */
const newestIn = async (store: Store): Promise<number> => {
  const objects = await firstValueFrom(store.list(''))
  for (const object of objects) readContainer(await firstValueFrom(store.get(object)), { object, encoding: 'none' })
  let names: readonly string[] = []
  const entries = await firstValueFrom(store.entries())
  for (const n of entries) {
    const [chunk] =
      readContainer(await firstValueFrom(store.entry(n)), { object: `entry ${n}`, encoding: 'none' }).get('names') ?? []
    names = new TextDecoder().decode(chunk).split('\n')
  }
  expect(objects).toEqual(expect.arrayContaining([...names]))
  return entries.at(-1) ?? 0
}

const killedAgainAndAgain = async (directory: string, { kills, random }: { kills: number; random: Random }) => {
  let [durable, inTheMiddle] = [0, 0]
  for (let kill = 1; kill <= kills; kill++) {
    const written = random.below(3)
    const after = (lines: readonly string[]) => lines.length > written
    const said = await killedOnce([program, directory], { after, afterMs: random.below(15) })
    const last = Number(said.at(-1) === 'begun' ? 0 : (said.at(-1) ?? 0))
    expect(await newestIn(fileStore(directory)), `kill ${kill}`).toBeGreaterThanOrEqual(last)
    durable += said.length - 1
    if (filesIn(join(directory, 'tmp')).length > 0) inTheMiddle++
  }
  return { durable, inTheMiddle }
}

const seed = Number(process.env.SEED ?? Date.now() % 1_000_000)

test('after each of 200 kills at random moments of writing all that is listed is whole, and all that was said to be durable is there', async () => {
  const random = seeded(seed)
  const lanes = await Promise.all(
    [1, 2].map(async lane => {
      const directory = join(folder, `${lane}`)
      const counts = await killedAgainAndAgain(directory, { kills: 100, random: random.fork() }).catch(error => {
        throw new Error(`SEED=${seed}: ${error.message}`)
      })
      // The next start's first entry sweeps away what was unfinished.
      const next = fileStore(directory)
      await lastValueFrom(next.append(1_000_000, new Uint8Array(1)))
      expect(filesIn(join(directory, 'tmp'))).toEqual([])
      return counts
    }),
  )
  for (const { durable, inTheMiddle } of lanes) {
    expect(durable).toBeGreaterThan(10)
    expect(inTheMiddle).toBeGreaterThan(10)
  }
}, 300_000)
