import * as t from 'io-ts'
import {
  averaged,
  debloated,
  initialDebloat,
  initialThroughput,
  rounded,
  type ThroughputEvent,
  throughput,
} from '../../lib/channel/debloat.ts'
import { decode } from '../../lib/decode.ts'
import { difference, type Failure, type Suite } from './failure.ts'

const bounds = { minSize: t.number, maxSize: t.number, samples: t.number, startSize: t.number }

const caseType = t.union([
  t.type({
    kind: t.literal('size'),
    ...bounds,
    targetMs: t.number,
    thresholdPercent: t.number,
    steps: t.array(
      t.intersection([
        t.type({ throughput: t.number, buffersInUse: t.number }),
        t.partial({ out: t.union([t.number, t.null]) }),
      ]),
    ),
  }),
  t.type({
    kind: t.literal('ema'),
    ...bounds,
    steps: t.array(
      t.intersection([
        t.type({ total: t.number, buffersInUse: t.number }),
        t.partial({ out: t.union([t.number, t.literal('error')]) }),
      ]),
    ),
  }),
  t.type({
    kind: t.literal('throughput'),
    steps: t.array(t.intersection([t.type({ do: t.string }), t.partial({ out: t.number })])),
  }),
])

type Case = t.TypeOf<typeof caseType>

/**
 * Reads a case of the suite "debloat". Run on the functions that the runtime sizes buffers by, it says what differs.
 *
 * @throws an Error, if the case or a step of it cannot be parsed
 */
export const debloatCase: Suite = of => {
  const read = decode(caseType, of, {
    place: 'a case of the suite debloat',
    remedy: 'The format is described in the README of the cases.',
    code: 'INVALID_OPTION',
  })
  switch (read.kind) {
    case 'size':
      return () => sizes(read)
    case 'ema':
      return () => averages(read)
    case 'throughput':
      return measurements(read)
  }
}

const sizes = (of: Case & { kind: 'size' }): readonly Failure[] => {
  let state = initialDebloat(of.startSize)
  return of.steps.flatMap((step, i) => {
    const [next, announced] = debloated(state, step, of)
    state = next
    return difference(`step ${i + 1}`, step.out, announced ?? null)
  })
}

const averages = (of: Case & { kind: 'ema' }): readonly Failure[] => {
  let average = of.startSize
  const moved = (step: { total: number; buffersInUse: number }): number | 'error' => {
    try {
      average = averaged(average, step, of)
      return rounded(average)
    } catch {
      return 'error'
    }
  }
  return of.steps.flatMap((step, i) => difference(`step ${i + 1}`, step.out, moved(step)))
}

const measurements = (of: Case & { kind: 'throughput' }) => {
  const does = of.steps.map(step => readStep(step.do))
  return () => measured(of, does)
}

type Measured = ThroughputEvent | { readonly kind: 'advance'; readonly ms: number }

const measured = (of: Case & { kind: 'throughput' }, does: readonly Measured[]): readonly Failure[] => {
  let state = initialThroughput
  let nowMs = 1_000_000
  return of.steps.flatMap((step, i) => {
    const event = does[i] as Measured
    if (event.kind === 'advance') nowMs += event.ms
    else state = throughput(state, event, nowMs)
    return difference(`step ${i + 1}: ${step.do}`, step.out, state.lastMeasured)
  })
}

const readStep = (text: string): Measured => {
  const [, word, number] = /^(add|advance) (\d+)$/.exec(text) ?? []
  if (word === 'add') return { kind: 'added', records: Number(number) }
  if (word === 'advance') return { kind: 'advance', ms: Number(number) }
  if (text === 'idle' || text === 'busy') return { kind: text }
  if (text === 'measure') return { kind: 'measured' }
  throw new Error(`The step \`${text}\` of the suite debloat cannot be parsed.`)
}
