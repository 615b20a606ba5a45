import { stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import * as t from 'io-ts'
import { defer, type Observable } from 'rxjs'
import { messageOf, SpillwayError } from '../error.ts'
import type { Source } from '../graph/source.ts'
import { fileNotFound } from './fileChunks.ts'
import { type NdjsonPosition, NdjsonReader, type Undecodable } from './ndjsonReader.ts'

export type { NdjsonPosition, Undecodable }

export interface NdjsonFileOptions {
  readonly name?: string
  /** What becomes of a line that is no JSON or does not fit the codec: it fails the task (default), or goes to the side output `undecodable`. */
  readonly undecodable?: 'fail' | 'side'
  /** A longer line is an error, in bytes; default 1 MiB. */
  readonly lineBytesMax?: number
  /** How much is read at once; default 256 KiB. */
  readonly chunkBytes?: number
}

/**
 * Reads files of one JSON value a line; each file is a split, its path as given the split's id.
 *
 * Empty lines, a byte order mark and `\r` are skipped, the last line may lack its end. Files must be complete: what is
 * appended after the end was read is not seen. Holds two chunks and the longest line a file being read.
 * @throws FILE_NOT_FOUND at the start; READ_FAILED; UNDECODABLE naming file, line and path; INVALID_OPTION
 */
export function ndjsonFile<A>(
  path: string | readonly string[],
  codec: t.Decoder<unknown, A>,
  options: NdjsonFileOptions & { readonly undecodable: 'side' },
): Source<A, NdjsonPosition, { undecodable: Undecodable }>
export function ndjsonFile<A>(
  path: string | readonly string[],
  codec: t.Decoder<unknown, A>,
  options?: NdjsonFileOptions & { readonly undecodable?: 'fail' },
): Source<A, NdjsonPosition>
export function ndjsonFile<A>(
  path: string | readonly string[],
  codec: t.Decoder<unknown, A>,
  options: NdjsonFileOptions = {},
): Source<A, NdjsonPosition, { undecodable: Undecodable }> {
  const { undecodable = 'fail', lineBytesMax = 1024 * 1024, chunkBytes = 256 * 1024 } = options
  const paths = typeof path === 'string' ? [path] : path
  const name = options.name ?? `ndjsonFile:${typeof path === 'string' ? path : `${dirname(path[0] ?? '.')}/`}`
  assertPositive(name, { lineBytesMax, chunkBytes })
  assertDistinct(name, paths)
  return {
    name,
    position: t.type({ offset: t.number, line: t.number }),
    splits: () => allThere(paths),
    open: (file, from = { offset: 0, line: 0 }) =>
      new NdjsonReader({ file, codec, from, undecodable, lineBytesMax, chunkBytes }),
    sides: undecodable === 'side' ? ['undecodable'] : [],
  }
}

function assertPositive(place: string, options: Record<string, number>): void {
  for (const [option, value] of Object.entries(options)) {
    if (Number.isInteger(value) && value > 0) continue
    const problem = `${option} is ${value}.`
    throw new SpillwayError('INVALID_OPTION', { place, problem, remedy: 'Give a whole number of at least 1.' })
  }
}

function assertDistinct(place: string, paths: readonly string[]): void {
  const twice = paths.find((path, i) => paths.indexOf(path) !== i)
  if (twice === undefined) return
  const problem = `${twice} is given twice.`
  throw new SpillwayError('INVALID_OPTION', { place, problem, remedy: 'Give each file once.' })
}

const allThere = (paths: readonly string[]): Observable<readonly string[]> =>
  defer(async () => {
    await Promise.all(paths.map(assertThere))
    return paths
  })

async function assertThere(path: string): Promise<void> {
  const stats = await stat(path).catch(error => {
    throw fileNotFound(path, `cannot be found (${messageOf(error)})`)
  })
  if (stats.isDirectory()) throw fileNotFound(path, 'is a directory: give the files in it')
}
