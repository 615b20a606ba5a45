import crc32 from 'crc-32'
import { SpillwayError } from '../error.ts'
import { invariant } from '../invariant.ts'

/**
 * An object of the store, or an entry of its log, format version 1: sections, each of any number of chunks, found through an
 * index at the end, so that a reader of a range need not read the rest. docs/format.md has it byte by byte.
 *
 *   magic       4 bytes   "SPWY"
 *   version     u32       1
 *   chunks                one after the other, section by section
 *   index                 the encoding's name: its length u8, in UTF-8; then a section each: length of its name u32, name in
 *                         UTF-8, number of chunks u32, length of each u32, crc u32
 *   index size  u32
 *   index crc   u32       of magic, version, index and index size
 *   magic       4 bytes
 *
 * Numbers are big-endian. A section's crc covers its entry in the index (but for itself) and its chunks. So every byte
 * is under a crc or is one, and the lengths must add up to the size of the whole. What is not the index's content is the same in
 * every version, so that a damaged object is told from one of another version.
 */
export interface Section {
  readonly name: string
  readonly chunks: readonly Uint8Array[]
}

/** Sections in one array of bytes, copied; names must differ. `encoding`: its name. */
export function writeContainer(sections: Iterable<Section>, options: { readonly encoding: string }): Uint8Array {
  const steps = containerSteps(sections, options)
  for (;;) {
    const { done, value } = steps.next()
    if (done === true) return value
  }
}

/** As `writeContainer`, chunk by chunk, as of a large state it takes a millisecond a megabyte: gives the bytes that each step was about. */
export function* containerSteps(
  sections: Iterable<Section>,
  { encoding }: { readonly encoding: string },
): Generator<number, Uint8Array> {
  const all = [...sections]
  invariant(new Set(all.map(({ name }) => name)).size === all.length, () => `sections ${all.map(s => s.name)} differ`)
  const entries = [encodingEntry(encoding)]
  for (const section of all) entries.push(yield* entryOf(section))
  const indexSize = entries.reduce((size, { length }) => size + length, 0)
  const bytes = new Uint8Array(headerSize + chunksSize(all) + indexSize + trailerSize)
  const view = new DataView(bytes.buffer)
  view.setUint32(0, magic)
  view.setUint32(4, version)
  let position = headerSize
  for (const { chunks } of all)
    for (const chunk of chunks) {
      bytes.set(chunk, position)
      position += chunk.length
      yield chunk.length
    }
  for (const entry of entries) {
    bytes.set(entry, position)
    position += entry.length
  }
  view.setUint32(position, indexSize)
  view.setUint32(position + 4, indexCrc(bytes, position - indexSize))
  view.setUint32(position + 8, magic)
  return bytes
}

/**
 * The sections by name, in order; every byte has been checked before it returns. The chunks are views of `bytes`.
 * `object` is its name, for the error; the section `unread` is left out, whatever has become of it, and those called `unchecked` are given as they are.
 *
 * @throws DAMAGED if the bytes are not what `writeContainer` has written, naming the section where that is known; FORMAT_UNKNOWN
 * if they are of another version, or of another encoding than `encoding`
 */
export function readContainer(
  bytes: Uint8Array,
  {
    object,
    encoding,
    unread,
    unchecked = [],
  }: {
    readonly object: string
    readonly encoding: string
    readonly unread?: string | undefined
    readonly unchecked?: readonly string[]
  },
): ReadonlyMap<string, readonly Uint8Array[]> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (bytes.length < headerSize + trailerSize) throw damaged(object, `it ends after ${bytes.length} bytes`)
  if (view.getUint32(0) !== magic) throw damaged(object, 'it does not begin as an object of Spillway')
  const trailer = bytes.length - trailerSize
  if (view.getUint32(trailer + 8) !== magic) throw damaged(object, 'its end is missing')
  const index = trailer - view.getUint32(trailer)
  if (index < headerSize || indexCrc(bytes, index) !== view.getUint32(trailer + 4))
    throw damaged(object, 'its index does not match its checksum')
  if (view.getUint32(4) !== version) throw otherVersion(object, view.getUint32(4))
  const encodedBy = utf8.decode(bytes.subarray(index + 1, index + 1 + view.getUint8(index)))
  if (encodedBy !== encoding) throw otherEncoding(object, { encodedBy, encoding })

  const sections = new Map<string, readonly Uint8Array[]>()
  let entry = index + 1 + view.getUint8(index)
  let position = headerSize
  while (entry < trailer) {
    const begin = entry
    const nameEnd = begin + 4 + view.getUint32(begin)
    const name = utf8.decode(bytes.subarray(begin + 4, nameEnd))
    const count = view.getUint32(nameEnd)
    entry = nameEnd + 4
    const chunks: Uint8Array[] = []
    for (let i = 0; i < count; i++, entry += 4) {
      const length = view.getUint32(entry)
      chunks.push(bytes.subarray(position, position + length))
      position += length
    }
    const isRead = name !== unread
    const isChecked = isRead && !unchecked.includes(name)
    if (position > index || (isChecked && sectionCrc(bytes.subarray(begin, entry), chunks) !== view.getUint32(entry)))
      throw damaged(object, `its section ${name} does not match its checksum`)
    entry += 4
    if (isRead) sections.set(name, chunks)
  }
  if (position !== index) throw damaged(object, `its sections end at byte ${position}, not ${index}`)
  return sections
}

