import { kindOf } from './kindOf.ts'
import { nestingMax } from './messagePackWriter.ts'

export interface Refused {
  /** From the value to the culprit: `.user.callback`, `[3]`, `.get("x")`; empty if it is the value itself. */
  readonly path: string
  readonly problem: string
  readonly remedy: string
}

/** The first value within `value` that the encoding refuses, in the order in which it writes them; only called after it has. */
export function findRefused(value: unknown): Refused | undefined {
  const open = new Map<object, string>()
  return visit(value, '')

  function visit(value: unknown, path: string): Refused | undefined {
    if (typeof value === 'function')
      return {
        path,
        problem: `found ${described(value)}.`,
        remedy: 'Keep what it is made from, and make it where it is used.',
      }
    if (typeof value === 'symbol') return { path, problem: 'found a symbol.', remedy: 'Use a string.' }
    if (typeof value !== 'object' || value === null) return undefined
    const seenAt = open.get(value)
    if (seenAt !== undefined)
      return {
        path,
        problem: `found a cycle: it is the same object as the one ${seenAt === '' ? 'that it is in' : `at ${seenAt}`}.`,
        remedy: 'Refer to it by a key instead.',
      }
    if (open.size >= nestingMax)
      return {
        path: shortened(path),
        problem: `found more than ${nestingMax} levels.`,
        remedy: 'Use an array instead of a chain.',
      }
    open.set(value, path)
    const refused = visitMembers(value, path)
    open.delete(value)
    return refused
  }

  function visitMembers(value: object, path: string): Refused | undefined {
    switch (kindOf(value)) {
      case 'record':
        for (const key in value) {
          const refused = visit((value as Record<string, unknown>)[key], path + step(key))
          if (refused !== undefined) return refused
        }
        return undefined
      case 'array':
        return first(value as unknown[], (member, i) => visit(member, `${path}[${i}]`))
      case 'set':
        return first(value as Set<unknown>, (member, i) => visit(member, `${path}[member ${i}]`))
      case 'map':
        return first(
          value as Map<unknown, unknown>,
          ([key, member], i) => visit(key, `${path}[key ${i}]`) ?? visit(member, `${path}.get(${shown(key)})`),
        )
      case 'date':
      case 'binary':
        return undefined
      case undefined:
        return {
          path,
          problem: `found ${described(value)}; it would come back without its class.`,
          remedy: remedyFor(value),
        }
    }
  }
}

function first<T>(members: Iterable<T>, visit: (member: T, i: number) => Refused | undefined): Refused | undefined {
  let i = 0
  for (const member of members) {
    const refused = visit(member, i++)
    if (refused !== undefined) return refused
  }
  return undefined
}

const step = (key: string) => (/^[\p{L}_$][\p{L}\d_$]*$/u.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`)

const shown = (key: unknown) =>
  shortened(typeof key === 'string' ? JSON.stringify(key) : typeof key === 'object' ? 'an object' : String(key))

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
