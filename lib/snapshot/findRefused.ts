import { messageOf } from '../error.ts'

export interface Refused {
  /** From the value to the culprit: `.user.callback`, `[3]`, `.get("x")`; empty if it is the value itself. */
  readonly path: string
  readonly problem: string
  readonly remedy: string
}

/** The first value within `value` that the encoding would not give back as what it is, in the order of writing. */
export function findRefused(value: unknown): Refused | undefined {
  const open = new Map<object, string>()
  return visit(value, '')

  function visit(value: unknown, path: string): Refused | undefined {
    const found = (problem: string, remedy: string): Refused => ({ path, problem: `found ${problem}.`, remedy })
    if (typeof value === 'function')
      return found(described(value), 'Keep what it is made from, and make it where it is used.')
    if (typeof value === 'symbol') return found('a symbol', 'Use a string.')
    if (typeof value !== 'object' || value === null || leaves.has(Object.getPrototypeOf(value))) return undefined
    const seenAt = open.get(value)
    if (seenAt !== undefined) {
      const other = seenAt === '' ? 'that it is in' : `at ${seenAt}`
      return found(`a cycle: it is the same object as the one ${other}`, 'Refer to it by a key instead.')
    }
    if (open.size >= nestingMax)
      return { ...found(`more than ${nestingMax} levels`, 'Use an array instead of a chain.'), path: shortened(path) }
    const members = membersOf(value)
    if (members === undefined)
      return found(`${described(value)}; it would come back without its class`, remedyFor(value))
    if (Object.hasOwn(value, unwritableKey)) return found(`the key ${unwritableKey}`, 'Call it otherwise.')

    open.set(value, path)
    try {
      for (const [step, member] of members) {
        const refused = visit(member, path + step)
        if (refused !== undefined) return refused
      }
    } catch (error) {
      return found(`a member that cannot be read (${messageOf(error)})`, 'Keep its value instead of a getter.')
    }
    open.delete(value)
    return undefined
  }
}

/** msgpackr has a use of its own for `__keys__`: with it in a record, another record's bytes could not be read. */
export const isEncodableRecord = (value: object): boolean => isPlain(value) && !Object.hasOwn(value, unwritableKey)

/** With no class between it and the root, which another realm (an iframe, `node:vm`) has its own of. */
function isPlain(value: object): boolean {
  const prototype = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null || Object.getPrototypeOf(prototype) === null
}

type Members = Iterable<readonly [step: string, member: unknown]>

/** Of an array, a collection or a plain object; `undefined` for all else, also for an instance of a class that extends one. */
export function membersOf(value: object): Members | undefined {
  const prototype = Object.getPrototypeOf(value)
  if (Array.isArray(value)) return isPlain(prototype) ? membersOfArray(value) : undefined
  if (prototype === Map.prototype) return membersOfMap(value as Map<unknown, unknown>)
  if (prototype === Set.prototype) return Array.from(value as Set<unknown>, (member, i) => [`[member ${i}]`, member])
  return isPlain(value) ? membersOfRecord(value as Record<string, unknown>) : undefined
}

function* membersOfRecord(value: Record<string, unknown>): Members {
  for (const key in value) yield [identifier.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`, value[key]]
}

function* membersOfArray(value: readonly unknown[]): Members {
  for (let i = 0; i < value.length; i++) yield [`[${i}]`, value[i]]
}

function* membersOfMap(value: ReadonlyMap<unknown, unknown>): Members {
  let i = 0
  for (const [key, member] of value) {
    yield [`[key ${i++}]`, key]
    yield [`.get(${shown(key)})`, member]
  }
}

/** A value in a path, or in a message. */
export const shown = (key: unknown): string =>
  shortened(
    typeof key === 'string' ? JSON.stringify(key) : typeof key === 'object' && key !== null ? 'an object' : String(key),
  )

const shortened = (text: string) => (text.length > 60 ? `${text.slice(0, 57)}...` : text)

function described(value: object): string {
  if (typeof value === 'function') return value.name === '' ? 'a function' : `the function ${value.name}`
  const name = value.constructor?.name
  return typeof name === 'string' && name !== '' ? `an instance of ${name}` : 'an instance of a class'
}

const remedyFor = (value: object) =>
  value instanceof Uint8Array
    ? 'Use new Uint8Array(it).'
    : 'Use a plain object (such as { ...it }) and functions over it; Map, Set, Date and typed arrays come back as they are.'

/** How deep values may be nested: far above what people write, far below what the stack holds. */
const nestingMax = 500

const unwritableKey = '__keys__'

const identifier = /^[\p{L}_$][\p{L}\d_$]*$/u

const leaves: ReadonlySet<unknown> = new Set(
  [
    ...[Date, RegExp, ArrayBuffer, DataView],
    ...[Int8Array, Uint8Array, Uint8ClampedArray, Int16Array, Uint16Array, Int32Array, Uint32Array],
    ...[Float32Array, Float64Array, BigInt64Array, BigUint64Array],
  ].map(type => type.prototype),
)
