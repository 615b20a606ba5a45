import { initialGenerations } from '../../channel/generations.ts'
import { gateState } from '../frame.ts'
import type { RestoredTask } from '../snapshot.ts'
import { redistributedInFlight } from './inFlight.ts'
import { redistributedOperators } from './operators.ts'
import type { Spread } from './spread.ts'

/**
 * What the new tasks of a stage are restored from at another parallelism, in order: all that the old tasks' snapshots (also in
 * order) hold, each thing once.
 *
 * No new task is restored as ended. Where all inputs had ended they end again: sources have no split left, handled ends are
 * not handled again.
 * @throws PARALLELISM_CHANGED for what belongs to a whole task
 */
export const redistributed = (tasks: readonly RestoredTask[], spread: Spread): readonly RestoredTask[] => {
  const operators = redistributedOperators(tasks, spread)
  const inFlight = redistributedInFlight(tasks, spread)
  return operators.map((own, task) => {
    const state = initialGenerations(spread.generations.count, channelsOf(task, spread))
    const gate = { kept: { [gateState.generations]: state }, tables: new Map() }
    return {
      ended: false,
      operators: state.count === 0 ? own : new Map([...own, [gateState.operator, gate]]),
      inFlight: inFlight[task] ?? [],
    }
  })
}

const channelsOf = (task: number, { inputs }: Spread): number =>
  inputs.reduce(
    (count, { producers, joined }) =>
      count + Array.from({ length: producers }, (_, from) => from).filter(from => joined(from, task)).length,
    0,
  )
