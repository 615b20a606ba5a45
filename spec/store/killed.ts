import { spawn } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { basename, join } from 'node:path'
import { build } from 'esbuild'

/** A program as one file in `folder`, which is started in a tenth of the time. */
export const built = async (program: string, folder: string): Promise<string> => {
  const outfile = join(folder, basename(program).replace(/\.ts$/, '.mjs'))
  await build({
    entryPoints: [program],
    outfile,
    conditions: ['@spillway/source'],
    external: ['msgpackr-extract'],
    ...{ bundle: true, minify: true, platform: 'node', format: 'esm', logLevel: 'silent' },
  })
  return outfile
}

/** The lines that a process says until it ends by itself. */
export const saidBy = (args: readonly string[]): Promise<readonly string[]> => said(args, () => {})

/** Those until it is killed, so long after the first of its lines that fits. */
export const killedOnce = (
  args: readonly string[],
  { afterMs, after = () => true }: { readonly afterMs: number; readonly after?: (lines: readonly string[]) => boolean },
): Promise<readonly string[]> => {
  let isDue = false
  return said(args, (lines, kill) => {
    if (isDue || !after(lines)) return
    isDue = true
    setTimeout(kill, afterMs)
  })
}

const said = (
  args: readonly string[],
  onLines: (lines: readonly string[], kill: () => void) => void,
): Promise<readonly string[]> =>
  new Promise(resolve => {
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
    let text = ''
    const lines = () => text.split('\n').slice(0, -1)
    child.stdout.on('data', data => {
      text += data
      onLines(lines(), () => child.kill('SIGKILL'))
    })
    child.on('close', () => resolve(lines()))
  })

export const filesIn = (directory: string): readonly string[] => (existsSync(directory) ? readdirSync(directory) : [])
