import { binaryCodes, kindOf } from './kindOf.ts'
import { type Shape, shapeTable } from './shapeTable.ts'

/** How deep values may be nested: far above what people write, far below what the stack holds; a cycle ends here too. */
export const nestingMax = 500

/** Thrown where the writer meets a value that it cannot write; `findRefused` tells which that is. */
export const refusal = new Error('not encodable')

/** Strings that the reader would not give back: with a lone surrogate (UTF-8 has none), or a byte order mark in front. */
export const isEscapedString = (value: string): boolean => value.charCodeAt(0) === 0xfeff || loneSurrogate.test(value)

/**
 * Writes values as MessagePack with msgpackr's extensions (its records among them: an object's keys are written once
 * a call); each call is complete in itself, and its bytes belong to the caller.
 *
 * Not msgpackr's own writer, which turns -0 into 0, a lone surrogate into U+FFFD and `__proto__` into `__proto_`, strips
 * classes silently, and writes what cannot be read if a key is called `__keys__`. Finding all that beforehand takes a walk
 * that costs a third of the encoding; this writer meets every value anyway.
 *
 * What msgpackr's reader would not give back is escaped: an array of the otherwise unused byte 0xc1 and either a string's
 * UTF-16 code units, or a list of an object's keys and values. The whole is then in such an array too, so that only those who
 * need it pay for looking.
 *
 * @throws `refusal`
 */
