import { messageOf, SpillwayError } from '../error.ts'

/**
 * Calls a user function on each record of a buffer: the one place where functions of operators without handlers are called.
 * @throws USER_FUNCTION_FAILED, naming operator and record
 */
export const callEach = <A, B>(name: string, f: (record: A) => B, records: readonly A[]): B[] => {
  const { length } = records
  const results = new Array<B>(length)
  let i = 0
  try {
    for (; i < length; i++) results[i] = f(records[i] as A)
  } catch (error) {
    throw userFunctionFailed(name, `record ${shown(records[i])}`, error)
  }
  return results
}

/** Turns what a user function has thrown into an error that names operator and record. */
export const userFunctionFailed = (name: string, what: string, error: unknown): SpillwayError =>
  new SpillwayError('USER_FUNCTION_FAILED', {
    place: name,
    problem: `its function threw "${messageOf(error)}" on ${what}.`,
    remedy: 'Mend the function, or filter such records out before it; a restart goes on before this record.',
    cause: error,
  })

/** A record as a message shows it. */
export const shown = (record: unknown): string => {
  let text: string | undefined
  try {
    text = JSON.stringify(record, (_, value) => (typeof value === 'bigint' ? `${value}n` : value))
  } catch {
    text = undefined
  }
  text ??= String(record)
  return text.length > 200 ? `${text.slice(0, 200)}...` : text
}
