import fc from 'fast-check'
import { expect, test } from 'vitest'
import { regionalCase } from '../conformance/regional.ts'
import { type RegionalCase, regionalOracle } from './regionalOracle.ts'

/** Where the coordinator and the oracle differ. */
const differences = (of: RegionalCase, steps: readonly string[]) => {
  const outs = regionalOracle(of, steps)
  return regionalCase({ ...of, steps: steps.map((step, i) => ({ do: step, out: outs[i] })) })()
}

const expectNone = (of: RegionalCase, steps: readonly string[]): void => {
  const found = differences(of, steps)
  if (found.length > 0)
    expect.fail(`${JSON.stringify(of)}\n${steps.join('\n')}\n${JSON.stringify(found, undefined, 2)}`)
}

const product = <A>(choices: readonly A[], length: number): readonly (readonly A[])[] =>
  length === 0 ? [[]] : product(choices, length - 1).flatMap(before => choices.map(choice => [...before, choice]))

const limits = [0.34, 0.67, 1].flatMap(failedRatioMax =>
  [0, 1, 2].flatMap(consecutiveFailuresMax =>
    [0, 1, 2].map(retained => ({ failedRatioMax, consecutiveFailuresMax, retained })),
  ),
)

test('three regions that finish or fail in each of three checkpoints, under all limits', () => {
  const regions = [['a'], ['b'], ['c']]
  const answers = product(['ack', 'decline'], 3)
  for (const checkpoints of product(answers, 3)) {
    const steps = checkpoints.flatMap((all, i) => [
      `trigger ${i + 1}`,
      ...all.map((answer, region) => `${answer} ${i + 1} ${regions[region]}`),
    ])
    for (const of of limits) expectNone({ regions, ...of }, steps)
  }
})

test('whatever two regions say, in any order, in two checkpoints of which the first is complete', () => {
  const regions = [['a', 'b'], ['c']]
  const said = ['ack 2 a', 'ack 2 b', 'ack 2 c', 'decline 2 a', 'decline 2 c', 'task-fails b', 'expire 2', 'ack 1 c']
  const before = ['trigger 1', 'ack 1 a', 'ack 1 b', 'ack 1 c', 'trigger 2']
  for (const steps of product(said, 5)) {
    expectNone({ regions, failedRatioMax: 0.5, consecutiveFailuresMax: 1, retained: 1 }, [...before, ...steps])
  }
})

test('long runs of any steps', () => {
  const tasks = ['a', 'b', 'c', 'd', 'e']
  const step = fc.oneof(
    { weight: 12, arbitrary: fc.record({ what: fc.constant('ack'), task: fc.constantFrom(...tasks) }) },
    { weight: 2, arbitrary: fc.record({ what: fc.constant('late'), task: fc.constantFrom(...tasks) }) },
    { weight: 1, arbitrary: fc.record({ what: fc.constant('decline'), task: fc.constantFrom(...tasks) }) },
    { weight: 1, arbitrary: fc.record({ what: fc.constant('task-fails'), task: fc.constantFrom(...tasks) }) },
    { weight: 1, arbitrary: fc.record({ what: fc.constant('expire'), task: fc.constant('') }) },
  )
  fc.assert(
    fc.property(
      fc.array(step, { maxLength: 80, size: 'max' }),
      fc.constantFrom(
        [['a', 'b'], ['c', 'd'], ['e']],
        [['a'], ['b'], ['c'], ['d'], ['e']],
        [['a', 'b', 'c', 'd', 'e']],
      ),
      fc.constantFrom(...limits, { failedRatioMax: 0, consecutiveFailuresMax: 3, retained: 4 }),
      (raw, regions, of) => expectNone({ regions, ...of }, triggered({ regions, ...of }, raw)),
    ),
    { numRuns: 2_000 },
  )
})

/** With a trigger wherever nothing is pending, which the oracle tells; ids leave gaps. */
const triggered = (of: RegionalCase, raw: readonly { readonly what: string; readonly task: string }[]) => {
  const steps: string[] = []
  let id = 0
  for (const { what, task } of raw) {
    const settled =
      id === 0 ||
      regionalOracle(of, steps).some(out =>
        out.some(line => /^(complete|fail) /.test(line) && line.split(' ')[1] === `${id}`),
      )
    if (settled) {
      id += 3
      steps.push(`trigger ${id}`)
    }
    if (what === 'task-fails') steps.push(`task-fails ${task}`)
    else if (what === 'expire') steps.push(`expire ${id}`)
    else steps.push(`${what === 'late' ? 'ack' : what} ${what === 'late' ? Math.max(1, id - 3) : id} ${task}`)
  }
  return steps
}
