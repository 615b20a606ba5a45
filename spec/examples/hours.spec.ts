import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'

const inRepository = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url))

test('the landings of a day are whole by the hour, through a stop', async () => {
  const args = ['--import', 'tsx', '--conditions=@spillway/source', inRepository('examples/2-hours.ts')]
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: inRepository('.') })
  const lines = stdout.trimEnd().split('\n')
  expect(lines.at(-1)).toBe('224 landings in 24 hours')
  expect(lines.filter(line => / is whole: \d+ landings/.test(line))).toHaveLength(24)
  expect(lines).toContain('12:30  stopped, and started again')
  // The first landings after nine are there when the checkpoint at ten past says that the hour is whole.
  expect(stdout).toMatch(/^09:10 {2}hour=2001-01-02T08Z is whole/m)
}, 60_000)
