import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { basename, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { markdown, moduleOf, type Page, printedOf } from './markdown.ts'

/**
 * The examples of README.md and docs/: all `ts` blocks of a page, in order, are one module, which must compile; all of them
 * that are marked `ts run` are another, which must print the `text` blocks behind them. Lines keep their numbers, so that
 * the compiler names the line of the page.
 */
const root = fileURLToPath(new URL('../../', import.meta.url))
const cache = join(root, '.cache')
mkdirSync(cache, { recursive: true })
/** Inside the repository, so that `spillway` and its dependencies resolve as they do for a user. */
const folder = mkdtempSync(join(cache, 'docs-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const docs = readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })
const pages: readonly Page[] = ['README.md', ...docs.map(name => join('docs', name))]
  .filter(name => name.endsWith('.md'))
  .map(name => markdown(name, readFileSync(join(root, name), 'utf8')))
  .filter(({ blocks }) => blocks.some(({ language }) => language === 'ts'))

const wrong = markdown('wrong.md', "# Wrong\n\n```ts\nimport { run } from 'spillway'\n\nrun(3)\n```\n")

interface Outcome {
  readonly output: string
  readonly errors: string
}

const command = (cwd: string, file: string, args: readonly string[]): Promise<Outcome> =>
  new Promise(resolve => {
    execFile(process.execPath, [file, ...args], { cwd, maxBuffer: 2 ** 26 }, (error, output, errors) =>
      resolve({ output, errors: error === null ? errors : `${error.message}\n${errors}` }),
    )
  })

const tool = (name: string, file: string) => join(root, 'node_modules', name, file)
const moduleName = ({ name }: Page, kind: 'all' | 'run') => `${name.replaceAll(/[\\/]/g, '-')}.${kind}.ts`
const write = (page: Page, kind: 'all' | 'run') =>
  writeFileSync(join(folder, moduleName(page, kind)), moduleOf(page, kind))

describe('the examples compile', () => {
  let found: readonly string[]

  beforeAll(async () => {
    for (const page of [...pages, wrong]) write(page, 'all')
    const compilerOptions = { noUnusedLocals: false, noUnusedParameters: false }
    const files = [...pages, wrong].map(page => moduleName(page, 'all'))
    writeFileSync(
      join(folder, 'tsconfig.json'),
      JSON.stringify({ extends: relative(folder, join(root, 'tsconfig.json')), compilerOptions, files, include: [] }),
    )
    const { output, errors } = await command(folder, tool('typescript', 'lib/tsc.js'), ['-p', 'tsconfig.json'])
    // Errors of lib and operators are `npm run check`'s; whatever is no error of a file is one of this spec.
    const lines = output
      .split('\n')
      .filter(line => /error TS\d+/.test(line) && !/^(\.\.\/)+(lib|operators)\//.test(line))
    found = output === '' ? [errors] : lines
  }, 120_000)

  const of = (page: Page) => found.filter(line => line.startsWith(`${moduleName(page, 'all')}(`))

  test('in README.md and docs/ there are examples', () => {
    expect(pages.map(({ name }) => basename(name))).toEqual(expect.arrayContaining(['README.md', 'operators.md']))
  })

  test.each(pages.map(page => [page.name, page] as const))('%s', (_, page) => {
    expect(of(page)).toEqual([])
  })

  test('a wrong one is found, by its line', () => {
    expect(of(wrong)).toEqual([expect.stringMatching(/^wrong\.md\.all\.ts\(6,5\): error TS/)])
    expect(found.filter(line => !/^[\w.-]+\.all\.ts\(/.test(line))).toEqual([])
  })
})

describe('the examples print what the page says', () => {
  const ran = pages.filter(({ blocks }) => blocks.some(({ run }) => run))

  test.each(ran.map(page => [page.name, page] as const))('%s', async (_, page) => {
    write(page, 'run')
    // In a folder of its own, where examples may write files.
    const cwd = mkdtempSync(join(folder, 'run-'))
    const args = ['--conditions=@spillway/source', join(folder, moduleName(page, 'run'))]
    const { output, errors } = await command(cwd, tool('tsx', 'dist/cli.mjs'), args)
    expect(output, errors).toBe(printedOf(page))
  })
})
