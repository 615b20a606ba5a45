import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'

const inRepository = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url))

test('a savepoint is read, gone on with by the next version, and mended', async () => {
  const args = ['--import', 'tsx', '--conditions=@spillway/source', inRepository('examples/3-inspect.ts')]
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: inRepository('.') })
  const lines = stdout.trimEnd().split('\n')
  expect(lines.at(-1)).toBe('77 landings before noon, 147 after it, 43 airports')
  expect(lines).toContain('ORD: 8 landings, 1.8 minutes late')
  expect(stdout).toMatch(
    /1 kept, 1 migrated, 1 new: lateness\/sum migrated from version 1 to 2, timesLate\/times new$/m,
  )
}, 60_000)
