import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { basename, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { asPrinted, filesOf, markdown, moduleOf, type Page, printedOf } from './markdown.ts'

/**
 * The examples of README.md and docs/: all `ts` blocks of a page, in order, are one module, which must compile; all of them
 * that are marked `ts run` are another, which must print the `text` blocks behind them. A block marked with a name, such as
 * `ts alerts.ts`, is a file beside them; if it imports a test framework, its tests must pass. Lines keep their numbers, so
 * that the compiler names the line of the page.
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

const wrong = markdown(
  'wrong.md',
  [
    "# Wrong\n\n```ts\nimport { run } from 'spillway'\n\nrun(3)\n```\n",
    "```ts wrong.spec.ts\nimport { expect, test } from 'vitest'\ntest('wrong', () => expect(1).toBe(2))\n```\n",
    "```ts wrong.node.ts\nimport { test } from 'node:test'\ntest('wrong', () => Promise.reject(new Error('wrong')))\n```\n",
  ].join('\n'),
)

interface Outcome {
  readonly output: string
  readonly errors: string
}

const command = (cwd: string, args: readonly string[]): Promise<Outcome> =>
  new Promise(resolve => {
    const env = { ...process.env, NO_COLOR: '1' }
    execFile(process.execPath, args, { cwd, env, maxBuffer: 2 ** 26 }, (error, output, errors) =>
      resolve({ output, errors: error === null ? errors : `${error.message}\n${errors}` }),
    )
  })

const tool = (name: string, file: string) => join(root, 'node_modules', name, file)
const conditions = '--conditions=@spillway/source'

/** Each page has a folder, where its examples may write files too. */
const placeOf = ({ name }: Page) => name.replaceAll(/[\\/]/g, '-')
const modules = ['all', 'run'] as const
for (const page of [...pages, wrong]) {
  mkdirSync(join(folder, placeOf(page)))
  const write = (file: string, text: string) => writeFileSync(join(folder, placeOf(page), file), text)
  for (const kind of modules) write(`${kind}.ts`, moduleOf(page, kind))
  for (const { file, text } of filesOf(page)) write(file, text)
}

describe('the examples compile', () => {
  let found: readonly string[]

  beforeAll(async () => {
    const compilerOptions = { noUnusedLocals: false, noUnusedParameters: false }
    const files = [...pages, wrong].flatMap(page =>
      ['all.ts', ...filesOf(page).map(({ file }) => file)].map(file => join(placeOf(page), file)),
    )
    writeFileSync(
      join(folder, 'tsconfig.json'),
      JSON.stringify({ extends: relative(folder, join(root, 'tsconfig.json')), compilerOptions, files, include: [] }),
    )
    const { output, errors } = await command(folder, [tool('typescript', 'lib/tsc.js'), '-p', 'tsconfig.json'])
    // Errors of lib and operators are `npm run check`'s; whatever is no error of a file is one of this spec.
    const lines = output
      .split('\n')
      .filter(line => /error TS\d+/.test(line) && !/^(\.\.\/)+(lib|operators)\//.test(line))
    found = output === '' ? [errors] : lines
  }, 120_000)

  const of = (page: Page) => found.filter(line => line.startsWith(`${placeOf(page)}/`))

  test('in README.md and docs/ there are examples', () => {
    expect(pages.map(({ name }) => basename(name))).toEqual(expect.arrayContaining(['README.md', 'operators.md']))
  })

  test.each(pages.map(page => [page.name, page] as const))('%s', (_, page) => {
    expect(of(page)).toEqual([])
  })

  test('a wrong one is found, by its line', () => {
    expect(of(wrong)).toEqual([expect.stringMatching(/^wrong\.md\/all\.ts\(6,5\): error TS/)])
    expect(found.filter(line => !/^[\w.-]+\/[\w.]+\.ts\(/.test(line))).toEqual([])
  })
})

describe('the examples print what the page says', () => {
  const ran = pages.filter(({ blocks }) => blocks.some(({ run }) => run))

  test.each(ran.map(page => [page.name, page] as const))('%s', async (_, page) => {
    const cwd = join(folder, placeOf(page))
    const { output, errors } = await command(cwd, ['--import', 'tsx', conditions, 'run.ts'])
    expect(output, errors).toBe(asPrinted(printedOf(page), output))
  })
})

test('a line that says ... is filled in where the rest of it was printed', () => {
  expect(asPrinted('a...(c)\n...x\nd', 'a b (c)\ny\ne')).toBe('a b (c)\n...x\nd')
})

describe('the tests of a page pass', () => {
  const testFiles = (page: Page) => filesOf(page).filter(({ text }) => /from '(vitest|node:test)'/.test(text))

  const tested = (page: Page, { file, text }: { file: string; text: string }): Promise<Outcome> => {
    const cwd = join(folder, placeOf(page))
    if (text.includes("from 'node:test'")) {
      return command(cwd, ['--import', 'tsx', conditions, '--test', '--test-reporter=tap', file])
    }
    const config = `import config from '${relative(cwd, join(root, 'vitest.config.ts'))}'
      export default { ...config, test: { include: ['${file}'] } }`
    writeFileSync(join(cwd, 'vitest.config.ts'), config)
    return command(cwd, [tool('vitest', 'vitest.mjs'), 'run', '--root', cwd])
  }
  const passed = /^ *Tests +\d+ passed|^# pass [1-9]\d*\n# fail 0$/m

  const inPages = pages.flatMap(page => testFiles(page).map(file => [page.name, file.file, page, file] as const))
  test.each(inPages)('%s, %s', async (_, __, page, file) => {
    const { output, errors } = await tested(page, file)
    expect(output, errors).toMatch(passed)
  })

  test.each(testFiles(wrong).map(file => [file.file, file] as const))('a wrong one does not: %s', async (_, file) => {
    const { output, errors } = await tested(wrong, file)
    expect(output, errors).toMatch(/^ *Tests +1 failed|^# fail 1$/m)
    expect(output).not.toMatch(passed)
  })
})
