import type { Conditions } from './conditions.ts'

/** A run, and why it is a failure, if it is one. */
interface Tried {
  readonly run: { readonly conditions: Conditions }
  readonly failure: string | undefined
}

/** Leaves out what can be left out, as long as it fails. */
export const shrunk = <J extends Tried>(failing: J, tried: (of: Conditions) => J): J => {
  let shortest = failing
  for (let attempts = 0; attempts < attemptsMax; ) {
    const shorter = simpler(shortest.run.conditions).find(of => {
      attempts++
      const next = tried(of)
      if (next.failure === undefined) return false
      shortest = next
      return true
    })
    if (shorter === undefined) break
  }
  return shortest
}

const simpler = (of: Conditions): readonly Conditions[] => [
  ...(of.parallelism > 1 ? [{ ...of, parallelism: of.parallelism - 1 }] : []),
  ...of.faults.map((_, left) => ({ ...of, faults: of.faults.filter((__, at) => at !== left) })),
  ...of.faults.flatMap((fault, at) =>
    fault.after > 0 ? [{ ...of, faults: of.faults.with(at, { ...fault, after: Math.floor(fault.after / 2) }) }] : [],
  ),
  ...(of.link === false ? [] : [{ ...of, link: false as const }]),
  ...(of.spareBuffers === false ? [] : [{ ...of, spareBuffers: false as const }]),
  ...(of.slowness > 0 ? [{ ...of, slowness: 0 }] : []),
]

const attemptsMax = 200
