import { readFileSync } from 'node:fs'
import { inspect } from 'node:util'
import { expect, test } from 'vitest'
import type { Key } from '../../lib/element.ts'
import { zlib } from '../../lib/node/zlib.ts'
import { chunkOf, valueIn } from '../../lib/snapshot/chunk.ts'
import { readContainer } from '../../lib/snapshot/container.ts'
import { msgpackEncoding } from '../../lib/snapshot/encoding.ts'
import { encodedEntry, type LogEntry, objectNames } from '../../lib/snapshot/log.ts'
import { groupOf } from '../../lib/state/keyGroups.ts'

const page = readFileSync(new URL('../../docs/format.md', import.meta.url), 'utf8')
const encoding = msgpackEncoding()

test('the example is what the code writes, byte by byte, and each line begins where it says', () => {
  const lines = (/```text\n([^`]*)```/.exec(page)?.[1] ?? '').trimEnd().split('\n')
  let length = 0
  const bytes = lines.flatMap(line => {
    const [, offset = '', hex = ''] = /^([0-9a-f]{4})? {2,6}((?:[0-9a-f]{2} ){1,16}) *\S/.exec(line) ?? []
    const own = Buffer.from(hex.replaceAll(' ', ''), 'hex')
    expect(own.length, line).toBeGreaterThan(0)
    if (offset !== '') expect(Number.parseInt(offset, 16), line).toBe(length)
    length += own.length
    return [...own]
  })
  const start: LogEntry = { kind: 'start', epoch: 1, from: 'latest', nextCheckpoint: 1 }
  expect(Buffer.from(bytes).toString('hex')).toBe(Buffer.from(encodedEntry(start, encoding)).toString('hex'))
})

test('the version is that of containers', () => {
  const bytes = encodedEntry({ kind: 'done', epoch: 1 }, encoding)
  expect(page).toContain(`byte by byte: version ${new DataView(bytes.buffer).getUint32(4)}.`)
})

test('the names of objects are those that are given', () => {
  const { snapshot, inFlight, ended } = objectNames(1)
  for (const name of [snapshot(3, '2:scan/0'), inFlight(3, 1), ended('2:scan/0', 1)]) {
    expect(page).toContain(`| \`${name}\` |`)
  }
})

const entries: readonly LogEntry[] = [
  { kind: 'start', epoch: 1, from: 'latest', nextCheckpoint: 1 },
  { kind: 'restart', run: 1, epoch: 2 },
  {
    ...{ kind: 'commit', epoch: 1, checkpoint: 1, keyGroups: 128, stages: { '0:a': 1 } },
    ...{ parts: [], completes: { carriedOver: [] } },
  },
  { kind: 'done', epoch: 1 },
]

test.each(entries)('a $kind has the members that the page says', entry => {
  const container = readContainer(encodedEntry(entry, encoding), { object: 'a', encoding: encoding.name })
  const [chunk] = container.get('entry') ?? []
  const stored = valueIn(chunk as Uint8Array, { coding: encoding, place: 'a' }) as object
  const members = Object.keys(stored).filter(name => name !== 'kind')
  expect(page).toContain(`| \`${entry.kind}\` | ${members.map(name => `\`${name}\``).join(', ')} |`)
})

const keys: readonly Key[] = [
  ...['', 'a', 'Zürich', '漢字', '🌊', '\ud83c\udf0a\ud83c'],
  ...[0, -0, 1, -1, 2 ** 31, 0.5, 1.7e12, Number.NaN, Number.POSITIVE_INFINITY],
  ...[0n, 1n, -1n, 2n ** 64n],
  ...[true, false],
  ...[[], ['a'], ['a', 1], [1, 'a'], [['a', 1], -0], [1n, true]],
]

test.each(keys.map(key => [inspect(key), key] as const))('the hash of %s is that of the page', (shown, key) => {
  const hash = groupOf(key, 2 ** 32)
  const row = `| \`${shown}\` | 0x${hash.toString(16).padStart(8, '0')} | ${groupOf(key, 128)} |`
  expect(page).toContain(row)
})

test('a chunk is as the page says, compressed or not', () => {
  const value = 'a'.repeat(2_000)
  const raw = encoding.encode(value)
  expect([...chunkOf(value, { coding: encoding, place: 'a' })]).toEqual([0, ...raw])
  const { compression } = { compression: zlib() }
  const length = [0, 0, raw.length >> 8, raw.length & 0xff]
  expect([...chunkOf(value, { coding: { ...encoding, compression }, place: 'a' })]).toEqual([
    ...[4, ...Buffer.from('zlib'), ...length],
    ...compression.compress(raw),
  ])
})
