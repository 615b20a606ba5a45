import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { builtinModules } from 'node:module'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { type BuildResult, build, type Plugin } from 'esbuild'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { command, root } from './staged.ts'

const entryPoints = ['spillway', 'spillway/operators', 'spillway/s3', 'spillway/testing']

test.each(entryPoints)('%s and all that it loads need nothing of Node', async entryPoint => {
  const { fromNode } = await bundled(`export * from '${entryPoint}'`)
  expect(fromNode).toEqual([])
})

test('the check finds what needs Node', async () => {
  const { fromNode } = await bundled(`export * from 'spillway/node'`)
  expect(fromNode).toContain('node:fs/promises in lib/node/publishing.ts')
})

test.each(entryPoints)('%s is not in the bundle where nothing of it is used', async entryPoint => {
  expect((await bundled(`import '${entryPoint}'`)).text.trim()).toBe('')
})

test('one function is all that is loaded for one function', async () => {
  const { modules } = await bundled(`export { minutes } from 'spillway'`)
  expect(modules).toEqual(['lib/time/duration.ts'])
})

describe('without the globals of Node', () => {
  const folder = mkdtempSync(join(tmpdir(), 'spillway-browser-'))
  afterAll(() => rmSync(folder, { recursive: true, force: true }))
  beforeAll(async () => {
    await bundled(resumes, { outfile: join(folder, 'bundle.mjs') })
  })

  test.each([
    ['a page', []],
    ['a page whose policy forbids eval', ['--disallow-code-generation-from-strings']],
  ])('in %s, a job is resumed from a snapshot', async (_, flags) => {
    const { stdout, stderr } = await command(folder, process.execPath, [...flags, '--eval', inPage])
    expect({ stderr, stdout: stdout && JSON.parse(stdout) }).toEqual({
      stderr: '',
      stdout: { resumed: true, records: 30_000, largest: 9_999 },
    })
  })
})

/** As in a browser: timers, `performance` and `MessageChannel` are there, what only Node has is not. */
const inPage = `
  const { console, process } = globalThis
  for (const name of ['process', 'Buffer', 'setImmediate', 'clearImmediate', 'global']) delete globalThis[name]
  import('./bundle.mjs').then(({ outcome }) => outcome).then(
    outcome => { console.log(JSON.stringify(outcome)); process.exit() },
    error => { console.error(error); process.exit(1) },
  )`

/** A job that is cancelled after a checkpoint, and goes on from it. */
const resumes = `
  import { memoryStore, run, stream } from 'spillway'
  import { collect, fromArray, into, keyBy, scan } from 'spillway/operators'

  const store = memoryStore()
  const sink = collect()
  const start = () =>
    run(
      stream(fromArray(Array.from({ length: 30_000 }, (_, i) => ({ group: 'g' + (i % 3) })), { splits: 2 })).pipe(
        keyBy(({ group }) => group),
        scan((seen, _) => ({ count: seen.count + 1, at: new Date(seen.count) }), { count: -1, at: new Date(0) }),
        into(sink),
      ),
      { parallelism: 2, store },
    )
  const resume = async () => {
    const first = start()
    first.done.catch(() => {})
    await first.triggerCheckpoint({ alignment: 'unaligned' })
    await first.cancel()
    const second = start()
    let resumed = false
    second.status$.subscribe(status => {
      resumed ||= status.resumedFrom !== undefined
    })
    await second.done
    const largest = sink.records.reduce((most, { count }) => Math.max(most, count), 0)
    return { resumed, records: sink.records.length, largest }
  }
  export const outcome = resume()`

/** The program as a page would load it, made of the sources, and what of Node it would need, by file. */
async function bundled(program: string, { outfile }: { readonly outfile?: string } = {}) {
  const fromNode = new Set<string>()
  const notingBuiltins: Plugin = {
    name: 'notes builtins',
    setup: ({ onResolve }) =>
      onResolve({ filter: builtins }, ({ path, importer }) => {
        fromNode.add(`${path} in ${relative(root, importer)}`)
        return { path, external: true }
      }),
  }
  const result: BuildResult<{ metafile: true; write: false }> = await build({
    stdin: { contents: program, resolveDir: root },
    conditions: ['@spillway/source'],
    ...{ bundle: true, platform: 'browser', format: 'esm', logLevel: 'silent' },
    ...{ metafile: true, write: false, plugins: [notingBuiltins] },
  })
  const [output] = Object.values(result.metafile.outputs)
  const modules = Object.entries(output?.inputs ?? {})
  // A package's "browser" field may put an empty module in the place of a builtin.
  for (const [module] of Object.entries(result.metafile.inputs)) {
    if (module.startsWith('(disabled)')) fromNode.add(module)
  }
  const text = result.outputFiles[0]?.text ?? ''
  if (outfile !== undefined) writeFileSync(outfile, text)
  return {
    fromNode: [...fromNode],
    modules: modules.filter(([, { bytesInOutput }]) => bytesInOutput > 0).map(([module]) => module),
    text,
  }
}

const builtins = new RegExp(`^(node:.*|${builtinModules.join('|')})$`)
