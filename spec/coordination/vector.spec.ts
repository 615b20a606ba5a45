import { expect, test } from 'vitest'
import { memberOf, membersOf, type Vector, vectorOf, withMember } from '../../lib/coordination/vector.ts'

const lengths = [0, 1, 15, 16, 17, 255, 256, 257, 4_096, 4_097, 70_000]

test.each(lengths)('a vector of %d has the members it is made of, each in its place', length => {
  const vector = vectorOf(length, i => 2 * i)
  expect(membersOf(vector)).toEqual(Array.from({ length }, (_, i) => 2 * i))
  for (const i of [0, 15, 16, 255, 256, 4_096, length - 1].filter(i => i >= 0 && i < length)) {
    expect(memberOf(vector, i)).toBe(2 * i)
  }
})

test.each([1, 17, 300, 5_000])(
  'of %d members the one set last counts, and earlier vectors stay as they were',
  length => {
    const mirror = Array.from({ length }, () => 0)
    let vector: Vector<number> = vectorOf(length, () => 0)
    const before: { readonly vector: Vector<number>; readonly mirror: readonly number[] }[] = []
    // Steps that share no factor with the length, and every third member again.
    for (let step = 1; step <= 400; step++) {
      for (const i of step % 3 === 0 ? [(step * 7_919) % length, 0] : [(step * 7_919) % length]) {
        vector = withMember(vector, i, step)
        mirror[i] = step
        expect(memberOf(vector, i)).toBe(step)
      }
      if (step % 50 === 0) before.push({ vector, mirror: [...mirror] })
    }
    for (const at of before) {
      expect(membersOf(at.vector)).toEqual(at.mirror)
      expect(at.mirror.map((_, i) => memberOf(at.vector, i))).toEqual(at.mirror)
    }
  },
)
