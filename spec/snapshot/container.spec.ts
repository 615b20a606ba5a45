import crc32 from 'crc-32'
import { expect, test } from 'vitest'
import { SpillwayError } from '../../lib/error.ts'
import { readContainer, type Section, writeContainer as writeEncoded } from '../../lib/snapshot/container.ts'

const encoding = 'Größe'
const writeContainer = (of: Iterable<Section>) => writeEncoded(of, { encoding })
const text = (of: string) => new TextEncoder().encode(of)

const sections: readonly Section[] = [
  { name: '["task"]', chunks: [text('ended')] },
  { name: 'leer', chunks: [] },
  { name: '', chunks: [text('a section without a name')] },
  { name: 'Größe 🌊', chunks: [text('one'), new Uint8Array(0), text('three'), new Uint8Array(300).fill(0)] },
]

const cases: Record<string, readonly Section[]> = {
  'no section': [],
  'one section': sections.slice(0, 1),
  'sections with several chunks, one and none': sections,
  'a chunk that looks like a container': [{ name: 'inner', chunks: [writeContainer(sections)] }],
}

test.each(Object.entries(cases))('%s: sections come back in order, chunk by chunk', (_, of) => {
  const read = readContainer(writeContainer(of), { object: 'e1/c1/part', encoding })
  expect([...read].map(([name, chunks]) => ({ name, chunks: chunks.map(chunk => new Uint8Array(chunk)) }))).toEqual(of)
})

test.each(Object.entries(cases))('%s: any flipped byte is found', (_, of) => {
  const bytes = writeContainer(of)
  for (let i = 0; i < bytes.length; i++)
    for (const mask of [0x01, 0x80, 0xff]) {
      const flipped = bytes.slice()
      flipped[i]! ^= mask
      expect(damageIn(flipped), `byte ${i} of ${bytes.length} ^ ${mask}`).toContain('e1/c1/part')
    }
})

test.each(Object.entries(cases))('%s: any missing end, beginning or appended bytes are found', (_, of) => {
  const bytes = writeContainer(of)
  for (let length = 0; length < bytes.length; length++) {
    damageIn(bytes.subarray(0, length))
    damageIn(bytes.subarray(bytes.length - length))
  }
  damageIn(Uint8Array.of(...bytes, 0))
  damageIn(Uint8Array.of(...bytes, ...bytes))
  damageIn(Uint8Array.of(...bytes, ...bytes.subarray(bytes.length - 12)))
  damageIn(new Uint8Array(bytes.length))
})

test('damage in a section names the section', () => {
  const bytes = writeContainer(sections)
  const position = Buffer.from(bytes).indexOf('three')
  bytes[position]! ^= 4
  expect(damageIn(bytes)).toContain('section Größe 🌊')
})

test('bytes that moved from one chunk of a section to the next are found, and chunks that changed places', () => {
  const bytes = writeContainer([{ name: 's', chunks: [text('ab'), text('cd')] }])
  const swapped = writeContainer([{ name: 's', chunks: [text('cd'), text('ab')] }])
  const body = (of: Uint8Array) => of.subarray(8, 12)
  body(bytes).set(body(swapped))
  damageIn(bytes)
})

test('two containers of the same sections are the same bytes', () => {
  expect(writeContainer(sections)).toEqual(writeContainer(sections))
})

test('sections may come from a generator, and bytes lie anywhere in their buffer', () => {
  const bytes = writeContainer(
    (function* () {
      yield* sections
    })(),
  )
  const shifted = new Uint8Array(bytes.length + 3)
  shifted.set(bytes, 3)
  expect([...readContainer(shifted.subarray(3), { object: 'a', encoding }).keys()]).toEqual(
    sections.map(({ name }) => name),
  )
})

test('chunks are read as views, without a copy', () => {
  const bytes = writeContainer(sections)
  expect(readContainer(bytes, { object: 'a', encoding }).get('["task"]')![0]!.buffer).toBe(bytes.buffer)
})

test('two sections of one name are a bug of the caller', () => {
  expect(() => writeContainer([...sections, sections[0]!])).toThrow('Spillway has a bug')
})

/** As a writer of that version would have written it, if it had the same trailer. */
function ofVersion(version: number): Uint8Array {
  const bytes = writeContainer(sections)
  const view = new DataView(bytes.buffer)
  view.setUint32(4, version)
  const trailer = bytes.length - 12
  const index = trailer - view.getUint32(trailer)
  view.setUint32(trailer + 4, crc32.buf(bytes.subarray(index, bytes.length - 8), crc32.buf(bytes.subarray(0, 8))))
  return bytes
}

test.each<[string, Uint8Array, string]>([
  ['an older version', ofVersion(0), 'it is written in version 0 of the format, and version 1 is read'],
  ['a newer version', ofVersion(2), 'it is written in version 2 of the format, and version 1 is read'],
  [
    'another encoding',
    writeEncoded(sections, { encoding: 'json' }),
    'its values are encoded by "json", and "Größe" is read',
  ],
])('%s is no damage, but FORMAT_UNKNOWN', (_, bytes, says) => {
  const read = () => readContainer(bytes, { object: 'e1/c1/part', encoding })
  expect(read).toThrow(expect.objectContaining({ code: 'FORMAT_UNKNOWN', place: 'e1/c1/part' }))
  expect(read).toThrow(says)
})

function damageIn(bytes: Uint8Array): string {
  try {
    readContainer(bytes, { object: 'e1/c1/part', encoding })
  } catch (error) {
    expect(error).toBeInstanceOf(SpillwayError)
    expect(error).toMatchObject({ code: 'DAMAGED' })
    return (error as Error).message
  }
  throw new Error(`${bytes.length} bytes were read as if they were whole`)
}
