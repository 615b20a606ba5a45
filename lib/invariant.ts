/** A claim that only a bug in Spillway can break; nobody catches the error. `claim` states it together with its values. */
export function invariant(holds: boolean, claim: () => string): asserts holds {
  if (!holds) throw new Error(`Spillway has a bug: it does not hold that ${claim()}`)
}

/** The end of an exhaustive switch over a discriminated union. */
export const absurd = (value: never): never => {
  throw new Error(`Spillway has a bug: no case for ${JSON.stringify(value)}`)
}
