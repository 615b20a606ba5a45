import type { Key } from '../element.ts'
import { SpillwayError } from '../error.ts'

/** Key groups of a job: the most tasks that its keyed state can ever be dealt to. */
export const defaultKeyGroups = 128
/** Source: Flink's limit. A buffer's groups are 16 bits each. */
export const keyGroupsMax = 32_768

/**
 * The key group of a key: a hash of its content, the same in every run and on every machine, modulo the number of groups.
 *
 * Each kind of key starts from a seed of its own, so that 1, '1', 1n and [1] are different keys:
 * - strings: FNV-1a over the UTF-16 code units
 * - numbers: whole numbers of 32 bits as such, others by the two halves of their float64; -0 is 0, every NaN is one NaN
 * - bigints: as the string of their hexadecimal digits
 * - tuples: FNV-1a over the finalised hashes of their members, then their length
 *
 * All end in murmur3's 32-bit finaliser. Changing any of it loses the state of every stored checkpoint.
 * Source: FNV-1a by Fowler, Noll and Vo; fmix32 of MurmurHash3 by Austin Appleby.
 * @throws INVALID_KEY
 */
export const groupOf = (key: Key, groups: number): number => (finalised(hashOf(key)) >>> 0) % groups

interface Dealing {
  readonly groups: number
  readonly parallelism: number
}

/** The task that owns a key group: groups are dealt in ranges. Source: Flink's KeyGroupRangeAssignment. */
export const subtaskOf = (group: number, { groups, parallelism }: Dealing): number =>
  Math.floor((group * parallelism) / groups)

/** The key groups that a task owns: from `begin` up to, but not including, `end`. None if there are more tasks than groups. */
export const groupsOf = (
  subtask: number,
  { groups, parallelism }: Dealing,
): { readonly begin: number; readonly end: number } => ({
  begin: Math.ceil((subtask * groups) / parallelism),
  end: Math.ceil(((subtask + 1) * groups) / parallelism),
})

const hashOf = (key: Key): number => {
  switch (typeof key) {
    case 'string':
      return hashOfString(key, seeds.string)
    case 'number':
      return hashOfNumber(key)
    case 'bigint':
      return hashOfString(key.toString(16), seeds.bigint)
    case 'boolean':
      return key ? seeds.true : seeds.false
    default:
      if (Array.isArray(key)) return hashOfTuple(key)
      throw new SpillwayError('INVALID_KEY', {
        place: 'keyBy',
        problem: `a key, or a member of one, is ${key === null ? 'null' : typeof key}.`,
        remedy: 'Give a string, number, bigint, boolean, or a tuple of these; filter out records without a key.',
      })
  }
}

/** FNV's offset basis; the others are arbitrary. */
const seeds = {
  string: 0x811c9dc5,
  int: 0x2f0b4a27,
  float: 0x4d25b1a3,
  bigint: 0x6b3c91e5,
  true: 0x51ed27a1,
  false: 0x1b873593,
  tuple: 0x7ee3623b,
} as const

const hashOfString = (text: string, seed: number): number => {
  let hash = seed
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), fnvPrime)
  return hash
}

const hashOfNumber = (value: number): number => {
  if ((value | 0) === value) return Math.imul(value ^ seeds.int, 0x9e3779b1)
  // A NaN's bits are whatever made it.
  float.setFloat64(0, Number.isNaN(value) ? Number.NaN : value)
  return Math.imul(seeds.float ^ float.getInt32(0), 0x9e3779b1) ^ Math.imul(float.getInt32(4), 0x85ebca77)
}

const hashOfTuple = (members: readonly Key[]): number => {
  let hash: number = seeds.tuple
  for (const member of members) hash = Math.imul(hash ^ finalised(hashOf(member)), fnvPrime)
  return hash ^ members.length
}

const finalised = (hash: number): number => {
  let h = hash
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return h ^ (h >>> 16)
}

const fnvPrime = 0x01000193
const float = new DataView(new ArrayBuffer(8))
