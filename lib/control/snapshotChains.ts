import type { CheckpointId } from '../element.ts'
import type { Piece, TaskId, TaskSnapshot } from '../snapshot/snapshot.ts'
import type { CapturedTable } from '../state/table.ts'

/** How long chains of snapshots become that build on one another. */
export interface ChainLimits {
  /** Snapshots on a whole one. */
  readonly deltasMax: number
  /** The bytes of those together, of the whole one's. */
  readonly bytesPercentMax: number
}

/** What a task's snapshot has put of its state: its own piece last, behind those that it builds on. */
interface Chain {
  readonly checkpoint: CheckpointId
  readonly pieces: readonly Piece[]
  readonly tables: readonly CapturedTable<unknown>[]
}

/**
 * What tasks' snapshots may build on: the newest one that is durable. One that has failed never is, nor is a last one, which is whole,
 * as it stays as long as the job.
 *
 * A chain that has become too long is not gone on with: the next snapshot is whole. Snapshots in the log's entry are no chain.
 * Tables know it too (`CapturedTable.stored`), so that a capture takes what has changed since the base and no other.
 */
export class SnapshotChains {
  /** Undefined: all snapshots are whole. */
  readonly #limits: ChainLimits | undefined
  readonly #bases = new Map<TaskId, Chain>()
  /** Put, and not yet durable. */
  readonly #written = new Map<TaskId, Chain>()

  constructor(limits: ChainLimits | undefined) {
    this.#limits = limits
  }

  /** What the snapshot builds on; undefined: it is to be whole. */
  baseOf({ task, ended }: TaskSnapshot): readonly Piece[] | undefined {
    return ended ? undefined : this.#bases.get(task)?.pieces
  }

  /** The snapshot's state is put, as the last of these pieces. */
  written({ task, ended, checkpoint, operators }: TaskSnapshot, pieces: readonly Piece[]): void {
    if (this.#limits === undefined || ended) return
    const tables = operators.flatMap(of => of.tables.map(({ captured }) => captured))
    this.#written.set(task, { checkpoint, pieces, tables })
  }

  /** What these tasks have written of the checkpoint is durable. */
  published({ checkpoint, tasks }: { readonly checkpoint: CheckpointId; readonly tasks: readonly TaskId[] }): void {
    if (this.#written.size + this.#bases.size === 0) return
    for (const task of tasks) {
      const written = this.#written.get(task)
      this.#written.delete(task)
      if (written?.checkpoint === checkpoint && this.#mayGrow(written)) {
        this.#bases.set(task, written)
        for (const table of written.tables) table.stored({ asBase: true })
      } else {
        // The tables of the task are those of any of its captures.
        for (const table of (written ?? this.#bases.get(task))?.tables ?? []) table.stored({ asBase: false })
        this.#bases.delete(task)
      }
    }
  }

  /** What these tasks have written since is of no use. */
  aborted(tasks: readonly TaskId[]): void {
    for (const task of tasks) this.#written.delete(task)
  }

  /** These tasks are no more. */
  abandoned(tasks: readonly TaskId[]): void {
    for (const task of tasks) {
      this.#written.delete(task)
      this.#bases.delete(task)
    }
  }

  #mayGrow({ pieces: [whole, ...deltas] }: Chain): boolean {
    const { deltasMax, bytesPercentMax } = this.#limits as ChainLimits
    const bytes = deltas.reduce((sum, delta) => sum + delta.bytes, 0)
    return deltas.length < deltasMax && 100 * bytes < bytesPercentMax * (whole?.bytes ?? 0)
  }
}
