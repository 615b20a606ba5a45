import { messageOf, SpillwayError } from '../error.ts'
import { checkEncodable, type Encoding } from './encoding.ts'
import { findChanged } from './findChanged.ts'

/**
 * Encodes a value, decodes it and compares: for samples of what snapshots will hold. Gives back what was decoded.
 *
 * @throws NOT_ENCODABLE, with the path to what cannot be written or would come back as something else
 */
export function checkRoundTrip(
  value: unknown,
  { place, encoding }: { readonly place: string; readonly encoding: Encoding },
): unknown {
  checkEncodable(value, place)
  const bytes = encoding.encode(value, place)
  const back = decoded(bytes, { place, encoding })
  const changed = findChanged(value, back)
  if (changed === undefined) return back
  const { path, problem, remedy } = changed
  throw new SpillwayError('NOT_ENCODABLE', { place: path === '' ? place : `${place} at ${path}`, problem, remedy })
}

/**
 * Whether an encoding keeps what the runtime itself puts into snapshots.
 * @throws INVALID_OPTION, with the path to what it does not keep
 */
export function checkEncoding(encoding: Encoding, place: string): void {
  try {
    checkRoundTrip(ownValues, { place: 'a buffer', encoding })
  } catch (cause) {
    throw new SpillwayError('INVALID_OPTION', {
      place,
      problem: `the encoding ${JSON.stringify(encoding.name)} does not keep what snapshots are made of (${messageOf(cause)}).`,
      remedy:
        'Give one that keeps undefined, bigint, typed arrays and infinite numbers, or leave it out: MessagePack does.',
      cause,
    })
  }
}

/** Of buffers, watermarks, tuples as keys, and what is not there. */
const ownValues = {
  kind: 'buffer',
  records: [undefined, null, true, 'a', ['a', 1, 2n]],
  groups: Uint16Array.of(0, 65_535),
  times: Float64Array.of(1.5, Number.NEGATIVE_INFINITY),
  timeMs: Number.NEGATIVE_INFINITY,
  untilMs: Number.POSITIVE_INFINITY,
  bytes: Uint8Array.of(0, 255),
  nothing: undefined,
}

const decoded = (
  bytes: Uint8Array,
  { place, encoding }: { readonly place: string; readonly encoding: Encoding },
): unknown => {
  try {
    return encoding.decode(bytes, place)
  } catch (cause) {
    throw new SpillwayError('NOT_ENCODABLE', {
      place,
      problem: `it could be written, but not read again (${messageOf(cause)}).`,
      remedy: 'Keep it as plain objects, arrays, Map, Set, Date, typed arrays, strings, numbers and bigints.',
      cause,
    })
  }
}
