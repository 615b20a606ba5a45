import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { Bench, Options } from './bench.ts'

/**
 * Runs a part of a bench in a process of its own, where nothing else has been compiled or allocated; gives its result.
 * Rejects if the process ends without one.
 */
export const startPart = ({ bench, part, words }: { bench: string; part: string; words: readonly string[] }) =>
  new Promise<any>((resolve, reject) => {
    const child = fork(program, [bench, ...words, `--part=${part}`])
    let result: { readonly value: unknown } | undefined
    child.on('message', (message: { value: unknown }) => {
      result = message
    })
    child.on('close', (code, signal) => {
      if (code === 0 && result !== undefined) resolve(result.value)
      else reject(new Error(`${bench}, part ${part}: the process has ended with ${signal ?? `code ${code}`}`))
    })
  })

/** In that process. */
export const runPart = async (bench: Bench, part: string, options: Options): Promise<void> => {
  const run = bench.parts[part]
  if (run === undefined) throw new Error(`there is no part ${part}`)
  const value = await run(options)
  await new Promise<void>(resolve => process.send!({ value }, () => resolve()))
  process.disconnect()
}

const program = fileURLToPath(new URL('index.ts', import.meta.url))
