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
