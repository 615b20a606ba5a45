import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'

const total = 20_000
const numbers = Array.from({ length: total }, (_, n) => n)
const children: ChildProcess[] = []
let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'spillway-regions-'))
})
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
  rmSync(directory, { recursive: true, force: true })
})

interface Files {
  readonly region: number
  readonly checkpoint: number
  readonly numbers: readonly number[]
}

const published = (): readonly Files[] =>
  readdirSync(join(directory, 'out')).flatMap(name => {
    const [, region, checkpoint] = /^part-e\d+-s(\d+)-c(\d+)\.ndjson$/.exec(name) ?? []
    if (region === undefined) return []
    const lines = readFileSync(join(directory, 'out', name), 'utf8')
      .split('\n')
      .slice(0, -1)
    return [{ region: Number(region), checkpoint: Number(checkpoint), numbers: lines.map(Number) }]
  })

/** Runs the job until it ends, or until something holds of what it has said and published; then it is killed. */
const ran = (args: readonly string[], until: (output: string) => boolean = () => false): Promise<string> =>
  new Promise(resolve => {
    const job = join(import.meta.dirname, 'regional.job.ts')
    const node = ['--import', 'tsx', '--conditions=@spillway/source', job, directory, `${total}`, ...args]
    const child = spawn(process.execPath, node, { stdio: ['ignore', 'pipe', 'inherit'] })
    children.push(child)
    let output = ''
    child.stdout.on('data', data => {
      output += String(data)
    })
    const looking = setInterval(() => {
      if (until(output)) child.kill('SIGKILL')
    }, 10)
    child.on('close', (_, signal) => {
      clearInterval(looking)
      resolve(signal ?? (output.trimEnd().split('\n').at(-1) as string))
    })
  })

const newest = (region: number): number =>
  Math.max(0, ...published().flatMap(of => (of.region === region ? [of.checkpoint] : [])))
const completedIn = (output: string): number =>
  Number(
    output
      .match(/^completed (\d+)/gm)
      ?.at(-1)
      ?.split(' ')[1] ?? 0,
  )

/** Each region's output by itself: the numbers of its split, each once, as far as it has come. */
const expectExact = (isWhole: boolean): void => {
  for (const region of [0, 1, 2, 3]) {
    const of = published()
      .filter(files => files.region === region)
      .flatMap(files => files.numbers)
      .sort((a, b) => a - b)
    const split = numbers.slice((region * total) / 4, ((region + 1) * total) / 4)
    expect(of).toEqual(isWhole ? split : split.slice(0, of.length))
  }
}

test('killed between the parts of three regions and the outcome of their checkpoint, each goes on from its own', async () => {
  const isBetween = (output: string) => {
    const completed = completedIn(output)
    return completed >= 2 && [0, 1, 2].every(region => newest(region) > completed) && newest(3) <= completed
  }
  expect(await ran(['silent'], isBetween)).toBe('SIGKILL')
  expectExact(false)
  // Otherwise nothing has been shown.
  expect(Math.min(newest(0), newest(1), newest(2))).toBeGreaterThan(newest(3))
  expect(await ran(['well'])).toBe('done')
  expectExact(true)
}, 30_000)

test('killed after too many regions have failed, the one that finished its part has published it, and goes on from it', async () => {
  const hasFailed = (output: string) => {
    const failed = Number(/^failed (\d+) too-many-regions/m.exec(output)?.[1] ?? 0)
    return failed > 0 && newest(0) >= failed
  }
  expect(await ran(['refusing'], hasFailed)).toBe('SIGKILL')
  expectExact(false)
  expect(newest(0)).toBeGreaterThan(Math.max(newest(1), newest(2), newest(3)))
  expect(await ran(['well'])).toBe('done')
  expectExact(true)
}, 30_000)

test('parts of different checkpoints are gone on from at another parallelism', async () => {
  const isMixed = (output: string) => completedIn(output) >= 2 && newest(0) > newest(3)
  expect(await ran(['silent'], isMixed)).toBe('SIGKILL')
  expect(await ran(['well', '3'])).toBe('done')
  const all = published()
    .flatMap(files => files.numbers)
    .sort((a, b) => a - b)
  expect(all).toEqual(numbers)
}, 30_000)
