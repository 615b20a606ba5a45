import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import * as t from 'io-ts'
import * as node from 'spillway/node'
import { collect } from 'spillway/operators'
import { type Law, type SinkPlace, sinkLaws } from 'spillway/testing'
import { afterAll, describe, expect, test } from 'vitest'

const root = mkdtempSync(join(tmpdir(), 'spillway-sinkLaws-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))
let directories = 0

interface Row {
  readonly n: number
  readonly text: string
}
/** So long that some hundreds of them fill a writer. */
const row = (n: number): Row => ({ n, text: 'x'.repeat(3_000) })

const files =
  (options: node.NdjsonFilesOptions<Row> = {}) =>
  (): SinkPlace<Row> => {
    const directory = join(root, `${++directories}`)
    mkdirSync(directory)
    /** By their own names, whatever directory they are in. */
    const names = () =>
      readdirSync(directory, { recursive: true, encoding: 'utf8' })
        .filter(name => name.endsWith('.ndjson'))
        .sort((a, b) => (basename(a) < basename(b) ? -1 : 1))
    return {
      sink: () => node.ndjsonFiles(directory, t.type({ n: t.number, text: t.string }), options),
      published: () =>
        names()
          .filter(name => !basename(name).startsWith('.'))
          .flatMap(name => readFileSync(join(directory, name), 'utf8').split('\n').slice(0, -1))
          .map(line => JSON.parse(line)),
      leftBehind: () => names().filter(name => basename(name).startsWith('.')).length,
    }
  }

const collected = (): SinkPlace<Row> => {
  const sink = collect<Row>()
  return { sink: () => sink, published: () => sink.records }
}

const laws: Readonly<Record<string, readonly Law[]>> = {
  collect: sinkLaws('collect', collected, row, { stepsMax: 6 }),
  ndjsonFiles: [
    ...sinkLaws('ndjsonFiles', files(), row, { stepsMax: 5 }),
    ...sinkLaws('ndjsonFiles of one record each', files({ fileBytesMax: 1 }), row, { stepsMax: 5 }),
    ...sinkLaws('ndjsonFiles by the hour', files({ hourOf: ({ n }) => n * 1_000_000 }), row, { stepsMax: 5 }),
  ],
}

for (const [name, of] of Object.entries(laws)) {
  describe(name, () => {
    for (const { title, check } of of) test(title, check)
  })
}

/** With laws of their own, in stores.spec.ts and sources.spec.ts; and what is no sink, source or store. */
const others = ['fileStore', 'ndjsonFile', 'zlib']

test('every sink of spillway/node has laws', () => {
  expect(Object.keys(node).sort()).toEqual([...Object.keys(laws).filter(name => name in node), ...others].sort())
})
