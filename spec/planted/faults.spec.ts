import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { planted } from './faults.ts'
import { foundLast } from './found.ts'

const root = fileURLToPath(new URL('../../', import.meta.url))

test.each(planted.map(of => [of.what, of] as const))('%s: the patch applies', (_, { file, from, to, spec }) => {
  expect(readFileSync(join(root, file), 'utf8').split(from)).toHaveLength(2)
  expect(to).not.toBe(from)
  if (spec !== undefined) expect(existsSync(join(root, spec))).toBe(true)
})

test('each is planted once, and docs/planted-faults.md says what finds it', () => {
  const names = planted.map(({ what }) => what)
  expect(new Set(names).size).toBe(names.length)
  const rows = [...foundLast(readFileSync(join(root, 'docs/planted-faults.md'), 'utf8'))]
  const found = rows.map(([what, by]) => [what, by.kind === 'spec' ? by.spec : undefined])
  expect(found.sort()).toEqual(planted.map(({ what, spec }) => [what, spec]).sort())
})
