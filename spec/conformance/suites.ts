import { alignmentCase } from './alignment.ts'
import { bufferPoolCase } from './bufferPool.ts'
import { debloatCase } from './debloat.ts'
import type { Failure } from './failure.ts'

/** By a suite's name, what runs one of its cases. It throws an Error where a case cannot be parsed. */
export const suites: Readonly<Record<string, (of: unknown) => readonly Failure[]>> = {
  alignment: alignmentCase,
  'buffer-pool': bufferPoolCase,
  debloat: debloatCase,
}
