import { C1, Unpackr } from 'msgpackr'

/**
 * Reads what `messagePackWriter` has written; nothing of the result shares memory with the bytes.
 *
 * msgpackr compiles a reader for each shape of record, and where `unsafe-eval` is not allowed reads without (1.8 times slower).
 *
 * @throws whatever msgpackr throws about bytes that are something else
 */
export function messagePackReader(): (bytes: Uint8Array) => unknown {
  const unpackr = new Unpackr({ useRecords: true, mapsAsObjects: false, moreTypes: true })
  return bytes => {
    const value = unpackr.unpack(bytes.subarray()) // it leaves a property on the array that it is given
    return isEscape(value) ? revive(value[1]) : value
  }
}

/** Puts strings and objects back in the place of their escapes; arrays and objects are changed in place. */
function revive(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (isEscape(value)) return value[1] instanceof Uint16Array ? text(value[1]) : record(value[1] as unknown[])
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) value[i] = revive(value[i])
    return value
  }
  if (value instanceof Map) return new Map(Array.from(value, ([key, member]) => [revive(key), revive(member)]))
  if (value instanceof Set) return new Set(Array.from(value, revive))
  if (Object.getPrototypeOf(value) === Object.prototype)
    for (const key of Object.keys(value))
      (value as Record<string, unknown>)[key] = revive((value as Record<string, unknown>)[key])
  return value
}

const isEscape = (value: unknown): value is [typeof C1, unknown] =>
  Array.isArray(value) && value.length === 2 && value[0] === C1

function text(units: Uint16Array): string {
  let whole = ''
  for (let begin = 0; begin < units.length; begin += argumentsMax)
    whole += String.fromCharCode(...units.subarray(begin, begin + argumentsMax))
  return whole
}

/** `defineProperty`, because an assignment to `__proto__` would set the prototype. */
function record(members: readonly unknown[]): object {
  const made = {}
  for (let i = 0; i < members.length; i += 2)
    Object.defineProperty(made, revive(members[i]) as string, {
      value: revive(members[i + 1]),
      writable: true,
      enumerable: true,
      configurable: true,
    })
  return made
}

/** Arguments go on the stack. */
const argumentsMax = 4096
