import { SpillwayError } from '../error.ts'
import type { Plan } from './plan.ts'

/**
 * A job promises exactly once end to end; a source that cannot be read again breaks that, so the user must have named it.
 *
 * By name, so that a source added later is refused again.
 * @throws AT_MOST_ONCE_SOURCE; INVALID_OPTION if a name is of no such source
 */
export const checkGuarantee = ({ stages }: Plan, acceptLoss: readonly string[]): void => {
  const lossy = stages
    .flatMap(({ nodes }) => nodes)
    .filter(({ lineage }) => lineage.source?.guarantee === 'at-most-once')
    .map(({ name }) => name)
  for (const name of lossy) {
    if (acceptLoss.includes(name)) continue
    throw new SpillwayError('AT_MOST_ONCE_SOURCE', {
      place: name,
      problem: 'it cannot be read again, so records are lost in a crash, but the job promises exactly once.',
      remedy: `Accept that by run(..., { acceptLoss: ['${name}'] }), or write to a log first and read that.`,
    })
  }
  for (const name of acceptLoss) {
    if (lossy.includes(name)) continue
    throw new SpillwayError('INVALID_OPTION', {
      place: 'run options.acceptLoss',
      problem: `no source that is at most once has the name "${name}".`,
      remedy: lossy.length === 0 ? 'Leave the option out.' : `There are: ${lossy.join(', ')}.`,
    })
  }
}
