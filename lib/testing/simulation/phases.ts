import type { CheckpointId } from '../../element.ts'
import type { Happening } from '../../runtime/run.ts'

/** Where a run stands in the protocol; of two checkpoints at a time the newer one says. */
export type Phase = (typeof phases)[number]

export const phases = [
  /** From the start until it runs: reads the log and the part, takes the log, brings the sinks up. */
  'restoring',
  /** No checkpoint is under way. */
  'flowing',
  /** Triggered; some task has not taken its snapshot yet. */
  'aligning',
  /** All tasks have taken theirs; some are not stored yet. */
  'writing',
  /** The part is being made durable. */
  'committing',
  /** It is durable; some sink has not published yet. */
  'publishing',
  /** All tasks have ended: the last checkpoint and its publication. */
  'finishing',
] as const

/** Follows one run through the phases, by what happens in it. */
export class PhaseTracker {
  #running = false
  #checkpoint: CheckpointId = 0
  #step: 'aligning' | 'writing' | 'committing' | undefined
  readonly #open = new Set<string>()
  readonly #aligning = new Set<string>()
  readonly #publishing = new Set<string>()

  get phase(): Phase {
    if (!this.#running) return 'restoring'
    if (this.#open.size === 0) return 'finishing'
    return this.#step ?? (this.#publishing.size > 0 ? 'publishing' : 'flowing')
  }

  /** The run has come up. */
  runs(): void {
    this.#running = true
  }

  happened(happening: Happening): void {
    switch (happening.kind) {
      case 'built':
        this.#open.add(happening.task)
        return
      case 'trigger':
        this.#checkpoint = happening.barrier.checkpoint
        this.#step = 'aligning'
        this.#aligning.clear()
        for (const task of this.#open) this.#aligning.add(task)
        return
      case 'snapshot':
        if (happening.ended) this.#open.delete(happening.task)
        if (happening.ended || happening.checkpoint === this.#checkpoint) this.#aligning.delete(happening.task)
        if (this.#step === 'aligning' && this.#aligning.size === 0) this.#step = 'writing'
        return
      case 'commit':
        this.#checkpoint = happening.checkpoint
        this.#step = 'committing'
        for (const { tasks } of happening.parts) for (const { task } of tasks) this.#publishing.add(task)
        return
      case 'notify':
        this.#step = undefined
        return
      case 'abort':
        this.#step = undefined
        this.#publishing.clear()
        return
      case 'published':
        if (happening.checkpoint < this.#checkpoint) return
        for (const task of happening.tasks) this.#publishing.delete(task)
    }
  }
}
