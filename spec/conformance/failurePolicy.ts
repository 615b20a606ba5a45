import * as t from 'io-ts'
import { type AdmissionEvent, admission, initialAdmission, type RequestKind } from '../../lib/coordination/admission.ts'
import { type FailureCause, initialTolerance, type Settled, tolerance } from '../../lib/coordination/tolerance.ts'
import { decode } from '../../lib/decode.ts'
import { difference, type Failure, type Suite } from './failure.ts'

const tolerableType = t.type({
  kind: t.literal('tolerable'),
  tolerableFailures: t.number,
  steps: t.array(t.intersection([t.type({ do: t.string }), t.partial({ out: t.union([t.string, t.null]) })])),
})

const admissionType = t.type({
  kind: t.literal('admission'),
  concurrentMax: t.number,
  minPauseMs: t.number,
  queueMax: t.number,
  unaligned: t.boolean,
  steps: t.array(t.intersection([t.type({ do: t.string }), t.partial({ out: t.array(t.string) })])),
})

type Tolerable = t.TypeOf<typeof tolerableType>
type Admitting = t.TypeOf<typeof admissionType>

/**
 * Reads a case of the suite "failure-policy". Run on what counts failures, or on what admits requests, it says what differs.
 *
 * @throws an Error, if the case or a step of it cannot be parsed
 */
export const failurePolicyCase: Suite = of => {
  const read = decode(t.union([tolerableType, admissionType]), of, {
    place: 'a case of the suite failure-policy',
    remedy: 'The format is described in the README of the cases.',
    code: 'INVALID_OPTION',
  })
  return read.kind === 'tolerable' ? tolerableCase(read) : admissionCase(read)
}

const tolerableCase = ({ tolerableFailures, steps }: Tolerable) => {
  const events = steps.map(step => readSettled(step.do))
  return () => tolerated(tolerableFailures, steps, events)
}

const tolerated = (
  tolerableFailures: number,
  steps: Tolerable['steps'],
  events: readonly Settled[],
): readonly Failure[] => {
  let state = initialTolerance(tolerableFailures)
  return steps.flatMap((step, i) => {
    const [next, answer] = tolerance(state, events[i] as Settled)
    state = next
    return difference(`step ${i + 1}: ${step.do}`, step.out, answer === 'job fails' ? 'job-fails' : null)
  })
}

const admissionCase = (read: Admitting) => {
  const does = read.steps.map(step => readAdmission(step.do))
  return () => admitted(read, does)
}

const admitted = (
  { steps, kind: _, ...limits }: Admitting,
  does: readonly (AdmissionEvent<string> | number)[],
): readonly Failure[] => {
  let state = initialAdmission<string>(limits)
  let nowMs = 0
  return steps.flatMap((step, i) => {
    const at = does[i] as AdmissionEvent<string> | number
    if (typeof at === 'number') {
      nowMs += at
      return difference(`step ${i + 1}: ${step.do}`, step.out?.join(', '), '')
    }
    const [next, effects] = admission(state, at, nowMs)
    state = next
    const out = effects.map(effect =>
      effect.kind === 'refuse' ? `refuse ${effect.request} ${effect.reason}` : `${effect.kind} ${effect.request}`,
    )
    return difference(`step ${i + 1}: ${step.do}`, step.out?.join(', '), out.join(', '))
  })
}

const causes: ReadonlySet<string> = new Set<FailureCause>([
  ...(['io', 'async', 'declined', 'expired', 'finalize', 'subsumed', 'declined-subsumed', 'not-ready'] as const),
  ...(['closing', 'cancelled', 'input-ended', 'shared-file', 'job-failed', 'region-failover'] as const),
  ...(['task-failed', 'shutdown'] as const),
])

const readSettled = (text: string): Settled => {
  const [, succeeded, failed, cause] = /^(?:succeed (\d+)|fail (\d+) (\S+))$/.exec(text) ?? []
  if (succeeded !== undefined) return { kind: 'succeeded', checkpoint: Number(succeeded) }
  if (failed !== undefined && causes.has(cause ?? '')) {
    return { kind: 'failed', checkpoint: Number(failed), cause: cause as FailureCause }
  }
  throw notParsed(text)
}

/** A number: so many ms pass. */
const readAdmission = (text: string): AdmissionEvent<string> | number => {
  const [what, name, kind, ...more] = text.split(' ')
  if (what === 'advance' && kind === undefined && /^\d+$/.test(name ?? '')) return Number(name)
  if (name !== undefined && more.length === 0) {
    if (what === 'request' && kinds.has(kind ?? '')) {
      return { kind: 'requested', request: name, of: kind as RequestKind }
    }
    if (what === 'complete' && kind === undefined) return { kind: 'completed', request: name }
    if (what === 'fail' && kind === undefined) return { kind: 'failed', request: name }
  }
  throw notParsed(text)
}

const kinds: ReadonlySet<string> = new Set<RequestKind>(['periodic', 'checkpoint', 'savepoint'])

const notParsed = (text: string) => new Error(`The step \`${text}\` of the suite failure-policy cannot be parsed.`)
