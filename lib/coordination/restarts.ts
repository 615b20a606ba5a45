import { SpillwayError } from '../error.ts'
import { absurd } from '../invariant.ts'
import { drawn } from '../random.ts'

/** Whether, and how long after a failure, what has failed is started again. */
export type RestartPolicy =
  | { readonly kind: 'none' }
  | ({ readonly kind: 'fixedDelay' } & FixedDelay)
  | ({ readonly kind: 'exponentialDelay' } & ExponentialDelay)
  | ({ readonly kind: 'failureRate' } & FailureRate)

export interface FixedDelay {
  readonly delayMs: number
  /** Restarts altogether. */
  readonly attemptsMax: number
}

export interface ExponentialDelay {
  /** The delay after the first failure. */
  readonly initialMs: number
  /** No delay is longer, jitter included. */
  readonly maxMs: number
  /** Of each delay to the one before; at least 1. */
  readonly multiplier: number
  /** A delay is longer or shorter by up to this share of it, so that what failed together does not come back together; 0 to 1. */
  readonly jitterFraction: number
  /** What has run so long since its last restart begins with `initialMs` and no attempts again. */
  readonly resetAfterMs: number
  /** Restarts without such a reset; default: any number. */
  readonly attemptsMax?: number
}

export interface FailureRate {
  /** That may lie within any `intervalMs`. */
  readonly failuresMax: number
  readonly intervalMs: number
  readonly delayMs: number
}

/** The first failure is the last. */
export const none = (): RestartPolicy => ({ kind: 'none' })

/** After each failure the same delay. @throws INVALID_OPTION */
export const fixedDelay = (options: FixedDelay): RestartPolicy => {
  check('fixedDelay', options, { delayMs: duration, attemptsMax: count })
  return { kind: 'fixedDelay', ...options }
}

/** Longer delays from failure to failure, until it has run well for a while. @throws INVALID_OPTION */
export const exponentialDelay = (options: ExponentialDelay): RestartPolicy => {
  check('exponentialDelay', options, {
    initialMs: positive,
    maxMs: { is: n => n >= options.initialMs, expected: 'a duration in ms of at least initialMs' },
    multiplier: { is: n => n >= 1, expected: 'a number of at least 1' },
    jitterFraction: { is: n => n >= 0 && n <= 1, expected: 'a number from 0 to 1' },
    resetAfterMs: positive,
    ...(options.attemptsMax === undefined ? {} : { attemptsMax: count }),
  })
  return { kind: 'exponentialDelay', ...options }
}

/** As long as failures are rare enough. @throws INVALID_OPTION */
export const failureRate = (options: FailureRate): RestartPolicy => {
  check('failureRate', options, { failuresMax: count, intervalMs: positive, delayMs: duration })
  return { kind: 'failureRate', ...options }
}

/** What is remembered of failures. */
export interface Restarts {
  readonly policy: RestartPolicy
  /** Restarts since the beginning, or the last reset. */
  readonly attempts: number
  /** Of a rate: the newest, oldest first, at most `failuresMax`. */
  readonly failedAtMs: readonly number[]
  /** When what failed last is, or was, started again. */
  readonly restartAtMs: number
  /** Of the next jitter. */
  readonly seed: number
}

export interface Failed {
  readonly kind: 'failed'
}

export type RestartEffect =
  | { readonly kind: 'restart'; readonly delayMs: number }
  | { readonly kind: 'giveUp'; readonly reason: string }

export const initialRestarts = (policy: RestartPolicy, seed: number): Restarts => ({
  policy,
  attempts: 0,
  failedAtMs: [],
  restartAtMs: Number.NEGATIVE_INFINITY,
  seed,
})

type Step = readonly [Restarts, RestartEffect]

/**
 * Whether a failure is followed by a restart: a transition function. One state stands for all that is restarted together.
 *
 * Source: Flink's RestartBackoffTimeStrategy. With `exponentialDelay`, failures before the restart that is due belong to it.
 */
export const restarts = (state: Restarts, _failed: Failed, nowMs: number): Step => {
  const { policy } = state
  switch (policy.kind) {
    case 'none':
      return [state, { kind: 'giveUp', reason: 'nothing is started again' }]
    case 'fixedDelay':
      return attempted(state, { delayMs: policy.delayMs, attemptsMax: policy.attemptsMax, nowMs })
    case 'exponentialDelay':
      return backedOff(state, policy, nowMs)
    case 'failureRate':
      return rated(state, policy, nowMs)
    default:
      return absurd(policy)
  }
}

const attempted = (
  state: Restarts,
  { delayMs, attemptsMax, nowMs }: { readonly delayMs: number; readonly attemptsMax: number; readonly nowMs: number },
): Step => {
  if (state.attempts >= attemptsMax) {
    return [state, { kind: 'giveUp', reason: `it has been started again ${attemptsMax} times` }]
  }
  return [
    { ...state, attempts: state.attempts + 1, restartAtMs: nowMs + delayMs },
    { kind: 'restart', delayMs },
  ]
}

const backedOff = (state: Restarts, policy: ExponentialDelay, nowMs: number): Step => {
  const { initialMs, maxMs, multiplier, jitterFraction, resetAfterMs } = policy
  if (nowMs < state.restartAtMs) return [state, { kind: 'restart', delayMs: state.restartAtMs - nowMs }]
  const ranMs = nowMs - state.restartAtMs
  const attempts = ranMs >= resetAfterMs ? 0 : state.attempts
  const meanMs = Math.min(maxMs, initialMs * multiplier ** attempts)
  const [draw, seed] = drawn(state.seed)
  const delayMs = Math.round(Math.min(maxMs, meanMs * (1 + jitterFraction * (2 * draw - 1))))
  return attempted(
    { ...state, attempts, seed },
    { delayMs, attemptsMax: policy.attemptsMax ?? Number.POSITIVE_INFINITY, nowMs },
  )
}

const rated = (state: Restarts, { failuresMax, intervalMs, delayMs }: FailureRate, nowMs: number): Step => {
  const [oldest = nowMs] = state.failedAtMs
  if (state.failedAtMs.length === failuresMax && nowMs - oldest < intervalMs) {
    const reason = `it has failed more than ${failuresMax} times within ${intervalMs} ms`
    return [state, { kind: 'giveUp', reason }]
  }
  const failedAtMs = [...state.failedAtMs, nowMs].slice(-failuresMax)
  return [
    { ...state, failedAtMs, restartAtMs: nowMs + delayMs },
    { kind: 'restart', delayMs },
  ]
}

interface Range {
  readonly is: (n: number) => boolean
  readonly expected: string
}

const check = <O extends object>(policy: string, options: O, ranges: Readonly<Record<string, Range>>): void => {
  for (const [name, { is, expected }] of Object.entries(ranges)) {
    const value = (options as Readonly<Record<string, unknown>>)[name]
    if (typeof value === 'number' && is(value)) continue
    throw new SpillwayError('INVALID_OPTION', {
      place: `${policy}.${name}`,
      problem: `it is ${value}.`,
      remedy: `Give ${expected}.`,
    })
  }
}

const duration: Range = { is: n => n >= 0 && Number.isFinite(n), expected: 'a duration in ms of at least 0' }
const positive: Range = { is: n => n > 0, expected: 'a duration in ms above 0' }
const count: Range = { is: n => Number.isSafeInteger(n) && n >= 1, expected: 'a whole number of at least 1' }
