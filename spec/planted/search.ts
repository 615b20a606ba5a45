import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { build } from 'esbuild'
import type { Planted } from './faults.ts'
import type { Found } from './found.ts'

/** What has found the fault, as the cell of docs/planted-faults.md says it, and how; or why nothing has. */
export interface Finding {
  readonly by: string | undefined
  readonly how: string
}

export interface SearchOptions {
  /** The sources that the fault is in. */
  readonly copy: string
  /** Where dependencies are. */
  readonly root: string
  /** What found it last: looked at first. */
  readonly last: Found | undefined
  readonly runsMax: number
  readonly firstSeed: number
}

/** Lets its spec look for the fault, or simulation if it has none. */
export const search = async (of: Planted, options: SearchOptions): Promise<Finding> => {
  const { last } = options
  if (of.spec === undefined) {
    const program = await bundled(options.copy)
    if (last?.kind === 'simulation') {
      const again = await simulated(program, { ...options, runsMax: 1, firstSeed: last.run })
      if (again.by !== undefined) return again
    }
    return simulated(program, options)
  }
  if (last?.kind === 'spec' && last.spec === of.spec) {
    const again = await tested(of.spec, { ...options, claim: last.claim })
    if (again.by !== undefined) return again
  }
  return tested(of.spec, options)
}

/** The simulation as one file, which begins much sooner than its sources. */
const bundled = async (copy: string): Promise<string> => {
  const program = join(copy, 'simulation.mjs')
  await build({
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
  return program
}

const simulated = async (
  program: string,
  { copy, runsMax, firstSeed }: Pick<SearchOptions, 'copy' | 'runsMax' | 'firstSeed'>,
): Promise<Finding> => {
  const { failed, output } = await command(copy, [
    program,
    '--runs',
    `${runsMax}`,
    '--seed',
    `${firstSeed}`,
    '--as-found',
  ])
  const runs = /FAILED after (\d+) runs/.exec(output)?.[1]
  if (runs === undefined) {
    const how = failed ? (output.trim().split('\n').at(-1) ?? 'it does not run') : `not in ${runsMax} runs`
    return { by: undefined, how }
  }
  const reason = /the simulation fails with seed \d+: (.*)/.exec(output)?.[1] ?? ''
  // The rows count from seed 1.
  return { by: `simulation, run ${firstSeed - 1 + Number(runs)}`, how: reason.slice(0, 90) }
}

/** With a claim only by tests whose names hold it. */
const tested = async (
  spec: string,
  { copy, root, claim }: Pick<SearchOptions, 'copy' | 'root'> & { readonly claim?: string },
): Promise<Finding> => {
  const { failed, output } = await command(copy, [
    ...[join(root, 'node_modules/vitest/vitest.mjs'), 'run', spec, '--bail', '1'],
    ...(claim === undefined ? [] : ['--testNamePattern', claim.replaceAll(/[\\^$.*+?()[\]{}|/]/g, '\\$&')]),
  ])
  const failing = /FAIL {2}.* > (.*)/.exec(output)?.[1]
  return failed && failing !== undefined ? { by: spec, how: failing } : { by: undefined, how: `not by ${spec}` }
}

const command = (cwd: string, args: readonly string[]): Promise<{ failed: boolean; output: string }> =>
  new Promise(resolve => {
    const env = { ...process.env, NO_COLOR: '1' }
    // A fault may let it go on for ever.
    const bounds = { maxBuffer: 2 ** 28, timeout: 10 * 60_000, killSignal: 'SIGKILL' } as const
    execFile(process.execPath, args, { cwd, env, ...bounds }, (error, output, errors) =>
      resolve({ failed: error !== null, output: `${output}\n${errors}` }),
    )
  })
