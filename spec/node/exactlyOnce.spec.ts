import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'

const total = 40_000
const children: ChildProcess[] = []
let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'spillway-job-'))
})
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
  rmSync(directory, { recursive: true, force: true })
})

interface Started {
  /** Once so many checkpoints have been completed; rejects if it ends before. */
  completed(count: number): Promise<void>
  readonly ended: Promise<string>
  signal(signal: NodeJS.Signals): void
}

/** A process that runs the job, waiting so long after each hundred numbers; a task of it fails after each `failEvery` hundreds. */
const started = (pauseMs: number, failEvery = 0): Started => {
  const job = join(import.meta.dirname, 'exactlyOnce.job.ts')
  const args = [
    '--import',
    'tsx',
    '--conditions=@spillway/source',
    job,
    directory,
    `${total}`,
    `${pauseMs}`,
    `${failEvery}`,
  ]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  children.push(child)
  let output = ''
  const told = new Set<() => void>()
  child.stdout.on('data', data => {
    output += String(data)
    for (const tell of told) tell()
  })
  const ended = new Promise<string>(resolve => {
    child.on('close', (_, signal) => {
      resolve(signal ?? (output.trimEnd().split('\n').at(-1) as string))
      for (const tell of told) tell()
    })
  })
  return {
    completed: count =>
      new Promise((resolve, reject) => {
        const tell = () => {
          if ((output.match(/^completed/gm) ?? []).length >= count) resolve()
          else if (child.exitCode !== null) reject(new Error(`it ended too early: ${output}`))
        }
        told.add(tell)
        tell()
      }),
    ended,
    signal: signal => void child.kill(signal),
  }
}

const published = () =>
  readdirSync(join(directory, 'out'))
    .filter(name => /^part-.*\.ndjson$/.test(name))
    .flatMap(name =>
      readFileSync(join(directory, 'out', name), 'utf8')
        .split('\n')
        .slice(0, -1)
        .map(Number),
    )
    .sort((a, b) => a - b)

const numbers = Array.from({ length: total }, (_, n) => n)
/** At this pace no process gets to its end. */
const slowMs = 200

test.each([1, 2, 5, 9])(
  'a job that is stopped after %i checkpoints, succeeded by another, and goes on, stops with FENCED, and the output is exact',
  async checkpoints => {
    const first = started(slowMs)
    await first.completed(checkpoints)
    first.signal('SIGSTOP')
    const second = started(0)
    expect(await second.ended).toBe('done')
    first.signal('SIGCONT')
    expect(await first.ended).toBe('FENCED')
    expect(published()).toEqual(numbers)
  },
  60_000,
)

test('also if it goes on while the other is running, and whenever it was stopped', async () => {
  let before = started(slowMs)
  for (let round = 1; round <= 4; round++) {
    await before.completed(1)
    await new Promise(later => setTimeout(later, 3 * round))
    before.signal('SIGSTOP')
    const next = started(slowMs)
    await next.completed(2)
    before.signal('SIGCONT')
    expect(await before.ended).toBe('FENCED')
    before = next
  }
  before.signal('SIGKILL')
  expect(await before.ended).toBe('SIGKILL')
  expect(await started(0).ended).toBe('done')
  expect(published()).toEqual(numbers)
}, 60_000)

test('tasks that fail again and again are restarted in the process, which is killed twice: the output is exact', async () => {
  for (const checkpoints of [2, 3]) {
    const killed = started(20, 11)
    await killed.completed(checkpoints)
    killed.signal('SIGKILL')
    expect(await killed.ended).toBe('SIGKILL')
  }
  expect(await started(0, 37).ended).toBe('done')
  expect(published()).toEqual(numbers)
}, 60_000)
