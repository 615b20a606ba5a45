import type { Key } from '../element.ts'

/**
 * A total order of keys that depends on nothing but their content: negative if `a` comes before `b`, 0 if they are the same key.
 *
 * Kinds in the order of `rank`; strings by UTF-16 code units, NaN behind all other numbers, tuples member by member.
 */
export const compareKeys = (a: Key, b: Key): number => {
  if (typeof a === 'string' && typeof b === 'string') return ascending(a, b)
  if (typeof a === 'number' && typeof b === 'number') return compareNumbers(a, b)
  if (typeof a === 'object' && typeof b === 'object') return compareTuples(a, b)
  return rank[typeof a as Kind] - rank[typeof b as Kind] || ascending(a as bigint, b as bigint)
}

const compareNumbers = (a: number, b: number): number =>
  Number(Number.isNaN(a)) - Number(Number.isNaN(b)) || ascending(a, b)

const compareTuples = (a: readonly Key[], b: readonly Key[]): number => {
  const both = Math.min(a.length, b.length)
  for (let i = 0; i < both; i++) {
    const order = compareKeys(a[i] as Key, b[i] as Key)
    if (order !== 0) return order
  }
  return a.length - b.length
}

const ascending = <T extends string | number | bigint>(a: T, b: T): number => (a < b ? -1 : a > b ? 1 : 0)

type Kind = 'boolean' | 'number' | 'bigint' | 'string' | 'object'
const rank: Record<Kind, number> = { boolean: 0, number: 1, bigint: 2, string: 3, object: 4 }
