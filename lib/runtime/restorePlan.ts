import type { CheckpointId } from '../element.ts'
import { SpillwayError } from '../error.ts'
import { gateState, ofLines, ownState } from '../snapshot/frame.ts'
import { type RestoredOperator, type StateFate, userState } from '../state/operatorState.ts'
import type { RestoredJob } from './restoredJob.ts'

/** What becomes of a savepoint's state in these pipelines, before anything is written. */
export interface RestorePlan {
  /** Of the savepoint's copy in the job's store. */
  readonly checkpoint: CheckpointId
  readonly states: readonly PlannedState[]
  /** In one sentence. */
  readonly message: string
}

export type PlannedState = {
  readonly operator: string
  /** As the operator calls it; of a source its `position`, of a sink its `transactions`; `timers`, and `records in flight` in calls. */
  readonly state: string
} & (
  | { readonly kind: 'kept' | 'new' | 'dropped' }
  /** Its codec is of another version than it was stored in. */
  | { readonly kind: 'migrated'; readonly from: readonly number[]; readonly to: number }
)

/** Of one operator in one task. */
export interface OperatorFates {
  readonly operator: string
  readonly fates: readonly StateFate[]
}

export const restorePlan = (
  { checkpoint, gone }: Pick<RestoredJob, 'checkpoint' | 'gone'>,
  fates: readonly OperatorFates[],
): RestorePlan => {
  const states = new Map<string, PlannedState>()
  const add = (next: PlannedState): void => {
    const key = JSON.stringify([next.operator, next.state])
    const before = states.get(key)
    // Some tasks may have had nothing to store.
    if (before === undefined || before.kind === 'new') states.set(key, next)
    else if (next.kind === 'migrated') states.set(key, before.kind === 'migrated' ? joined(before, next) : next)
  }
  for (const { operator, fates: own } of fates) {
    if (operator === gateState.operator) continue
    for (const { name, ...fate } of own) {
      const state = shownName(name, fate.kind)
      if (state !== undefined) add({ operator, state, ...fate })
    }
  }
  for (const [operator, parts] of gone) {
    for (const state of parts.flatMap(statesIn)) add({ operator, state, kind: 'dropped' })
  }
  const all = [...states.values()]
  return { checkpoint, states: all, message: `${counted(all)}${listed(all)}` }
}

/** @throws STATE_WOULD_BE_DROPPED */
export const checkDropped = (
  { checkpoint, states }: RestorePlan,
  { allowDropped }: { readonly allowDropped: readonly string[] },
): void => {
  const allowed = new Set(allowDropped)
  const names = states.flatMap(({ kind, operator, state }) =>
    kind !== 'dropped' || allowed.has(operator) || allowed.has(`${operator}/${state}`) ? [] : [`${operator}/${state}`],
  )
  if (names.length === 0) return
  throw new SpillwayError('STATE_WOULD_BE_DROPPED', {
    place: `restoring the savepoint of checkpoint ${checkpoint}`,
    problem: `it has state that the pipelines no longer have: ${names.join(', ')}.`,
    remedy: `Give the operator its old name by named(...), or accept it: restore: { savepoint, allowDropped: [${names.map(name => `'${name}'`).join(', ')}] }; an operator's name alone stands for all its state.`,
  })
}

type Migrated = PlannedState & { readonly kind: 'migrated' }

const joined = (a: Migrated, b: Migrated): Migrated => ({ ...a, from: [...new Set([...a.from, ...b.from])] })

const statesIn = ({ kept, tables }: RestoredOperator): readonly string[] => {
  const some = Object.entries(kept).filter(([, value]) => !(Array.isArray(value) && value.length === 0))
  return [...tables.keys(), ...some.map(([name]) => name)].flatMap(name => shownName(name, 'dropped') ?? [])
}

/** Undefined: nobody would miss it, such as a watermark. */
const shownName = (name: string, kind: StateFate['kind']): string | undefined =>
  userState(name) ?? ofLines(name) ?? (kind === 'new' ? undefined : shownOwn[name])

const shownOwn: Readonly<Record<string, string>> = {
  [ownState.timers]: 'timers',
  [ownState.frame]: 'records in flight',
  [ownState.transactions]: 'transactions',
}

const kinds = ['kept', 'migrated', 'new', 'dropped'] as const

const counted = (states: readonly PlannedState[]): string =>
  kinds
    .map(kind => [states.filter(state => state.kind === kind).length, kind] as const)
    .filter(([count]) => count > 0)
    .map(([count, kind]) => `${count} ${kind}`)
    .join(', ') || 'no state'

/** Those that somebody may want to look at. */
const listed = (states: readonly PlannedState[]): string => {
  const texts = states.flatMap(state => {
    const name = `${state.operator}/${state.state}`
    if (state.kind === 'migrated') return [`${name} migrated from version ${state.from.join(', ')} to ${state.to}`]
    return state.kind === 'kept' ? [] : [`${name} ${state.kind}`]
  })
  return texts.length === 0 ? '' : `: ${texts.join(', ')}`
}
