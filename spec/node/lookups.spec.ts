import { spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'

const root = mkdtempSync(join(tmpdir(), 'spillway-lookups-'))
afterAll(() => rmSync(root, { recursive: true }))

const total = 3_000
const numbers = Array.from({ length: total }, (_, n) => n)

/** Runs the job in a process of its own, which is killed once so many checkpoints are complete. */
const run = (directory: string, options: readonly string[], killedAfter: number) =>
  new Promise<string>(resolve => {
    const job = join(import.meta.dirname, 'lookups.job.ts')
    const node = ['--import', 'tsx', '--conditions=@spillway/source', job, directory, `${total}`, ...options]
    const child = spawn(process.execPath, node, { stdio: ['ignore', 'pipe', 'inherit'] })
    let completed = 0
    child.stdout.on('data', data => {
      completed += String(data).split('completed').length - 1
      if (completed >= killedAfter) child.kill('SIGKILL')
    })
    child.on('close', (code, signal) => resolve(signal ?? String(code)))
  })

const numbersIn = (path: string): readonly number[] =>
  readFileSync(path, 'utf8')
    .split('\n')
    .filter(line => line !== '')
    .map(line => (line.startsWith('{') ? JSON.parse(line).n : Number(line)))

const published = (directory: string): readonly number[] =>
  readdirSync(join(directory, 'out'))
    .filter(file => !file.startsWith('.'))
    .sort()
    .flatMap(file => numbersIn(join(directory, 'out', file)))

test.each([
  { ordered: 'true', alignment: 'unaligned' },
  { ordered: 'false', alignment: 'aligned' },
])(
  'a process that is killed in the midst of lookups makes them again, and gives each result once: %o',
  async ({ ordered, alignment }) => {
    const directory = join(root, `${ordered}-${alignment}`)
    mkdirSync(directory)
    const options = [ordered, alignment]
    for (const killedAfter of [2, 4]) expect(await run(directory, options, killedAfter)).toBe('SIGKILL')
    expect(await run(directory, options, Number.POSITIVE_INFINITY)).toBe('0')
    const results = published(directory)
    expect(ordered === 'true' ? results : [...results].sort((a, b) => a - b)).toEqual(numbers)
    const calls = numbersIn(join(directory, 'calls'))
    expect(new Set(calls).size).toBe(total)
    expect(calls.length).toBeGreaterThan(total)
  },
  60_000,
)
