import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { misuses, use } from './consumer.ts'
import { command, root, staged } from './staged.ts'

/** The package as a user gets it: packed from a copy of the repository, and installed into an empty project beside it. */
const { folder, remove } = staged()
const project = join(folder, '.consumer')
afterAll(remove)

const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
const entryPoints = Object.keys(manifest.exports).filter(path => path !== './package.json')
const nameOf = (path: string) => `spillway${path.slice(1)}`
let packed: readonly string[]

beforeAll(async () => {
  const packing = await command(folder, 'npm', ['pack', '--json', '--loglevel=error'])
  expect(packing, packing.stdout + packing.stderr).toMatchObject({ exitCode: 0 })
  const [{ filename, files }] = JSON.parse(packing.stdout)
  packed = files.map(({ path }: { path: string }) => path)

  // The versions are the repository's, so that tomorrow's release of a dependency does not change the outcome.
  const installed = ({ name }: { name: string }) =>
    JSON.parse(readFileSync(join(root, 'node_modules', name, 'package.json'), 'utf8')).version
  const versions = Object.keys(manifest.dependencies).map(name => [name, installed({ name })])
  mkdirSync(project)
  write('package.json', JSON.stringify({ private: true, overrides: Object.fromEntries(versions) }))
  const install = ['install', join(folder, filename), `rxjs@${installed({ name: 'rxjs' })}`]
  const installing = await command(project, 'npm', [...install, '--prefer-offline', '--no-audit', '--no-fund'])
  expect(installing, installing.stdout + installing.stderr).toMatchObject({ exitCode: 0 })
}, 300_000)

const write = (name: string, text: string) => writeFileSync(join(project, name), text)

test('the tarball holds what is built, the docs, the license, and nothing else', () => {
  const strange = packed.filter(
    path => !/^dist\/(lib|operators)\/.*\.(js|js\.map|d\.ts)$|^docs\/|^(README\.md|LICENSE|package\.json)$/.test(path),
  )
  expect(strange).toEqual([])
  expect(packed).toContain('LICENSE')
})

test.each(entryPoints)('the tarball holds the code and the types of %s', path => {
  const { types, default: code } = manifest.exports[path]
  expect(packed).toContain(types.slice(2))
  expect(packed).toContain(code.slice(2))
})