/**
 * What tells an object from another one of its size: the crc of its index, which holds those of all its sections. Found in the
 * trailer; only `readContainer` says whether the object matches it.
 */
export function checksumOf(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return view.getUint32(bytes.length - trailerSize + 4)
}

/** The beginning of the index. */
function encodingEntry(encoding: string): Uint8Array {
  const name = new TextEncoder().encode(encoding)
  invariant(name.length < 256, () => `the encoding's name ${encoding} has at most 255 bytes`)
  return Uint8Array.of(name.length, ...name)
}

/** A section's part of the index. */
function* entryOf({ name, chunks }: Section): Generator<number, Uint8Array> {
  const encodedName = new TextEncoder().encode(name)
  const entry = new Uint8Array(encodedName.length + 4 * chunks.length + 12)
  const view = new DataView(entry.buffer)
  view.setUint32(0, encodedName.length)
  entry.set(encodedName, 4)
  let position = 4 + encodedName.length
  for (const length of [chunks.length, ...chunks.map(chunk => chunk.length)]) {
    invariant(length < 2 ** 32, () => `${length}, in section ${name}, fits into 32 bits`)
    view.setUint32(position, length)
    position += 4
  }
  let crc = crc32.buf(entry.subarray(0, position))
  for (const chunk of chunks) {
    crc = crc32.buf(chunk, crc)
    yield chunk.length
  }
  view.setUint32(position, crc >>> 0)
  return entry
}

/** Of the chunks behind one another, and what stands before them. */
export const crcOf = (chunks: readonly Uint8Array[], before = 0): number =>
  chunks.reduce((crc, chunk) => crc32.buf(chunk, crc), before) >>> 0

const sectionCrc = (entry: Uint8Array, chunks: readonly Uint8Array[]): number => crcOf(chunks, crc32.buf(entry))

/** Of the header, and from the index up to this checksum itself. */
const indexCrc = (bytes: Uint8Array, index: number): number =>
  crc32.buf(bytes.subarray(index, bytes.length - 8), crc32.buf(bytes.subarray(0, headerSize))) >>> 0

const chunksSize = (sections: readonly Section[]): number =>
  sections.reduce((size, { chunks }) => chunks.reduce((sum, chunk) => sum + chunk.length, size), 0)

const damaged = (object: string, problem: string) =>
  new SpillwayError('DAMAGED', {
    place: object,
    problem: `${problem}.`,
    remedy: 'Restore it from a copy of the store, or the job from an earlier checkpoint.',
  })

const otherVersion = (object: string, found: number) =>
  new SpillwayError('FORMAT_UNKNOWN', {
    place: object,
    problem: `it is written in version ${found} of the format, and version ${version} is read.`,
    remedy: 'Run the job with the version of Spillway that has written it, or begin anew on another store.',
  })

const otherEncoding = (
  object: string,
  { encodedBy, encoding }: { readonly encodedBy: string; readonly encoding: string },
) =>
  new SpillwayError('FORMAT_UNKNOWN', {
    place: object,
    problem: `its values are encoded by ${JSON.stringify(encodedBy)}, and ${JSON.stringify(encoding)} is read.`,
    remedy: 'Give the encoding of that name as checkpoints.encoding, or begin anew on another store.',
  })

const magic = 0x53505759
const version = 1
const headerSize = 8
const trailerSize = 12
const utf8 = new TextDecoder('utf-8', { ignoreBOM: true })
