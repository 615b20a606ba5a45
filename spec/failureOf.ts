import { expect } from 'vitest'
import { SpillwayError } from '../lib/error.ts'

/** What the call throws. */
export function failureOf(call: () => unknown): SpillwayError {
  try {
    call()
  } catch (error) {
    expect(error).toBeInstanceOf(SpillwayError)
    return error as SpillwayError
  }
  throw new Error('it did not fail')
}
