/** A claim that only a bug in Spillway can break; nobody catches the error. `claim` states it together with its values. */
export function invariant(holds: boolean, claim: () => string): asserts holds {
  if (!holds) throw new Bug(`it does not hold that ${claim()}`)
}

/** The end of an exhaustive switch over a discriminated union. */
export const absurd = (value: never): never => {
  throw new Bug(`no case for ${JSON.stringify(value)}`)
}

/** The error, or what has caused it, is a bug's. */
export const isBug = (error: unknown): boolean => {
  for (let of: unknown = error; of instanceof Error; of = of.cause) if (of instanceof Bug) return true
  return false
}

class Bug extends Error {
  constructor(what: string) {
    super(`Spillway has a bug: ${what}`)
  }
}
