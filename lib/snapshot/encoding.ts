import { messageOf, SpillwayError } from '../error.ts'
import { findRefused } from './findRefused.ts'
import { messagePackReader } from './messagePackReader.ts'
import { messagePackWriter } from './messagePackWriter.ts'

/**
 * Turns records and state into bytes and back.
 *
 * Contract: `encode` is synchronous, its bytes belong to the caller and are complete in themselves; `decode` gives back what
 * was encoded, sharing no memory with the bytes. `place` says whose value it is, for the error: the operator and the state.
 */
export interface Encoding {
  /** Written into snapshots; one that was written by another encoding is not read. */
  readonly name: string
  encode(value: unknown, place?: string): Uint8Array
  decode(bytes: Uint8Array, place?: string): unknown
}

/**
 * MessagePack. Gives back exactly: plain objects (keys in their order), arrays, Map, Set, Date, typed arrays, ArrayBuffer,
 * DataView, strings (any UTF-16), numbers (-0, NaN and the infinities too), bigint of any size, booleans, null, undefined.
 *
 * Not kept: that two places hold the same object (each gets a copy), holes in arrays (become undefined), a view's surroundings
 * (only what it shows is written), frozenness, a null prototype, accessors (their value is written), properties with symbols as
 * keys or not enumerable.
 *
 * @throws NOT_ENCODABLE for a function, a symbol, a cycle, more than 500 levels, an instance of any other class (subclasses of the
 * above and Node's Buffer too); `place` then ends with the path to it. `decode` throws DAMAGED.
 */
export function msgpackEncoding(): Encoding {
  const write = messagePackWriter()
  const read = messagePackReader()
  return {
    name: 'msgpack',
    encode(value, place = 'a value') {
      try {
        return write(value)
      } catch (error) {
        throw notEncodable(value, place, error)
      }
    },
    decode(bytes, place = 'a value') {
      try {
        return read(bytes)
      } catch (cause) {
        throw new SpillwayError('DAMAGED', {
          place,
          problem: `expected a value as msgpack, found ${bytes.length} bytes that are none (${messageOf(cause)}).`,
          remedy:
            'Restore from an earlier checkpoint; if the bytes match their checksum, they were written by another version.',
          cause,
        })
      }
    },
  }
}

function notEncodable(value: unknown, place: string, cause: unknown): SpillwayError {
  const refused = findRefused(value)
  if (refused === undefined)
    return new SpillwayError('NOT_ENCODABLE', {
      place,
      problem: `could not be written (${messageOf(cause)}).`,
      remedy: 'Make it smaller, and its getters free of errors.',
      cause,
    })
  const { path, problem, remedy } = refused
  return new SpillwayError('NOT_ENCODABLE', { place: path === '' ? place : `${place} at ${path}`, problem, remedy })
}
