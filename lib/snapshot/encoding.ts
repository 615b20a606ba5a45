import { Packr, RESET_BUFFER_MODE } from 'msgpackr'
import { messageOf, SpillwayError } from '../error.ts'
import { findRefused, isEncodableRecord } from './findRefused.ts'

/**
 * Turns records and state into bytes and back.
 *
 * Contract: `encode` is synchronous, its bytes belong to the caller and are complete in themselves; `decode` gives back
 * what was encoded, sharing no memory with the bytes. `place` says whose value it is, for the error: the operator and
 * the state. `encode` need not notice all that it does not keep: the runtime looks at samples of records and of what states are
 * set to with `checkRoundTrip`, and at the first value of each chunk with `checkEncodable`.
 */
export interface Encoding {
  /** Stands in every container; one that was written by another encoding is not read (`FORMAT_UNKNOWN`). */
  readonly name: string
  encode(value: unknown, place?: string): Uint8Array
  decode(bytes: Uint8Array, place?: string): unknown
}

/**
 * MessagePack, by msgpackr; the keys of a shape of objects are written once a call. Gives back exactly: plain objects
 * (keys in their order), arrays, Map, Set, Date, RegExp, typed arrays, ArrayBuffer, DataView, strings, numbers (NaN and
 * the infinities too), bigint of any size, booleans, null, undefined; up to 500 levels.
 *
 * Not kept: -0 (becomes 0), lone surrogates (U+FFFD), a byte order mark that begins a long string (lost, without
 * msgpackr's addon), a key `__proto__` (`__proto_`), holes in arrays (undefined), that two places hold the same object
 * (each gets a copy), a view's surroundings (only what it shows is written), a regular expression's lastIndex,
 * frozenness, a null prototype, accessors (their value is written), properties beside an array's or a built-in's
 * members, with symbols as keys, or not enumerable.
 *
 * Refused by `checkEncodable` only: subclasses of Array, Set, Date and RegExp and Node's Buffer (their class is lost), a
 * subclass of a typed array (cannot be read again), an Error (keeps name, message and cause), more than 500 levels.
 *
 * @throws NOT_ENCODABLE for a function, a symbol, a cycle, a key `__keys__`, an instance of any other class; `place`
 * then ends with the path to it. `decode` throws DAMAGED.
 */
export function msgpackEncoding(): Encoding {
  let packr = newPackr()
  return {
    name: 'msgpack',
    encode(value, place = 'a value') {
      try {
        return new Uint8Array(packr.encode(value, RESET_BUFFER_MODE)) // a copy: the next call writes over the original
      } catch (cause) {
        packr = afterFailure()
        checkEncodable(value, place)
        throw new SpillwayError('NOT_ENCODABLE', {
          place,
          problem: `could not be written (${messageOf(cause)}).`,
          remedy: 'Make it smaller.',
          cause,
        })
      }
    },
    decode(bytes, place = 'a value') {
      try {
        // A view of its own: msgpackr leaves a property on it, and would give back Buffers from a Buffer.
        return packr.decode(new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength))
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

/**
 * Walks through a value, at three times the price of encoding it: for samples.
 * @throws NOT_ENCODABLE for what `msgpackEncoding` refuses, or would give back as something else without noticing
 */
export function checkEncodable(value: unknown, place: string): void {
  const refused = findRefused(value)
  if (refused === undefined) return
  const { path, problem, remedy } = refused
  throw new SpillwayError('NOT_ENCODABLE', { place: path === '' ? place : `${place} at ${path}`, problem, remedy })
}

/** Told of every object that is to be written as a plain one, among them instances of classes. */
const useRecords = (value: object): boolean => {
  if (!isEncodableRecord(value)) throw new Error('not encodable')
  return true
}

const newPackr = (): Packr =>
  new Packr({
    useRecords,
    mapsAsObjects: false,
    moreTypes: true,
    useToJSON: false,
    copyBuffers: true,
    writeFunction() {
      throw new Error('not encodable')
    },
  })

/**
 * A cycle ends by overflowing the stack, anywhere. If in the midst of growing msgpackr's buffer, which all its instances
 * share, the buffer and its view differ from then on, and numbers are lost. A position behind its end has it replaced.
 */
function afterFailure(): Packr {
  const packr = newPackr()
  packr.position = Number.MAX_SAFE_INTEGER
  return packr
}
