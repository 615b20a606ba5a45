import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Planted } from './faults.ts'

/** A copy of the sources, for one fault after the other. */
export interface Copy {
  readonly path: string
  /** With the fault in it while `act` is under way. @throws Error if its patch does not apply */
  with<A>(of: Planted, act: () => Promise<A>): Promise<A>
  remove(): void
}

/** Below the repository, so that dependencies resolve; with a package.json of its own, so that `spillway` is the copy. */
export const copied = (root: string): Copy => {
  const cache = join(root, '.cache')
  mkdirSync(cache, { recursive: true })
  const path = mkdtempSync(join(cache, 'planted-'))
  for (const name of ['lib', 'operators', 'spec', 'package.json', 'tsconfig.json', 'vitest.config.ts']) {
    cpSync(join(root, name), join(path, name), { recursive: true })
  }
  return {
    path,
    async with(of, act) {
      const file = join(path, of.file)
      const text = readFileSync(file, 'utf8')
      if (text.split(of.from).length !== 2) throw new Error(`${of.what}: its patch does not apply to ${of.file}`)
      writeFileSync(
        file,
        text.replace(of.from, () => of.to),
      )
      try {
        return await act()
      } finally {
        writeFileSync(file, text)
      }
    },
    remove: () => rmSync(path, { recursive: true, force: true }),
  }
}
