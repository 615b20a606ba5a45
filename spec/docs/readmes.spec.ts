import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'

const root = fileURLToPath(new URL('../../', import.meta.url))
const foldersIn = (folder: string): readonly string[] =>
  readdirSync(join(root, folder), { withFileTypes: true })
    .filter(entry => entry.isDirectory())
    .map(({ name }) => `${folder}/${name}`)

const folders = ['lib', ...foldersIn('lib'), 'lib/testing/picture', 'operators']
const linesMax = 25

describe.each(folders)('%s', folder => {
  const path = join(root, folder, 'README.md')
  const readme = existsSync(path) ? readFileSync(path, 'utf8') : ''
  const here = readdirSync(join(root, folder)).filter(name => name.endsWith('.ts'))

  test(`has a README of at most ${linesMax} lines`, () => {
    expect(readme).toMatch(/^# \S/)
    expect(readme.trimEnd().split('\n').length).toBeLessThanOrEqual(linesMax)
  })

  test('whose README names every file in it', () => {
    expect(here.length).toBeGreaterThan(0)
    expect(here.filter(name => !namedIn(readme).includes(name))).toEqual([])
  })

  test('whose README names no file that is gone', () => {
    const isThere = (name: string) => [folder, 'lib', '.'].some(base => existsSync(join(root, base, name)))
    expect(namedIn(readme).filter(name => !isThere(name))).toEqual([])
  })

  test('whose README says what it may import and what is not here', () => {
    expect(readme).toMatch(/may import/i)
    expect(readme).toContain('Deliberately not here')
  })
})

test('names of files are found in backquotes, with their folders', () => {
  expect(namedIn('`a.ts`, `lib/b/c.ts`: `d`, e.ts, `f.spec.ts`')).toEqual(['a.ts', 'lib/b/c.ts', 'f.spec.ts'])
})

function namedIn(readme: string): readonly string[] {
  return Array.from(readme.matchAll(/`([\w./-]+\.ts)`/g), ([, name]) => name as string)
}
