import { alignmentCase } from './alignment.ts'
import { bufferPoolCase } from './bufferPool.ts'
import { debloatCase } from './debloat.ts'
import type { Suite } from './failure.ts'
import { failurePolicyCase } from './failurePolicy.ts'
import { regionalCase } from './regional.ts'

/** By its name. */
export const suites: Readonly<Record<string, Suite>> = {
  alignment: alignmentCase,
  'buffer-pool': bufferPoolCase,
  debloat: debloatCase,
  'failure-policy': failurePolicyCase,
  regional: regionalCase,
}
