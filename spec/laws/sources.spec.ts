import { mkdtempSync, readdirSync, readlinkSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as t from 'io-ts'
import * as node from 'spillway/node'
import { fromArray, fromIterable } from 'spillway/operators'
import { type Law, sourceLaws } from 'spillway/testing'
import { afterAll, describe, expect, test } from 'vitest'

const { ndjsonFile } = node
const letters = [...'abcdefghijk']

const directory = mkdtempSync(join(tmpdir(), 'spillway-sourceLaws-'))
afterAll(() => rmSync(directory, { recursive: true, force: true }))
const file = (name: string, text: string): string => {
  const path = join(directory, name)
  writeFileSync(path, text)
  return path
}
const rows = (count: number) =>
  Array.from({ length: count }, (_, n) => `${JSON.stringify({ n, text: 'ü'.repeat(n % 5) })}\n`)
const files = [
  file('rows.ndjson', rows(25).join('')),
  file('unusual.ndjson', `\uFEFF{"n":1}\r\n\n\n{"n":2}\nno JSON\n{"m":3}\nno JSON either\n{"n":4}\n{"n":5}`),
  file('empty.ndjson', ''),
]

/** Files of the directory that this process has open; only Linux tells. */
const openFiles = (): number => {
  if (process.platform !== 'linux') return 0
  const paths = readdirSync('/proc/self/fd').map(fd => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`)
    } catch {
      return ''
    }
  })
  return paths.filter(path => path.startsWith(directory)).length
}

const laws: Readonly<Record<string, readonly Law[]>> = {
  fromArray: [1, 3, 20].flatMap(splits =>
    sourceLaws(`fromArray in ${splits} splits`, () => fromArray(letters, { splits })),
  ),
  fromIterable: [
    ...sourceLaws('fromIterable of a generator', () =>
      fromIterable(function* () {
        yield* letters
      }),
    ),
    ...sourceLaws('fromIterable of nothing', () => fromIterable(() => [])),
  ],
  ndjsonFile: [7, 64, 256 * 1024].flatMap(chunkBytes =>
    sourceLaws(
      `ndjsonFile in chunks of ${chunkBytes}`,
      () => ndjsonFile(files, t.type({ n: t.number }), { undecodable: 'side', chunkBytes }),
      { held: openFiles },
    ),
  ),
}

for (const [name, of] of Object.entries(laws)) {
  describe(name, () => {
    for (const { title, check } of of) test(title, check)
  })
}

/** With laws of their own, in stores.spec.ts and sinks.spec.ts; and what is no sink, source or store. */
const others = ['fileStore', 'ndjsonFiles', 'zlib']

test('every source of spillway/node has laws', () => {
  expect(Object.keys(node).sort()).toEqual([...Object.keys(laws).filter(name => name in node), ...others].sort())
})
