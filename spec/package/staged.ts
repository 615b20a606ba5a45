import { execFile } from 'node:child_process'
import { cpSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = fileURLToPath(new URL('../../', import.meta.url))

/** Another copy of the repository, so that what is built here disturbs no one's dist/. */
export function staged(): { readonly folder: string; remove(): void } {
  const folder = mkdtempSync(join(tmpdir(), 'spillway-package-'))
  for (const name of readdirSync(root)) {
    if (!left.has(name)) cpSync(join(root, name), join(folder, name), { recursive: true })
  }
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'), 'dir')
  return { folder, remove: () => rmSync(folder, { recursive: true, force: true }) }
}

const left = new Set(['.git', '.cache', 'dist', 'node_modules'])

/** What a command has written, whether or not it failed. */
export interface Outcome {
  readonly exitCode: number
  readonly stdout: string
  readonly stderr: string
}

export const command = (folder: string, name: string, args: readonly string[]): Promise<Outcome> =>
  new Promise(resolve => {
    const child = execFile(name, args, { cwd: folder, maxBuffer: 2 ** 26 }, (_, stdout, stderr) =>
      resolve({ exitCode: child.exitCode ?? 1, stdout, stderr }),
    )
  })
