import { SpillwayError } from '../error.ts'

/**
 * Checks a numeric option of an operator where the operator is made.
 * @throws INVALID_OPTION
 */
export const checkOption = (
  operator: string,
  option: string,
  value: number,
  bounds: { readonly above?: number; readonly atLeast?: number } = {},
): void => {
  const { above = Number.NEGATIVE_INFINITY, atLeast = Number.NEGATIVE_INFINITY } = bounds
  if (Number.isFinite(value) && value > above && value >= atLeast) return
  const expected =
    bounds.above === undefined ? (bounds.atLeast === undefined ? '' : ` of at least ${atLeast}`) : ` above ${above}`
  throw new SpillwayError('INVALID_OPTION', {
    place: `${operator}, option ${option}`,
    problem: `expected a finite number${expected}, found ${String(value)}.`,
    remedy: 'Give one; durations are in ms.',
  })
}
