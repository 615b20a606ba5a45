import { messageOf, SpillwayError } from '../error.ts'
import type { Compression } from './compression.ts'
import type { Encoding } from './encoding.ts'

/** How values become chunks of what is stored, and back. */
export interface Coding extends Encoding {
  /** What chunks are written with; default: they are not compressed. */
  readonly compression?: Compression | undefined
  /** Others that chunks may have been written with. */
  readonly oldCompressions?: readonly Compression[] | undefined
}

export const codingOf = (
  encoding: Encoding,
  compressions: Pick<Coding, 'compression' | 'oldCompressions'>,
): Coding => ({
  name: encoding.name,
  encode: (value, place) => encoding.encode(value, place),
  decode: (bytes, place) => encoding.decode(bytes, place),
  ...compressions,
})

interface ChunkOptions {
  readonly coding: Coding
  /** Whose value it is, or where the chunk stands, for the error. */
  readonly place: string
}

/**
 * A value as bytes that say by themselves how they are compressed, so that a chunk may be carried over from what an older run
 * has written:
 *
 *   length of the compression's name   u8    0: the encoded value follows as it is
 *   name                                     in UTF-8
 *   length of the encoded value        u32   big-endian
 *   the encoded value, compressed
 *
 * What is small, or would not become smaller, is not compressed.
 * @throws NOT_ENCODABLE
 */
export const chunkOf = (value: unknown, { coding, place }: ChunkOptions): Uint8Array => {
  const raw = coding.encode(value, place)
  const { compression } = coding
  return (compression && raw.length >= compressedFromBytes && compressedBy(compression, raw)) || plain(raw)
}

/** @throws DAMAGED, FORMAT_UNKNOWN if it is compressed by what the job has not been given */
export const valueIn = (chunk: Uint8Array, { coding, place }: ChunkOptions): unknown =>
  coding.decode(rawIn(chunk, { coding, place }), place)

/** What it has cost to make the chunk, as bytes of encoding; compressing takes about twice the time. */
export const costOf = (chunk: Uint8Array): number => {
  const nameLength = chunk[0] as number
  return nameLength === 0 ? chunk.length : 3 * rawLengthIn(chunk, nameLength)
}

const plain = (raw: Uint8Array): Uint8Array => {
  const chunk = new Uint8Array(1 + raw.length)
  chunk.set(raw, 1)
  return chunk
}

/** undefined: it would not become smaller. */
const compressedBy = (compression: Compression, raw: Uint8Array): Uint8Array | undefined => {
  const name = new TextEncoder().encode(compression.name)
  const compressed = compression.compress(raw)
  const begin = 1 + name.length + lengthSize
  if (begin + compressed.length > raw.length) return undefined
  const chunk = new Uint8Array(begin + compressed.length)
  chunk[0] = name.length
  chunk.set(name, 1)
  new DataView(chunk.buffer).setUint32(1 + name.length, raw.length)
  chunk.set(compressed, begin)
  return chunk
}

const rawIn = (chunk: Uint8Array, { coding, place }: ChunkOptions): Uint8Array => {
  const [nameLength] = chunk
  if (nameLength === undefined) throw damaged(place, 'a chunk is empty')
  if (nameLength === 0) return chunk.subarray(1)
  const begin = 1 + nameLength + lengthSize
  if (begin > chunk.length) throw damaged(place, 'a chunk ends within its header')
  const name = new TextDecoder().decode(chunk.subarray(1, 1 + nameLength))
  const given = [...(coding.compression === undefined ? [] : [coding.compression]), ...(coding.oldCompressions ?? [])]
  const compression = given.find(of => of.name === name)
  if (compression === undefined) throw unknown(place, { name, given })
  return decompressed(chunk.subarray(begin), { compression, length: rawLengthIn(chunk, nameLength), place })
}

const decompressed = (
  bytes: Uint8Array,
  {
    compression,
    length,
    place,
  }: { readonly compression: Compression; readonly length: number; readonly place: string },
): Uint8Array => {
  let raw: Uint8Array
  try {
    raw = compression.decompress(bytes, length)
  } catch (cause) {
    throw damaged(
      place,
      `a chunk is not what ${compression.name} has made of ${length} bytes (${messageOf(cause)})`,
      cause,
    )
  }
  if (raw.length === length) return raw
  throw damaged(place, `a chunk gives ${raw.length} bytes by ${compression.name}, not ${length}`)
}

const rawLengthIn = ({ buffer, byteOffset, byteLength }: Uint8Array, nameLength: number): number =>
  new DataView(buffer, byteOffset, byteLength).getUint32(1 + nameLength)

const damaged = (place: string, problem: string, cause?: unknown) =>
  new SpillwayError('DAMAGED', {
    place,
    problem: `${problem}.`,
    remedy: 'Restore it from a copy of the store, or the job from an earlier checkpoint.',
    cause,
  })

const unknown = (place: string, { name, given }: { readonly name: string; readonly given: readonly Compression[] }) =>
  new SpillwayError('FORMAT_UNKNOWN', {
    place,
    problem: `it is compressed by ${JSON.stringify(name)}, and the job has been given ${
      given.length === 0 ? 'no compression' : given.map(of => JSON.stringify(of.name)).join(', ')
    }.`,
    remedy:
      'Give run the compression of that name in checkpoints.oldCompressions, or to write with it too as checkpoints.compression.',
  })

const lengthSize = 4
/** Below, beginning takes zlib longer (30 us) than encoding, and a disk writes as many bytes anyway. */
const compressedFromBytes = 1_024