test('what is packed imports .js files that are packed too, and its maps hold the sources', () => {
  const code = packed.filter(path => path.endsWith('.js'))
  expect(code).not.toEqual([])
  for (const path of code) {
    const text = readFileSync(join(project, 'node_modules/spillway', path), 'utf8')
    for (const [, specifier] of text.matchAll(/\b(?:from|import)\s*\(?'(\.[^']*)'/g))
      expect(packed).toContain(join(path, '..', specifier as string))
    const map = JSON.parse(readFileSync(join(project, 'node_modules/spillway', `${path}.map`), 'utf8'))
    const source = path.replace(/^dist\//, '').replace(/\.js$/, '.ts')
    expect(map.sources.map((name: string) => join(path, '..', name))).toEqual([source])
    expect(map.sourcesContent).toEqual([readFileSync(join(folder, source), 'utf8')])
  }
})

describe.each([
  ['imported', 'mjs', (path: string) => `await import('${nameOf(path)}')`],
  ['required', 'cjs', (path: string) => `require('${nameOf(path)}')`],
])('%s', (kind, extension, load) => {
  test('every entry point loads, and leaves nothing behind', async () => {
    const program = `
      const before = Object.getOwnPropertyNames(globalThis)
      const loaded = [${entryPoints.map(load).join()}]
      const after = Object.getOwnPropertyNames(globalThis)
      console.log(JSON.stringify({
        empty: loaded.filter(entryPoint => Object.keys(entryPoint).length === 0),
        globals: after.filter(name => !before.includes(name)),
      }))`
    write(`load.${extension}`, program)
    const { stdout, stderr } = await command(project, process.execPath, [`load.${extension}`])
    expect(stderr).toBe('')
    expect(JSON.parse(stdout)).toEqual({ empty: [], globals: [] })
  })

  test('a pipeline from file to file runs', async () => {
    const program = `
      const { run, stream } = ${load('.')}
      const { into, keyBy, map, scan } = ${load('./operators')}
      const { fileStore, ndjsonFile, ndjsonFiles } = ${load('./node')}
      const { inPlace } = ${load('./testing')}
      const t = ${extension === 'mjs' ? "await import('io-ts')" : "require('io-ts')"}
      const totals = stream(ndjsonFile('numbers.ndjson', t.number)).pipe(
        keyBy(n => n % 2),
        scan((total, n) => total + n, 0),
        map(total => ({ total })),
      )
      totals.in(inPlace())
      run(totals.pipe(into(ndjsonFiles('${kind}/out', t.type({ total: t.number })))), {
        parallelism: 2,
        store: fileStore('${kind}/checkpoints'),
      }).done.then(() => console.log('done'))`
    write('numbers.ndjson', '1\n2\n3\n4\n')
    write(`pipeline.${extension}`, program)
    const { stdout, stderr } = await command(project, process.execPath, [`pipeline.${extension}`])
    expect({ stdout, stderr }).toEqual({ stdout: 'done\n', stderr: '' })
    const files = readdirSync(join(project, kind, 'out')).filter(name => name.endsWith('.ndjson'))
    const lines = files.flatMap(name =>
      readFileSync(join(project, kind, 'out', name), 'utf8')
        .trim()
        .split('\n'),
    )
    expect(lines.sort()).toEqual(['{"total":1}', '{"total":2}', '{"total":4}', '{"total":6}'])
  })
})

test('required and imported are one module', async () => {
  write('both.cjs', "import('spillway').then(m => console.log(m.Stream === require('spillway').Stream))")
  expect(await command(project, process.execPath, ['both.cjs'])).toMatchObject({ stdout: 'true\n' })
})

describe('a strict compiler', () => {
  const hosts: readonly [host: string, options: Readonly<Record<string, unknown>>][] = [
    [
      'for Node',
      { module: 'nodenext', lib: ['es2022'], types: ['node'], typeRoots: [join(root, 'node_modules/@types')] },
    ],
    ['for browsers', { module: 'esnext', moduleResolution: 'bundler', lib: ['es2022', 'dom'], types: [] }],
  ]
  describe.each(hosts)('%s', (_, options) => {
    let complaints: ReadonlyMap<string, string>

    beforeAll(async () => {
      const compilerOptions = {
        ...{ strict: true, exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true, skipLibCheck: false },
        ...{ target: 'es2022', noEmit: true, ...options },
      }
      write('package.json', JSON.stringify({ private: true, type: 'module' }))
      write('tsconfig.json', JSON.stringify({ compilerOptions, include: ['*.ts'] }))
      write('use.ts', use)
      for (const [i, { text }] of misuses.entries()) write(`misuse${i}.ts`, text)
      const { stdout } = await command(project, join(root, 'node_modules/.bin/tsc'), ['-p', '.', '--pretty', 'false'])
      complaints = byFile(stdout)
    }, 120_000)

    test('accepts a pipeline of all entry points, and finds nothing in the declarations', () => {
      const inMisuses = misuses.map((_, i) => `misuse${i}.ts`)
      expect([...complaints].filter(([file]) => !inMisuses.includes(file))).toEqual([])
    })

    test.each(misuses.map(({ claim, says }, i) => [claim, says, i] as const))('%s', (_, says, i) => {
      expect(complaints.get(`misuse${i}.ts`)).toContain(says)
    })
  })
})

/** The compiler's messages by file; indented lines go on with the message above. */
function byFile(output: string): ReadonlyMap<string, string> {
  const messages = new Map<string, string>()
  let file = ''
  for (const line of output.split('\n').filter(line => line !== '')) {
    file = /^(.*?)\(\d+,\d+\): error/.exec(line)?.[1] ?? file
    messages.set(file, `${messages.get(file) ?? ''}${line}\n`)
  }
  return messages
}
