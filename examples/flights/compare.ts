import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { linesOf } from './lines.ts'

export interface Difference {
  /** Lines that are missing, each as often as it is missing. */
  readonly lost: number
  /** Lines that are there more often than they should be. */
  readonly duplicated: number
  /** Lines that should not be there at all. */
  readonly wrong: number
  /** The first line that differs, with what is the matter with it. */
  readonly example: string | undefined
}

/** Compares two sorted multisets. */
export const difference = (expected: readonly string[], actual: readonly string[]): Difference => {
  const found = { lost: 0, duplicated: 0, wrong: 0 }
  let example: string | undefined
  const count = (what: keyof typeof found, line: string) => {
    found[what] += 1
    example ??= `${what}: ${line}`
  }
  let e = 0
  let a = 0
  while (e < expected.length || a < actual.length) {
    const wanted = expected[e]
    const given = actual[a]
    if (wanted === given) {
      e += 1
      a += 1
    } else if (given === undefined || (wanted !== undefined && wanted < given)) {
      count('lost', wanted!)
      e += 1
    } else {
      count(given === expected[e - 1] ? 'duplicated' : 'wrong', given)
      a += 1
    }
  }
  return { ...found, example }
}

/** The lines of all the files that can be seen in a folder, sorted. */
export const publishedLines = async (folder: string): Promise<readonly string[]> => {
  const all: string[] = []
  for (const entry of await readdir(folder, { withFileTypes: true, recursive: true })) {
    if (!entry.isFile() || !entry.name.endsWith('.ndjson') || entry.name.startsWith('.')) continue
    for await (const lines of linesOf(join(entry.parentPath, entry.name))) for (const line of lines) all.push(line)
  }
  return all.sort()
}
