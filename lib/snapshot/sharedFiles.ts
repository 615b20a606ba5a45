import type { CheckpointId } from '../element.ts'
import type { TaskId } from './snapshot.ts'

/**
 * Which tasks of a checkpoint share a file for their in-flight data, and when it is written.
 *
 * Tasks share a file in the order in which they come, at most `tasksPerFile`. It is written once it has so many, once all tasks
 * that were asked have answered, or once a region of one of them lacks nothing else, so that no region waits for another. What
 * comes then gets the next file; who was not asked gets one of its own. Each answer gives the file that is to be written
 * now, if any. One checkpoint at a time.
 * Source: Flink's merging of channel state (FLINK-26803), with files that fill up instead of fixed groups.
 */
export class SharedFiles {
  readonly #tasksPerFile: number
  #checkpoint: CheckpointId = 0
  /** Of the tasks that have not answered. */
  readonly #regions = new Map<TaskId, Region>()
  /** In the file that is being filled. */
  #open: Member[] = []

  constructor(tasksPerFile: number) {
    this.#tasksPerFile = tasksPerFile
  }

  /** Snapshots are awaited from these tasks, by region. */
  begin(checkpoint: CheckpointId, asked: readonly (readonly TaskId[])[]): readonly TaskId[] | undefined {
    const left = this.#taken()
    this.#checkpoint = checkpoint
    this.#regions.clear()
    for (const tasks of asked) {
      const region = { missing: tasks.length }
      for (const task of tasks) this.#regions.set(task, region)
    }
    return left
  }

  /** The task lacks nothing but that its in-flight data is written. */
  add(task: TaskId, checkpoint: CheckpointId): readonly TaskId[] | undefined {
    const region = this.#regions.get(task)
    if (region === undefined || checkpoint !== this.#checkpoint) return [task]
    this.#open.push({ task, region })
    if (this.#open.length >= this.#tasksPerFile) {
      this.#answer(task, region)
      return this.#taken()
    }
    return this.#answered(task, region)
  }

  /** The task lacks nothing. */
  answered(task: TaskId): readonly TaskId[] | undefined {
    const region = this.#regions.get(task)
    return region && this.#answered(task, region)
  }

  /** Nobody waits for these tasks any more: all that a region still has. */
  gone(tasks: Iterable<TaskId>): readonly TaskId[] | undefined {
    const gone = new Set(tasks)
    for (const task of gone) this.#regions.delete(task)
    this.#open = this.#open.filter(({ task }) => !gone.has(task))
    return this.#regions.size === 0 ? this.#taken() : undefined
  }

  #answered(task: TaskId, region: Region): readonly TaskId[] | undefined {
    this.#answer(task, region)
    const waits = this.#regions.size === 0 || (region.missing === 0 && this.#open.some(of => of.region === region))
    return waits ? this.#taken() : undefined
  }

  #answer(task: TaskId, region: Region): void {
    region.missing--
    this.#regions.delete(task)
  }

  #taken(): readonly TaskId[] | undefined {
    if (this.#open.length === 0) return undefined
    const tasks = this.#open.map(({ task }) => task)
    this.#open = []
    return tasks
  }
}

interface Region {
  missing: number
}

interface Member {
  readonly task: TaskId
  readonly region: Region
}

/** Source: Flink's max-subtasks-per-channel-state-file. */
export const defaultTasksPerFile = 5
