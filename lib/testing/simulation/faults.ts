import { SpillwayError } from '../../error.ts'
import { isBug } from '../../invariant.ts'
import { type Phase, phases } from './phases.ts'
import type { Random } from './random.ts'

/** What is done to a run, once: in the phase, after so many opportunities for it have been let pass. */
export interface Fault {
  readonly kind: FaultKind
  readonly phase: Phase
  readonly after: number
}

export type FaultKind = keyof typeof faultKinds

const always: readonly Phase[] = phases
const whileTasksRun = phases.filter(phase => phase !== 'restoring' && phase !== 'finishing')
const whileSnapshotsAreWritten: readonly Phase[] = ['aligning', 'writing']

/** The kinds, and the phases that each can meet. */
export const faultKinds = {
  /** SIGKILL: what is on its way to the store or the sinks may arrive or not, at once or later. */
  crash: always,
  /** The same, and what was deleted may be back. */
  powerFailure: always,
  /** Another run starts on the same store while this one is alive. */
  rival: always,
  /** A task fails: when it is built, at the beginning of a turn, or in the midst of a snapshot. */
  taskFailure: phases.filter(phase => phase !== 'finishing'),
  /** An operation of the store fails, and has not taken place. */
  storeFailure: ['restoring', ...whileSnapshotsAreWritten, 'committing', 'publishing', 'finishing'],
  /** An operation of the store fails, but has taken place. */
  storeInDoubt: ['restoring', ...whileSnapshotsAreWritten, 'committing', 'publishing', 'finishing'],
  /** An operation of the store takes longer than a checkpoint may. */
  storeDelay: ['restoring', ...whileSnapshotsAreWritten, 'committing', 'finishing'],
  /** What is read is cut off, or has a wrong byte. */
  partialRead: ['restoring'],
  /** A sink takes nothing for a long time. */
  sinkDelay: whileTasksRun,
  /** An operation of a sink fails: a write, what makes a transaction durable, a publication (perhaps after it has taken place). */
  sinkFailure: always,
  /** A start with another parallelism, which stays; where state belongs to whole tasks it is refused, and goes back. */
  otherParallelism: ['restoring'],
} as const satisfies Record<string, readonly Phase[]>

/** All that can be met. */
export const meetings: readonly Pick<Fault, 'kind' | 'phase'>[] = Object.entries(faultKinds).flatMap(([kind, met]) =>
  met.map(phase => ({ kind: kind as FaultKind, phase })),
)

/** So many faults, spread over all pairs of kind and phase. */
export const randomFaults = (random: Random, count: number): readonly Fault[] =>
  Array.from({ length: count }, () => ({ ...random.pick(meetings), after: Math.floor(40 * random.next() ** 3) }))

/** The faults that are still to come, and those that have struck. */
export class FaultPlan {
  readonly met: Fault[] = []
  readonly #coming: { readonly fault: Fault; left: number }[]

  constructor(faults: readonly Fault[]) {
    this.#coming = faults.map(fault => ({ fault, left: fault.after }))
  }

  /** Here is an opportunity for one of these kinds: which one strikes, if any. */
  strikes<K extends FaultKind>(phase: Phase, ...kinds: readonly K[]): K | undefined {
    const at = this.#coming.findIndex(
      ({ fault }) => fault.phase === phase && (kinds as readonly FaultKind[]).includes(fault.kind),
    )
    const coming = this.#coming[at]
    if (coming === undefined || coming.left-- > 0) return undefined
    this.#coming.splice(at, 1)
    this.met.push(coming.fault)
    return coming.fault.kind as K
  }
}

/** What an injected fault fails with: recognised again wherever it comes out as a cause. */
export class InjectedFault extends Error {
  override readonly name = 'InjectedFault'
}

/** Whether a run may fail with this after faults have struck: it is no bug's, and has a code. */
export const isExcused = (error: unknown): boolean =>
  !isBug(error) && (error instanceof SpillwayError || error instanceof InjectedFault)

export const saysBug = (message: string): boolean => message.includes('Spillway has a bug')
