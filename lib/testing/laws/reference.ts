import { OperatorRun, type OperatorSubject } from './operatorRun.ts'
import { type Outputs, outputsOf } from './outputs.ts'

/** An undisturbed run: what all others are compared with. */
export interface Reference {
  readonly outputs: Outputs
  readonly steps: number
  /** For each step, how many results each output had given before it; one more for the end. */
  readonly before: readonly ReadonlyMap<string, number>[]
}

export interface Tried extends OperatorSubject {
  readonly reference: Reference
}

export const tried = (subject: OperatorSubject): Tried => ({ ...subject, reference: undisturbed(subject) })

const undisturbed = (subject: OperatorSubject): Reference => {
  const run = new OperatorRun(subject)
  const before = [countsOf(run)]
  let steps = 0
  while (run.step(steps)) {
    steps++
    before.push(countsOf(run))
  }
  return { outputs: outputsOf(run.elements), steps, before }
}

const countsOf = (run: OperatorRun): ReadonlyMap<string, number> =>
  new Map([...outputsOf(run.elements)].map(([name, { results }]) => [name, results.length]))
