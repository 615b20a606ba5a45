import { SpillwayError } from '../../error.ts'

/** There is no telling which of the new tasks it goes to. */
export const ofTheWholeTask = (operator: string, what: string): SpillwayError =>
  new SpillwayError('PARALLELISM_CHANGED', {
    place: `operator ${operator}`,
    problem: `${what} belongs to a whole task, not to a key or a split, so there is no telling which task it goes to.`,
    remedy: 'Start it with the parallelism that the store was written at, or keep the state by key (keyedOperator).',
  })
