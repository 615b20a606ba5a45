import type { TaskId } from '../snapshot/snapshot.ts'

/** A job's tasks, numbered, and in which region each is. */
export interface Layout {
  readonly tasks: readonly TaskId[]
  readonly numberOf: ReadonlyMap<TaskId, number>
  /** By a task's number. */
  readonly regionOf: readonly number[]
  /** Numbers of the tasks of each region. */
  readonly regions: readonly (readonly number[])[]
  /** By a task's number. */
  readonly groupOf: readonly number[]
  /** Numbers of the tasks of each group that channels join; a region consists of whole groups. */
  readonly groups: readonly (readonly number[])[]
}

export const layoutOf = (
  regions: readonly (readonly TaskId[])[],
  connected: readonly (readonly TaskId[])[],
): Layout => {
  const tasks = regions.flat()
  const numberOf = new Map(tasks.map((task, i) => [task, i]))
  const groups = connected.map(members => members.map(task => numberOf.get(task) as number))
  const groupOf: number[] = new Array(tasks.length)
  groups.forEach((members, group) => {
    for (const task of members) groupOf[task] = group
  })
  let number = 0
  return {
    tasks,
    numberOf,
    regionOf: regions.flatMap((members, region) => members.map(() => region)),
    regions: regions.map(members => members.map(() => number++)),
    groupOf,
    groups,
  }
}
