import type { Barrier } from '../element.ts'

/** The barrier as it crosses an edge on which all barriers are aligned: it remembers what it is elsewhere. */
export const forcedAligned = (barrier: Barrier): Barrier =>
  barrier.alignment === 'aligned' ? barrier : { ...barrier, alignment: 'aligned', otherwise: barrier.alignment }

/** The barrier as it was triggered: what a task sends on, whatever it has taken. */
export const asTriggered = ({ otherwise, ...barrier }: Barrier): Barrier =>
  otherwise === undefined ? barrier : { ...barrier, alignment: otherwise }
