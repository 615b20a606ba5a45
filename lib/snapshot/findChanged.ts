import { membersOf, type Refused, shown } from './findRefused.ts'

/**
 * The first value within `value`, which is encodable (`checkEncodable`), that is another one in `back`, what an encoding gave back
 * for it. -0 is 0, a hole undefined, and an object without a prototype a plain one, as `msgpackEncoding` says.
 */
export function findChanged(value: unknown, back: unknown, path = ''): Refused | undefined {
  const members = isObject(value) ? membersOf(value) : undefined
  if (members === undefined) return isSameLeaf(value, back) ? undefined : changed(value, { back, path })
  if (tagOf(value) !== tagOf(back)) return changed(value, { back, path })
  const others = (membersOf(back as object) ?? [])[Symbol.iterator]()
  for (const [step, member] of members) {
    const { value: other } = others.next()
    if (other?.[0] !== step) return { ...changed(member, { path: path + step }), remedy: 'Call it otherwise.' }
    const found = findChanged(member, other[1], path + step)
    if (found !== undefined) return found
  }
  return others.next().done === true ? undefined : changed(value, { back, path })
}

/** Of values that are no collections, arrays or plain objects: of what is built in the same content, of all else the same value. */
export function isSameLeaf(a: unknown, b: unknown): boolean {
  if (a === b || (Number.isNaN(a) && Number.isNaN(b))) return true
  if (!isObject(a) || !isObject(b) || tagOf(a) !== tagOf(b)) return false
  if (a instanceof Date) return isSameLeaf(a.getTime(), (b as Date).getTime())
  if (a instanceof RegExp) return String(a) === String(b)
  return isBinary(a) && isSameBinary(bytesOf(a), bytesOf(b as Binary))
}

type Binary = ArrayBufferView | ArrayBuffer

const isBinary = (value: object): value is Binary => ArrayBuffer.isView(value) || value instanceof ArrayBuffer

const bytesOf = (of: Binary): Uint8Array =>
  ArrayBuffer.isView(of) ? new Uint8Array(of.buffer, of.byteOffset, of.byteLength) : new Uint8Array(of)

const isSameBinary = (a: Uint8Array, b: Uint8Array): boolean => {
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false
  return true
}

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null

const tagOf = (value: unknown): string => Object.prototype.toString.call(value)

/** Without `back` it does not come back at all. */
const changed = (value: unknown, { path, ...of }: { readonly path: string; readonly back?: unknown }): Refused => ({
  path,
  problem: `found ${shown(value)}, which ${'back' in of ? `would come back as ${shown(of.back)}` : 'would not come back'}.`,
  remedy:
    typeof value === 'string'
      ? 'Keep text without lone surrogates (toWellFormed()), or bytes.'
      : 'Keep it as plain objects, arrays, Map, Set, Date, typed arrays, strings, numbers and bigints.',
})
