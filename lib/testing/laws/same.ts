import { shown } from '../../graph/callEach.ts'

/** Whether two values are the same in structure; -0 is 0, classes do not count, as in what the encoding gives back. */
export const same = (a: unknown, b: unknown): boolean => {
  if (a === b || (Number.isNaN(a) && Number.isNaN(b))) return true
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false
  if (Array.isArray(a) !== Array.isArray(b) || Object.prototype.toString.call(a) !== Object.prototype.toString.call(b))
    return false
  if (a instanceof Date) return same(a.getTime(), (b as Date).getTime())
  if (a instanceof RegExp) return String(a) === String(b)
  if (ArrayBuffer.isView(a) || a instanceof ArrayBuffer) return sameBytes(bytesOf(a), bytesOf(b as ArrayBufferView))
  if (a instanceof Map || a instanceof Set) return same([...a], [...(b as Set<unknown>)])
  const keys = Object.keys(a)
  return (
    keys.length === Object.keys(b).length &&
    keys.every(key => Object.hasOwn(b, key) && same(a[key as keyof typeof a], b[key as keyof typeof b]))
  )
}

const bytesOf = (of: ArrayBufferView | ArrayBuffer): Uint8Array =>
  ArrayBuffer.isView(of) ? new Uint8Array(of.buffer, of.byteOffset, of.byteLength) : new Uint8Array(of)

const sameBytes = (a: Uint8Array, b: Uint8Array): boolean => {
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false
  return true
}

export interface Expectation<T> {
  readonly expected: T
  /** For the message: position, and what is compared. */
  readonly where: string
}

/** Throws an Error that says where, and what was expected and received, unless both are the same in structure. */
export const expectSame = <T>(received: T, { expected, where }: Expectation<T>): void => {
  if (same(received, expected)) return
  if (!Array.isArray(received) || !Array.isArray(expected)) throw differs(received, { expected, where })
  const different = expected.findIndex((_, i) => !same(received[i], expected[i]))
  const i = different < 0 ? expected.length : different
  throw differs(i < received.length ? received[i] : 'nothing', {
    expected: i < expected.length ? expected[i] : 'nothing',
    where: `${where}, number ${i + 1} (${expected.length} expected, ${received.length} received)`,
  })
}

const differs = (received: unknown, { expected, where }: Expectation<unknown>): Error =>
  new Error(`${where}: expected ${shown(expected)}, received ${shown(received)}`)
