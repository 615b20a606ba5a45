import { appendFileSync, mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as t from 'io-ts'
import { firstValueFrom } from 'rxjs'
import { afterAll, expect, test } from 'vitest'
import { FileChunks } from '../../lib/node/fileChunks.ts'
import { type NdjsonFileOptions, ndjsonFile } from '../../lib/node/ndjsonFile.ts'
import { readSplit, splitsOf } from '../operators/sources/readSplit.ts'

const directory = mkdtempSync(join(tmpdir(), 'spillway-ndjson-'))
afterAll(() => rmSync(directory, { recursive: true }))

let files = 0
const file = (content: string | Uint8Array): string => {
  const path = join(directory, `${files++}.ndjson`)
  writeFileSync(path, content)
  return path
}

const Word = t.type({ word: t.string })
const words = ['a', 'Zürich', '東京', '👩‍🚀', '', 'x'.repeat(40)]
const wordLines = words.map(word => `${JSON.stringify({ word })}\n`).join('')

const read = (
  path: string,
  options: Omit<NdjsonFileOptions, 'undecodable'> & { from?: any; recordsMax?: number } = {},
) => readSplit(ndjsonFile(path, Word, options), path, options)

const readAny = async (content: string | Uint8Array) => {
  const path = file(content)
  return (await readSplit(ndjsonFile(path, t.unknown), path)).records
}

test.each<[claim: string, content: string, records: readonly unknown[]]>([
  ['an empty file has no records', '', []],
  ['the last line may lack its end', '1\n2', [1, 2]],
  ['empty lines are skipped', '\n1\n\n  \n2\n\n', [1, 2]],
  ['lines may end with \\r\\n', '1\r\n\r\n"a"\r\n', [1, 'a']],
  ['a byte order mark is skipped', '\uFEFF1\n2\n', [1, 2]],
  ['a byte order mark alone is no record', '\uFEFF', []],
  ['U+FFFD itself is a character like others', '"\uFFFD"\n', ['\uFFFD']],
])('%s', async (_, content, records) => {
  expect(await readAny(content)).toEqual(records)
})

test('a chunk may end at any byte, also inside a character', async () => {
  const path = file(wordLines)
  for (let chunkBytes = 1; chunkBytes <= Buffer.byteLength(wordLines) + 1; chunkBytes++) {
    for (const recordsMax of [1, 3, 100]) {
      const { records } = await read(path, { chunkBytes, recordsMax })
      expect(records.map(({ word }) => word)).toEqual(words)
    }
  }
})

test('a restore at any position goes on with the next line, at any chunk size', async () => {
  const path = file(`\uFEFF${wordLines}\r\n{"word":"last"}`)
  const whole = await read(path, { recordsMax: 1 })
  expect(whole.positions).toHaveLength(words.length + 1)
  for (const { count, position } of [{ count: 0, position: { offset: 0, line: 0 } }, ...whole.positions]) {
    for (const chunkBytes of [1, 7, 1000]) {
      const rest = await read(path, { from: position, chunkBytes })
      expect(rest.records).toEqual(whole.records.slice(count))
      if (rest.records.length > 0)
        expect(rest.positions.at(-1)).toMatchObject({ position: whole.positions.at(-1)?.position })
    }
  }
})

test('a line that does not decode fails the task, naming file, line, path, what was expected and found', async () => {
  const path = file('{"word":"a"}\n\n{"word":7}\n')
  for (const chunkBytes of [1, 1000]) {
    await expect(read(path, { chunkBytes })).rejects.toMatchObject({
      code: 'UNDECODABLE',
      place: `${path} line 3`,
      message: expect.stringContaining('word: expected string, found 7'),
    })
  }
})

test('the line is named after a restore too', async () => {
  const path = file('{"word":"a"}\n{"word":"b"}\n{"word":7}\n')
  await expect(read(path, { from: { offset: 13, line: 1 } })).rejects.toMatchObject({ place: `${path} line 3` })
})

test.each<[string, string | Uint8Array, string]>([
  ['no JSON', '{"word"', 'expected JSON: '],
  ['two values', '{"word":"a"}{"word":"b"}', 'expected JSON: '],
  [
    'no UTF-8',
    Buffer.from([...Buffer.from('{"word":"'), 0xff, ...Buffer.from('"}')]),
    'expected UTF-8, found other bytes',
  ],
  ['half a character', Buffer.from('{"word":"é"}').filter(byte => byte !== 0xa9), 'expected UTF-8, found other bytes'],
])('a line is undecodable if it is %s', async (_, content, problem) => {
  await expect(read(file(content))).rejects.toMatchObject({
    code: 'UNDECODABLE',
    message: expect.stringContaining(problem),
  })
})

test('undecodable lines can be read from the side, each once, with their place', async () => {
  const lines = ['{"word":"a"}', 'no', '{"word":7}', '{"word":"b"}', '{', '["é"]', '']
  const path = file(lines.join('\n'))
  const source = ndjsonFile(path, Word, { undecodable: 'side' })
  expect(source.sides).toEqual(['undecodable'])
  for (const recordsMax of [1, 2, 100]) {
    const whole = await readSplit(source, path, { recordsMax })
    expect(whole.records).toEqual([{ word: 'a' }, { word: 'b' }])
    expect(whole.sides).toEqual([
      { file: path, line: 2, offset: 13, text: 'no', error: expect.stringContaining('expected JSON') },
      { file: path, line: 3, offset: 16, text: '{"word":7}', error: 'word: expected string, found 7' },
      { file: path, line: 5, offset: 40, text: '{', error: expect.stringContaining('expected JSON') },
      { file: path, line: 6, offset: 42, text: '["é"]', error: 'expected { word: string }, found ["é"]' },
    ])
  }
})

test('records and side records before a position are not read again behind it', async () => {
  const path = file('x\n{"word":"a"}\ny\nz\n{"word":"b"}\nw')
  const source = ndjsonFile(path, Word, { undecodable: 'side' })
  const positions = (await readSplit(source, path, { recordsMax: 1 })).positions
  expect(positions).toHaveLength(6)
  for (const [i, { position, count }] of positions.entries()) {
    const rest = await readSplit(source, path, { from: position })
    expect([rest.records.length, rest.sides.length]).toEqual([2 - count, 4 - (i + 1 - count)])
  }
})

test('each file is a split with its path as id', async () => {
  const paths = [file('1\n'), file('2\n')]
  const source = ndjsonFile(paths, t.number)
  expect(await splitsOf(source)).toEqual(paths)
  expect((await readSplit(source, paths[1] as string)).records).toEqual([2])
  expect(source.name).toBe(`ndjsonFile:${directory}/`)
  expect(ndjsonFile('in/a.ndjson', t.number).name).toBe('ndjsonFile:in/a.ndjson')
})

test('a missing file is noticed before anything runs', async () => {
  const missing = join(directory, 'missing.ndjson')
  await expect(splitsOf(ndjsonFile(missing, Word))).rejects.toMatchObject({ code: 'FILE_NOT_FOUND', place: missing })
  await expect(read(missing)).rejects.toMatchObject({ code: 'FILE_NOT_FOUND', place: missing })
})

test('a directory is no file', async () => {
  const path = join(directory, 'a directory')
  mkdirSync(path)
  await expect(splitsOf(ndjsonFile(path, Word))).rejects.toMatchObject({ code: 'FILE_NOT_FOUND' })
})

test('a file that has become shorter than a restored position is an error', async () => {
  const path = file('{"word":"a"}\n{"word":"b"}\n')
  truncateSync(path, 13)
  await expect(read(path, { from: { offset: 26, line: 2 } })).rejects.toMatchObject({
    code: 'READ_FAILED',
    message: expect.stringContaining('has only 13 bytes now'),
  })
  expect((await read(path, { from: { offset: 13, line: 1 } })).records).toEqual([])
})

test('a file whose lines have moved is an error at a restore', async () => {
  const path = file('{"word":"abc"}\n{"word":"b"}\n')
  await expect(read(path, { from: { offset: 13, line: 1 } })).rejects.toMatchObject({
    code: 'READ_FAILED',
    message: expect.stringContaining('no longer the end of a line'),
  })
})

test('what was appended behind a restored end is read', async () => {
  const path = file('{"word":"a"}')
  const { positions } = await read(path)
  appendFileSync(path, '\n{"word":"b"}\n')
  expect((await read(path, { from: positions.at(-1)?.position })).records).toEqual([{ word: 'b' }])
})

test.each([1, 10, 1000])('a line that is too long is an error, at chunks of %i bytes', async chunkBytes => {
  const path = file(`{"word":"a"}\n{"word":"${'b'.repeat(50)}"}\n`)
  await expect(read(path, { chunkBytes, lineBytesMax: 60 })).rejects.toMatchObject({
    code: 'READ_FAILED',
    place: `${path} line 2`,
    message: expect.stringContaining('begins at byte 13'),
  })
  expect((await read(path, { chunkBytes, lineBytesMax: 61 })).records).toHaveLength(2)
})

test.each([
  ['a file twice', () => ndjsonFile(['a', 'a'], Word)],
  ['no chunk', () => ndjsonFile('a', Word, { chunkBytes: 0 })],
  ['half a byte', () => ndjsonFile('a', Word, { lineBytesMax: 0.5 })],
])('an option that makes no sense is refused: %s', (_, make) => {
  expect(make).toThrow('INVALID_OPTION')
})

test('one chunk is read ahead, not more, however long the reader waits', async () => {
  const chunks = new FileChunks({ path: file('abcdefgh'), offset: 0, chunkBytes: 2 })
  expect(chunks.take()).toBe('wait')
  await firstValueFrom(chunks.ready$)
  const first = chunks.take()
  expect(String(first)).toBe('ab')
  await new Promise(resolve => setTimeout(resolve, 20))
  expect(String(first)).toBe('ab')
  expect(String(chunks.take())).toBe('cd')
  chunks.close()
})

test('a reader may be closed before, during and after reading', async () => {
  const path = file(wordLines)
  const source = ndjsonFile(path, Word)
  source.open(path, undefined).close()
  const during = source.open(path, undefined)
  during.next(1)
  during.close()
  const after = source.open(path, undefined)
  after.next(1)
  await firstValueFrom(after.ready$)
  after.next(100)
  after.close()
})
