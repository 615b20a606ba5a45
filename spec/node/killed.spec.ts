import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { firstValueFrom, toArray } from 'rxjs'
import { readCheckpoint, SpillwayError } from 'spillway'
import { fileStore } from 'spillway/node'
import { afterAll, expect, test } from 'vitest'
import { found } from '../../lib/runtime/restore.ts'
import { msgpackEncoding } from '../../lib/snapshot/encoding.ts'
import { seeded } from '../../lib/testing/simulation/random.ts'
import { built, filesIn, killedOnce, saidBy } from '../store/killed.ts'

const folder = mkdtempSync(join(tmpdir(), 'spillway-killed-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** The newest checkpoint that a start would go on from. */
const newestIn = async (directory: string): Promise<number> => {
  const reading = { restore: 'latest', retainedCount: 1, sinks: [], encoding: msgpackEncoding(), readsMax: 4 } as const
  const { restored } = await firstValueFrom(found(fileStore(directory), reading))
  return restored?.checkpoint ?? 0
}

const publishedIn = (directory: string): readonly { readonly n: number; readonly count: number }[] =>
  filesIn(directory)
    .filter(name => /^part-.*\.ndjson$/.test(name))
    .flatMap(name => readFileSync(join(directory, name), 'utf8').split('\n').slice(0, -1))
    .map(line => JSON.parse(line))
    .sort((a, b) => a.n - b.n)

const seed = Number(process.env.SEED ?? Date.now() % 1_000_000)

test('a job that is killed 20 times at random moments has each time what it had said to be durable, and its output is exact', async () => {
  const random = seeded(seed)
  const directory = join(folder, 'job')
  const checkpoints = join(directory, 'checkpoints')
  const program = await built('spec/node/killed.job.ts', folder)
  for (let kill = 1; kill <= 20; kill++) {
    const completed = random.below(4)
    const after = (lines: readonly string[]) => lines.length > completed
    const said = await killedOnce([program, directory], { after, afterMs: random.below(15) })
    const last = Number(said.findLast(line => line.startsWith('completed'))?.split(' ')[1] ?? 0)
    expect(await newestIn(checkpoints), `SEED=${seed}, kill ${kill}`).toBeGreaterThanOrEqual(last)
  }
  // The last one has nothing more to read.
  expect((await saidBy([program, directory, '0'])).at(-1)).toBe('done')
  const published = publishedIn(join(directory, 'out'))
  expect(published.length).toBeGreaterThan(0)
  expect(published, `SEED=${seed}`).toEqual(published.map((_, i) => ({ n: 100 * i + 99, count: 2 * i + 2 })))
  expect(filesIn(join(checkpoints, 'tmp'))).toEqual([])
}, 120_000)

/** Of the keys in a savepoint, what they have counted together; undefined: it is none. */
const countedIn = async (directory: string): Promise<number | undefined> => {
  try {
    const { keyed } = await readCheckpoint(fileStore(directory))
    const entries = await firstValueFrom(keyed<{ count: number }>('scan', 'accumulator').pipe(toArray()))
    return entries.reduce((sum, { value }) => sum + value.count, 0)
  } catch (error) {
    if (error instanceof SpillwayError && error.code === 'CHECKPOINT_NOT_FOUND') return undefined
    throw error
  }
}

test('a job that is killed 20 times in the middle of savepoints leaves whole ones or none, and goes on without them', async () => {
  const random = seeded(seed)
  const directory = join(folder, 'savepoints')
  const program = await built('spec/node/killed.job.ts', folder)
  let partial = 0
  for (let kill = 1; kill <= 20; kill++) {
    const puts = 1 + random.below(4)
    const after = (lines: readonly string[]) => lines.filter(line => line.startsWith('putting')).length >= puts
    const args = [program, directory, 'Infinity', join(directory, `sp${kill}`)]
    const said = await killedOnce(args, { after, afterMs: random.below(6) })
    for (const line of said.filter(one => one.startsWith('into'))) {
      const into = line.slice('into '.length)
      const counted = await countedIn(into)
      if (said.includes(`whole ${into}`)) expect(counted, `SEED=${seed}, kill ${kill}`).toBeGreaterThan(0)
      if (counted === undefined) partial += Number(filesIn(into).length > 0)
    }
  }
  expect(partial, `SEED=${seed}: none was in the middle`).toBeGreaterThan(0)
  expect((await saidBy([program, directory, '0'])).at(-1)).toBe('done')
  const published = publishedIn(join(directory, 'out'))
  expect(published, `SEED=${seed}`).toEqual(published.map((_, i) => ({ n: 100 * i + 99, count: 2 * i + 2 })))
}, 120_000)
