import { execFile } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { build } from 'esbuild'
import { type Planted, planted } from './faults.ts'
import { type Found, foundLast } from './found.ts'

/**
 * `npm run -s planted -- [--only TEXT] [--runs N] [--seed N]`: plants each fault in a copy of the sources and shows what finds it,
 * simulation after how many runs. Each is looked for first where docs/planted-faults.md says that it was found last, unless a
 * seed to begin with is given. Fails if one is not found.
 */
const { values } = parseArgs({
  options: {
    only: { type: 'string', default: '' },
    runs: { type: 'string', default: '3000' },
    seed: { type: 'string' },
  },
})
const root = fileURLToPath(new URL('../../', import.meta.url))
const cache = join(root, '.cache')
mkdirSync(cache, { recursive: true })
const last: ReadonlyMap<string, Found> =
  values.seed === undefined ? foundLast(readFileSync(join(root, 'docs/planted-faults.md'), 'utf8')) : new Map()

interface Finding {
  readonly of: Planted
  readonly by: string | undefined
  readonly how: string
}

/** One worker's copy, below the repository so that dependencies resolve; with a package.json, so that `spillway` is the copy. */
const copied = (): string => {
  const copy = mkdtempSync(join(cache, 'planted-'))
  for (const name of ['lib', 'operators', 'spec', 'package.json', 'tsconfig.json', 'vitest.config.ts']) {
    cpSync(join(root, name), join(copy, name), { recursive: true })
  }
  return copy
}

const planting = async (of: Planted, copy: string): Promise<Finding> => {
  const file = join(copy, of.file)
  const text = readFileSync(file, 'utf8')
  if (text.split(of.from).length !== 2) throw new Error(`${of.what}: its patch does not apply to ${of.file}`)
  writeFileSync(
    file,
    text.replace(of.from, () => of.to),
  )
  try {
    return of.spec === undefined ? await bySimulation(of, copy) : await bySpec(of, copy, of.spec)
  } finally {
    writeFileSync(file, text)
  }
}

const bySimulation = async (of: Planted, copy: string): Promise<Finding> => {
  const program = join(copy, 'simulation.mjs')
  await bundle(copy, program)
  const found = last.get(of.what)
  const first =
    found?.kind === 'simulation' ? await simulated(of, { copy, program, runs: '1', seed: found.run }) : undefined
  return first?.by === undefined
    ? simulated(of, { copy, program, runs: values.runs, seed: Number(values.seed ?? 1) })
    : first
}

/** Begins in a tenth of the time that the sources take. */
const bundle = (copy: string, program: string) =>
  build({
    absWorkingDir: copy,
    entryPoints: ['spec/simulation/main.ts'],
    outfile: program,
    bundle: true,
    platform: 'node',
    format: 'esm',
    conditions: ['@spillway/source'],
    // For dependencies that are CommonJS.
    banner: { js: "import { createRequire as of } from 'node:module'; const require = of(import.meta.url)" },
    logLevel: 'error',
  })

const simulated = async (
  of: Planted,
  { copy, program, runs, seed }: { copy: string; program: string; runs: string; seed: number },
): Promise<Finding> => {
  const { failed, output } = await command(copy, [program, '--runs', runs, '--seed', `${seed}`, '--as-found'])
  const after = /FAILED after (\d+) runs/.exec(output)?.[1]
  if (after === undefined) {
    const how = failed ? (output.trim().split('\n').at(-1) ?? 'it does not run') : `not in ${runs} runs`
    return { of, by: undefined, how }
  }
  const reason = /the simulation fails with seed \d+: (.*)/.exec(output)?.[1] ?? ''
  return { of, by: `simulation, run ${Number(after) + seed - 1}`, how: reason.slice(0, 90) }
}

const bySpec = async (of: Planted, copy: string, spec: string): Promise<Finding> => {
  const found = last.get(of.what)
  const first =
    found?.kind === 'spec' && found.spec === spec ? await tested(of, { copy, spec, claim: found.claim }) : undefined
  return first?.by === undefined ? tested(of, { copy, spec }) : first
}

const tested = async (
  of: Planted,
  { copy, spec, claim }: { copy: string; spec: string; claim?: string },
): Promise<Finding> => {
  const { failed, output } = await command(copy, [
    ...[join(root, 'node_modules/vitest/vitest.mjs'), 'run', spec, '--bail', '1'],
    ...(claim === undefined ? [] : ['--testNamePattern', claim.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&')]),
  ])
  const failing = /FAIL {2}.* > (.*)/.exec(output)?.[1]
  return failed && failing !== undefined ? { of, by: spec, how: failing } : { of, by: undefined, how: `not by ${spec}` }
}

const command = (cwd: string, args: readonly string[]): Promise<{ failed: boolean; output: string }> =>
  new Promise(resolve => {
    const env = { ...process.env, NO_COLOR: '1' }
    execFile(
      process.execPath,
      args,
      { cwd, env, maxBuffer: 2 ** 28, timeout: 600_000, killSignal: 'SIGKILL' },
      (error, output, errors) => resolve({ failed: error !== null, output: `${output}\n${errors}` }),
    )
  })

const waiting = planted.filter(({ what }) => what.includes(values.only))
const findings: Finding[] = []
const worker = async (): Promise<void> => {
  const copy = copied()
  try {
    for (let of = waiting.shift(); of !== undefined; of = waiting.shift()) {
      const finding = await planting(of, copy)
      findings.push(finding)
      console.log(`| ${finding.of.what} | ${finding.by ?? '**nothing**'} | ${finding.how} |`)
    }
  } finally {
    rmSync(copy, { recursive: true, force: true })
  }
}
console.log('| planted | found by | what it says |\n| --- | --- | --- |')
await Promise.all(Array.from({ length: availableParallelism() }, worker))

const missed = findings.filter(({ by }) => by === undefined)
console.log(`\n${findings.length - missed.length} of ${findings.length} planted faults found`)
if (missed.length > 0 || findings.length === 0) process.exit(1)
