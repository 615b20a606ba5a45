import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'

const directory = mkdtempSync(join(tmpdir(), 'spillway-hoursKilled-'))
afterAll(() => rmSync(directory, { recursive: true, force: true }))
const out = join(directory, 'out')

const total = 1_800

const minutesOf = (hour: number) => Array.from({ length: 60 }, (_, n) => 60 * hour + n)

interface Hour {
  readonly hour: number
  readonly minutes: readonly number[]
  readonly isWhole: boolean
}

const published = (): readonly Hour[] =>
  (existsSync(out) ? readdirSync(out) : [])
    .filter(name => name.startsWith('hour='))
    .map(name => {
      const files = readdirSync(join(out, name))
      const minutes = files
        .filter(file => file.endsWith('.ndjson'))
        .flatMap(file =>
          readFileSync(join(out, name, file), 'utf8')
            .split('\n')
            .slice(0, -1),
        )
      return {
        hour: Date.parse(`${name.slice(5, 18)}:00Z`) / 3_600_000,
        minutes: minutes.map(Number).sort((a, b) => a - b),
        isWhole: files.includes('_SUCCESS'),
      }
    })

const wholeHours = () => published().filter(({ isWhole }) => isWhole)

/** Runs the job to its end, or until something holds of what is published; then it is killed. */
const ran = (parallelism: number, until: () => boolean = () => false): Promise<string> =>
  new Promise(resolve => {
    const job = join(import.meta.dirname, 'hours.job.ts')
    const args = ['--import', 'tsx', '--conditions=@spillway/source', job, directory, `${total}`, `${parallelism}`]
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
    const looking = setInterval(() => {
      if (until()) child.kill('SIGKILL')
    }, 3)
    let output = ''
    child.stdout.on('data', data => {
      output += String(data)
    })
    child.on('close', (_, signal) => {
      clearInterval(looking)
      resolve(signal ?? output.trim())
    })
  })

test('hours that are said to be whole are, also of a process that is killed at once when one is, and started with other tasks', async () => {
  for (const parallelism of [2, 2, 3]) {
    const before = wholeHours().length
    expect(await ran(parallelism, () => wholeHours().length > before)).toBe('SIGKILL')
    for (const { hour, minutes } of wholeHours()) expect(minutes).toEqual(minutesOf(hour))
  }
  expect(await ran(2)).toBe('done')
  const all = Array.from({ length: total / 60 }, (_, hour) => ({ hour, minutes: minutesOf(hour), isWhole: true }))
  expect(published().toSorted((a, b) => a.hour - b.hour)).toEqual(all)
}, 60_000)
