import { expect, test } from 'vitest'
import { chunkOf } from '../../lib/snapshot/chunk.ts'
import { crcOf, writeContainer } from '../../lib/snapshot/container.ts'
import { msgpackEncoding } from '../../lib/snapshot/encoding.ts'
import { encodedEntry, type LogEntry, readEntry } from '../../lib/snapshot/log.ts'

const encoding = msgpackEncoding()
const bytes = (...of: readonly number[]) => Uint8Array.from(of)

const commit = { kind: 'commit', epoch: 1, checkpoint: 7, keyGroups: 128, stages: { '0:a': 2 } } as const
const put = {
  task: '0:a/1',
  ended: true,
  sections: [],
  pieces: [
    { holds: 'state', object: 'e000001/ended/a', begin: 0, bytes: 90, crc: 5 },
    { holds: 'inFlight', object: 'e000001/c000001/in-flight.1', begin: 70, bytes: 20, crc: 6 },
  ],
} as const
const inline = (task: string, kept: Uint8Array, ...inFlight: readonly Uint8Array[]) => {
  const sections = [
    { name: '["kept","a"]', chunks: [kept] },
    { name: '["channel",0,1]', chunks: inFlight },
  ]
  return { task, ended: false, sections, pieces: [] }
}

test.each<[string, LogEntry]>([
  ['a start', { kind: 'start', epoch: 3, from: { checkpoint: 2, entries: [4, 7] }, nextCheckpoint: 9 }],
  ['no parts', { ...commit, parts: [], completes: { carriedOver: [{ task: '0:a/0', checkpoint: 6, entry: 2 }] } }],
  [
    'a snapshot with nothing in it',
    { ...commit, parts: [{ tasks: [{ task: 'a', ended: false, sections: [], pieces: [] }] }] },
  ],
  [
    'snapshots here and elsewhere, each with its own bytes',
    {
      ...commit,
      parts: [
        { tasks: [inline('0:a/0', bytes(1), bytes(2, 3), bytes()), put] },
        { tasks: [inline('0:b/0', bytes(4)), inline('0:b/1', bytes(5), bytes(6))] },
      ],
    },
  ],
])('an entry comes back as it was: %s', (_, entry) => {
  expect(readEntry(1, encodedEntry(entry, encoding), encoding)).toEqual(entry)
})

test('what is read shares no memory with the entry', () => {
  const entry = encodedEntry({ ...commit, parts: [{ tasks: [inline('0:a/0', bytes(1))] }] }, encoding)
  const read = readEntry(1, entry, encoding)
  entry.fill(0)
  expect(read).toMatchObject({ parts: [{ tasks: [{ sections: [{ chunks: [bytes(1)] }, {}] }] }] })
})

const chunksOf = (count: number) => Array.from({ length: count }, (_, i) => bytes(i))
const listed = { ...commit, parts: [[['0:a/0', false, [['["kept","a"]', 2, crcOf(chunksOf(2))]]]]] }

test.each([
  ['it lacks chunks of 0:a/0', [{ name: 'snapshots', chunks: chunksOf(1) }]],
  ['it lacks chunks of 0:a/0', []],
  ['it has chunks of no snapshot', [{ name: 'snapshots', chunks: chunksOf(3) }]],
])('an entry whose lists do not agree is damaged: %s', (says, sections) => {
  const entry = writeContainer(
    [{ name: 'entry', chunks: [chunkOf(listed, { coding: encoding, place: 'a' })] }, ...sections],
    {
      encoding: encoding.name,
    },
  )
  expect(() => readEntry(4, entry, encoding)).toThrow(
    expect.objectContaining({ code: 'DAMAGED', place: 'log entry 4' }),
  )
  expect(() => readEntry(4, entry, encoding)).toThrow(says)
})
