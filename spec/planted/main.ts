import { execFile } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { type Planted, planted } from './faults.ts'

/**
 * `npm run -s planted -- [--only TEXT] [--runs N] [--seed N]`: plants each fault in a copy of the sources and shows what finds it,
 * simulation after how many runs. Fails if one is not found.
 */
const { values } = parseArgs({
  options: {
    only: { type: 'string', default: '' },
    runs: { type: 'string', default: '3000' },
    seed: { type: 'string', default: '1' },
  },
})
const root = fileURLToPath(new URL('../../', import.meta.url))
const cache = join(root, '.cache')
mkdirSync(cache, { recursive: true })

interface Finding {
  readonly of: Planted
  readonly by: string | undefined
  readonly how: string
}

/** Below the repository, so that dependencies resolve; with a package.json of its own, so that `spillway` is the copy. */
const inCopy = async (of: Planted): Promise<Finding> => {
  const copy = mkdtempSync(join(cache, 'planted-'))
  try {
    for (const name of ['lib', 'operators', 'spec', 'package.json', 'tsconfig.json', 'vitest.config.ts']) {
      cpSync(join(root, name), join(copy, name), { recursive: true })
    }
    const file = join(copy, of.file)
    const text = readFileSync(file, 'utf8')
    if (text.split(of.from).length !== 2) throw new Error(`${of.what}: its patch does not apply to ${of.file}`)
    writeFileSync(
      file,
      text.replace(of.from, () => of.to),
    )
    return of.spec === undefined ? await bySimulation(of, copy) : await bySpec(of, copy, of.spec)
  } finally {
    rmSync(copy, { recursive: true, force: true })
  }
}

const bySimulation = async (of: Planted, copy: string): Promise<Finding> => {
  const { failed, output } = await command(copy, [
    ...[join(root, 'node_modules/tsx/dist/cli.mjs'), '--conditions=@spillway/source', 'spec/simulation/main.ts'],
    ...['--runs', values.runs, '--seed', values.seed, '--as-found'],
  ])
  const runs = /FAILED after (\d+) runs/.exec(output)?.[1]
  if (runs === undefined) {
    const how = failed ? (output.trim().split('\n').at(-1) ?? 'it does not run') : `not in ${values.runs} runs`
    return { of, by: undefined, how }
  }
  const reason = /the simulation fails with seed \d+: (.*)/.exec(output)?.[1] ?? ''
  return { of, by: `simulation, run ${runs}`, how: reason.slice(0, 90) }
}

const bySpec = async (of: Planted, copy: string, spec: string): Promise<Finding> => {
  const { failed, output } = await command(copy, [join(root, 'node_modules/vitest/vitest.mjs'), 'run', spec])
  const claims = Array.from(output.matchAll(/FAIL {2}.* > (.*)/g), ([, claim]) => claim as string)
  return failed && claims.length > 0
    ? { of, by: spec, how: `${claims.length} claims, such as: ${claims[0]}` }
    : { of, by: undefined, how: `not by ${spec}` }
}

const command = (cwd: string, args: readonly string[]): Promise<{ failed: boolean; output: string }> =>
  new Promise(resolve => {
    const env = { ...process.env, NO_COLOR: '1' }
    execFile(process.execPath, args, { cwd, env, maxBuffer: 2 ** 28 }, (error, output, errors) =>
      resolve({ failed: error !== null, output: `${output}\n${errors}` }),
    )
  })

const waiting = planted.filter(({ what }) => what.includes(values.only))
const findings: Finding[] = []
const worker = async (): Promise<void> => {
  for (let of = waiting.shift(); of !== undefined; of = waiting.shift()) {
    const finding = await inCopy(of)
    findings.push(finding)
    console.log(`| ${finding.of.what} | ${finding.by ?? '**nothing**'} | ${finding.how} |`)
  }
}
console.log('| planted | found by | what it says |\n| --- | --- | --- |')
await Promise.all(Array.from({ length: availableParallelism() }, worker))

const missed = findings.filter(({ by }) => by === undefined)
console.log(`\n${findings.length - missed.length} of ${findings.length} planted faults found`)
if (missed.length > 0 || findings.length === 0) process.exit(1)
