import { holdsMutable } from '../state/holdsMutable.ts'
import { isUsers } from '../state/isUsers.ts'
import type { CapturedOperator } from '../state/operatorState.ts'
import type { Coding } from './chunk.ts'
import { tableChunks } from './format.ts'

/**
 * The captured operators with what cannot be captured by reference, as it cannot be frozen, encoded now: tables whose values hold a Map, a
 * Date or the like, of which those that have changed if there is a base, and such values of the whole task.
 */
export const encodedAtOnce = (
  operators: readonly CapturedOperator[],
  { coding, whole }: { readonly coding: Coding; readonly whole: boolean },
): readonly CapturedOperator[] => operators.map(of => withKeptCopied(withTablesEncoded(of, { coding, whole }), coding))

const withTablesEncoded = (
  of: CapturedOperator,
  options: { readonly coding: Coding; readonly whole: boolean },
): CapturedOperator => {
  if (!of.tables.some(({ mutable }) => mutable)) return of
  const tables = of.tables.map(table => {
    if (!table.mutable) return table
    const onBase = !options.whole && table.captured.hasBase
    const chunks = unlessRefused(() => [...tableChunks(of.operator, table, options)])
    return chunks === undefined ? table : { ...table, encoded: { onBase, chunks } }
  })
  return { ...of, tables }
}

const withKeptCopied = (of: CapturedOperator, coding: Coding): CapturedOperator => {
  let { kept } = of
  for (const name in of.kept) {
    const value = of.kept[name]
    if (!isUsers(of.operator, name) || !holdsMutable(value)) continue
    const copy = unlessRefused(() => coding.decode(coding.encode(value)))
    if (copy !== undefined) kept = { ...kept, [name]: copy }
  }
  return kept === of.kept ? of : { ...of, kept }
}

/** What cannot be encoded is left as it is: who writes the snapshot says so, and fails the checkpoint. */
const unlessRefused = <R>(encode: () => R): R | undefined => {
  try {
    return encode()
  } catch {
    return undefined
  }
}
