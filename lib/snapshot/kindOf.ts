/** What an object is to the encoding; every other object is refused, because a restore could not give it back. */
export type Kind = 'record' | 'array' | 'map' | 'set' | 'date' | 'binary'

/**
 * The kind of an object, by its prototype, so that an instance of a class (a subclass of Map too) is `undefined`:
 * written as what it looks like it would come back without its class.
 */
export function kindOf(value: object): Kind | undefined {
  const prototype = Object.getPrototypeOf(value)
  return kinds.get(prototype) ?? kindFromOtherRealm(value, prototype)
}

/** The byte that tells the kinds of binary data apart, by prototype. Source: msgpackr's `moreTypes`. */
export const binaryCodes: ReadonlyMap<unknown, number> = new Map<unknown, number>([
  ...[
    Int8Array,
    Uint8Array,
    Uint8ClampedArray,
    Int16Array,
    Uint16Array,
    Int32Array,
    Uint32Array,
    Float32Array,
    Float64Array,
    BigInt64Array,
    BigUint64Array,
  ].map((type, code): [unknown, number] => [type.prototype, code]),
  [ArrayBuffer.prototype, 16],
  [DataView.prototype, 17],
])

const kinds = new Map<unknown, Kind>([
  [Object.prototype, 'record'],
  [null, 'record'],
  [Array.prototype, 'array'],
  [Map.prototype, 'map'],
  [Set.prototype, 'set'],
  [Date.prototype, 'date'],
  ...[...binaryCodes.keys()].map((prototype): [unknown, Kind] => [prototype, 'binary']),
])

/** Plain objects and arrays that another realm made (an iframe, `node:vm`, a test runner) have prototypes of their own. */
function kindFromOtherRealm(value: object, prototype: object): Kind | undefined {
  const above = Object.getPrototypeOf(prototype)
  if (Array.isArray(value)) return above !== null && Object.getPrototypeOf(above) === null ? 'array' : undefined
  return above === null ? 'record' : undefined
}
