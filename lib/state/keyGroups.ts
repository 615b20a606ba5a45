import type { Key } from '../element.ts'
import { SpillwayError } from '../error.ts'

/** Key groups of a job: the most tasks that its keyed state can ever be dealt to. */
export const defaultKeyGroups = 128

/**
 * The key group of a key: a hash of its content, the same in every run.
 *
 * Strings: FNV-1a over UTF-16 code units; whole numbers of 32 bits as such, other numbers by the bits of their float64 (-0 is 0,
 * every NaN one NaN); bigints as their decimal digits; tuples by folding their members. Each kind starts from a seed of its
 * own, and all end in murmur3's finaliser.
 * @throws INVALID_KEY
 */
export const groupOf = (key: Key, groups: number): number => (finalised(hashOf(key)) >>> 0) % groups

/** The task that owns a key group: groups are dealt in ranges. Source: Flink's KeyGroupRangeAssignment. */
export const subtaskOf = (group: number, { groups, parallelism }: { groups: number; parallelism: number }): number =>
  Math.floor((group * parallelism) / groups)

const hashOf = (key: Key): number => {
  switch (typeof key) {
    case 'string':
      return hashOfString(key, seeds.string)
    case 'number':
      return hashOfNumber(key)
    case 'bigint':
      return hashOfString(key.toString(), seeds.bigint)
    case 'boolean':
      return key ? seeds.true : seeds.false
    default:
      if (Array.isArray(key)) return hashOfTuple(key)
      throw new SpillwayError('INVALID_KEY', {
        place: 'keyBy',
        problem: `a key is ${key === null ? 'null' : typeof key}.`,
        remedy: 'Give a string, number, bigint, boolean, or a tuple of these; filter out records without a key.',
      })
  }
}

const seeds = { string: 0x811c9dc5, int: 0x2f0b4a27, float: 0x4d25b1a3, bigint: 0x6b3c91e5, true: 0x51ed27a1, false: 0x1b873593, tuple: 0x7ee3623b } as const

const hashOfString = (text: string, seed: number): number => {
  let hash: number = seed
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  return hash
}

const hashOfNumber = (value: number): number => {
  if ((value | 0) === value) return Math.imul(value ^ seeds.int, 0x9e3779b1)
  float[0] = value
  return Math.imul(seeds.float ^ (bits[0] as number), 0x9e3779b1) ^ Math.imul(bits[1] as number, 0x85ebca77)
}

const hashOfTuple = (members: readonly Key[]): number => {
  let hash: number = seeds.tuple
  for (const member of members) hash = Math.imul(hash ^ finalised(hashOf(member)), 0x01000193)
  return hash ^ members.length
}

const finalised = (hash: number): number => {
  let h = hash
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return h ^ (h >>> 16)
}

const float = new Float64Array(1)
const bits = new Int32Array(float.buffer)