export function messagePackWriter(): (value: unknown) => Uint8Array {
  let bytes = new Uint8Array(initialBytes)
  let view = new DataView(bytes.buffer)
  let position = 0
  let depth = 0
  let escaped = false
  let shapes = shapeTable(isEscapedKey)

  return value => {
    position = 2
    depth = 0
    escaped = false
    shapes = shapeTable(isEscapedKey)
    write(value)
    bytes[0] = 0x92
    bytes[1] = 0xc1
    const written = bytes.slice(escaped ? 0 : 2, position)
    if (bytes.length > retainedBytesMax) useBuffer(new Uint8Array(initialBytes))
    return written
  }

  function write(value: unknown): void {
    if (position + 16 > bytes.length) grow(16)
    const type = typeof value
    if (type === 'string') writeString(value as string)
    else if (type === 'number') writeNumber(value as number)
    else if (value === null) bytes[position++] = 0xc0
    else if (type === 'object') writeObject(value as object)
    else if (type === 'boolean') bytes[position++] = value ? 0xc3 : 0xc2
    else if (type === 'undefined') write3(0xd4, 0, 0)
    else if (type === 'bigint') writeBigInt(value as bigint)
    else throw refusal
  }

  function writeNumber(value: number): void {
    if (value >>> 0 === value && (value !== 0 || 1 / value > 0)) {
      if (value < 0x40) bytes[position++] = value
      else if (value < 0x100) {
        bytes[position++] = 0xcc
        bytes[position++] = value
      } else if (value < 0x10000) write3(0xcd, value >> 8, value)
      else {
        bytes[position] = 0xce
        view.setUint32(position + 1, value)
        position += 5
      }
    } else if (value < 0 && value >> 0 === value) {
      if (value >= -32) bytes[position++] = 0x100 + value
      else {
        bytes[position] = 0xd2
        view.setInt32(position + 1, value)
        position += 5
      }
    } else {
      bytes[position] = 0xcb
      view.setFloat64(position + 1, value)
      position += 9
    }
  }

  function writeBigInt(value: bigint): void {
    if (BigInt.asIntN(64, value) === value) {
      bytes[position] = 0xd3
      view.setBigInt64(position + 1, value)
      position += 9
    } else writeExtension(0x42, twosComplement(value))
  }

  function writeString(value: string): void {
    const length = value.length
    const bytesMax = length * 3 // UTF-8 has at most three bytes for a UTF-16 code unit
    if (position + bytesMax + 5 > bytes.length) grow(bytesMax + 5)
    if (length < 32 && writeAscii(value)) return
    if (isEscapedString(value)) {
      openEscape()
      writeBinary(Uint16Array.from({ length }, (_, i) => value.charCodeAt(i)))
      return
    }
    const header = bytesMax < 0x100 ? 2 : bytesMax < 0x10000 ? 3 : 5
    const { written } = utf8.encodeInto(value, bytes.subarray(position + header))
    bytes[position] = header === 2 ? 0xd9 : header === 3 ? 0xda : 0xdb
    if (header === 2) bytes[position + 1] = written
    else if (header === 3) view.setUint16(position + 1, written)
    else view.setUint32(position + 1, written)
    position += header + written
  }

  /** A loop beats the encoder's call for short strings, which most are. */
  function writeAscii(value: string): boolean {
    const to = bytes
    const begin = position + 1
    for (let i = 0; i < value.length; i++) {
      const unit = value.charCodeAt(i)
      if (unit > 0x7f) return false
      to[begin + i] = unit
    }
    to[position] = 0xa0 | value.length
    position = begin + value.length
    return true
  }

  function writeObject(value: object): void {
    if (++depth > nestingMax) throw refusal
    const prototype = Object.getPrototypeOf(value)
    if (prototype === Object.prototype) writeRecord(value as Record<string, unknown>)
    else if (prototype === Array.prototype) writeArray(value as unknown[])
    else writeOther(value)
    depth--
  }

  function writeOther(value: object): void {
    const kind = kindOf(value)
    if (kind === 'map') writeMap(value as Map<unknown, unknown>)
    else if (kind === 'set') writeSet(value as Set<unknown>)
    else if (kind === 'date') writeDate(value as Date)
    else if (kind === 'binary') writeBinary(value as ArrayBufferView | ArrayBuffer)
    else if (kind === 'record') writeRecord(value as Record<string, unknown>)
    else if (kind === 'array') writeArray(value as unknown[])
    else throw refusal
  }

  function writeRecord(value: Record<string, unknown>): void {
    const shape = shapes.of(value)
    if (shape.escaped) {
      writeEscapedRecord(value)
      return
    }
    if (shape.id === undefined) defineShape(shape)
    else bytes[position++] = shape.id
    for (const key in value) write(value[key])
  }

  function defineShape(shape: Shape): void {
    const id = shapes.define(shape)
    write3(0xd4, 0x72, id)
    writeArray(shape.keys)
  }

  function writeEscapedRecord(value: Record<string, unknown>): void {
    openEscape()
    const members: unknown[] = []
    for (const key in value) members.push(key, value[key])
    writeArray(members)
  }

  function openEscape(): void {
    escaped = true
    bytes[position++] = 0x92
    bytes[position++] = 0xc1
    if (position + 16 > bytes.length) grow(16)
  }

  function writeArray(value: readonly unknown[]): void {
    writeLength(0x90, 0xdc, value.length)
    for (let i = 0; i < value.length; i++) write(value[i])
  }

  function writeMap(value: ReadonlyMap<unknown, unknown>): void {
    writeLength(0x80, 0xde, value.size)
    for (const [key, member] of value) {
      write(key)
      write(member)
    }
  }

  function writeSet(value: ReadonlySet<unknown>): void {
    write3(0xd4, 0x73, 0)
    writeArray([...value])
  }

  function writeLength(short: number, long: number, length: number): void {
    if (position + 16 > bytes.length) grow(16)
    if (length < 16) bytes[position++] = short | length
    else if (length < 0x10000) write3(long, length >> 8, length)
    else {
      bytes[position] = long + 1
      view.setUint32(position + 1, length)
      position += 5
    }
  }

  function writeDate(value: Date): void {
    const timeMs = value.getTime()
    if (Number.isNaN(timeMs)) {
      write3(0xd4, 0xff, 0xff)
      return
    }
    const seconds = Math.floor(timeMs / 1000)
    write3(0xc7, 12, 0xff)
    view.setUint32(position, (timeMs - seconds * 1000) * 1_000_000)
    view.setInt32(position + 4, Math.floor(seconds / 0x1_0000_0000))
    view.setUint32(position + 8, seconds >>> 0)
    position += 12
  }

  function writeBinary(value: ArrayBufferView | ArrayBuffer): void {
    const content = ArrayBuffer.isView(value)
      ? new Uint8Array(value.buffer, value.byteOffset, value.byteLength)
      : new Uint8Array(value)
    const coded = new Uint8Array(content.length + 1)
    coded[0] = binaryCodes.get(Object.getPrototypeOf(value))!
    coded.set(content, 1)
    writeExtension(0x74, coded)
  }

  function writeExtension(type: number, content: Uint8Array): void {
    if (position + content.length + 6 > bytes.length) grow(content.length + 6)
    if (content.length < 0x100) write3(0xc7, content.length, type)
    else {
      bytes[position] = 0xc9
      view.setUint32(position + 1, content.length)
      bytes[position + 5] = type
      position += 6
    }
    bytes.set(content, position)
    position += content.length
  }

  function write3(first: number, second: number, third: number): void {
    bytes[position] = first
    bytes[position + 1] = second
    bytes[position + 2] = third
    position += 3
  }

  function grow(by: number): void {
    let length = bytes.length * 2
    while (length < position + by) length *= 2
    const larger = new Uint8Array(length)
    larger.set(bytes.subarray(0, position))
    useBuffer(larger)
  }

  function useBuffer(next: Uint8Array<ArrayBuffer>): void {
    bytes = next
    view = new DataView(next.buffer)
  }
}

const isEscapedKey = (key: string) => key === '__proto__' || isEscapedString(key)

const initialBytes = 0x10000
/** A larger buffer is given back after the call; chunks are meant to be smaller. */
const retainedBytesMax = 0x40_0000
const utf8 = new TextEncoder()
const loneSurrogate = /\p{Surrogate}/u

/** Big-endian, in as few bytes as hold the sign. */
function twosComplement(value: bigint): Uint8Array {
  const hex = (value < 0n ? ~value : value).toString(16)
  const digits = hex.length % 2 === 1 ? `0${hex}` : hex >= '8' ? `00${hex}` : hex
  const invert = value < 0n ? 0xff : 0
  return Uint8Array.from({ length: digits.length / 2 }, (_, i) => parseInt(digits.slice(2 * i, 2 * i + 2), 16) ^ invert)
}
