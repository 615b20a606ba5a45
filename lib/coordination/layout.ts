import type { TaskId } from '../snapshot/snapshot.ts'

/** A job's tasks, numbered, and in which region each is. */
export interface Layout {
  readonly tasks: readonly TaskId[]
  readonly numberOf: ReadonlyMap<TaskId, number>
  /** By a task's number. */
  readonly regionOf: readonly number[]
  /** Numbers of the tasks of each region. */
  readonly regions: readonly (readonly number[])[]
}

export const layoutOf = (regions: readonly (readonly TaskId[])[]): Layout => {
  const tasks = regions.flat()
  let number = 0
  return {
    tasks,
    numberOf: new Map(tasks.map((task, i) => [task, i])),
    regionOf: regions.flatMap((members, region) => members.map(() => region)),
    regions: regions.map(members => members.map(() => number++)),
  }
}
