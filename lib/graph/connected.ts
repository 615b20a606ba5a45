import { consumersOf } from './joins.ts'
import type { Edge, Plan, Stage } from './plan.ts'

/**
 * The tasks of a plan, as `2:scan/3`, in groups joined by channels or by union state, directly or not; in the order of the plan.
 */
export const connected = ({ stages, edges }: Plan): readonly (readonly string[])[] => {
  const first = new Map<string, number>()
  const names: string[] = []
  for (const { id, tasks } of stages) {
    first.set(id, names.length)
    for (const task of tasks) names.push(task)
  }
  const sets = new DisjointSets(names.length)
  for (const edge of edges) joinEnds(sets, edge, first)
  for (const stage of stages) {
    if (stage.nodes.some(({ lineage }) => lineage.unionStates !== undefined)) joinAll(sets, stage, first)
  }
  const groups = new Map<number, string[]>()
  names.forEach((name, task) => {
    const root = sets.rootOf(task)
    const group = groups.get(root)
    if (group === undefined) groups.set(root, [name])
    else group.push(name)
  })
  return [...groups.values()]
}

const joinEnds = (sets: DisjointSets, { exchange, from, to }: Edge, first: ReadonlyMap<string, number>): void => {
  const [producer, consumer] = [first.get(from.id) as number, first.get(to.id) as number]
  for (let index = 0; index < from.parallelism; index++) {
    const ends = { from: index, producers: from.parallelism, consumers: to.parallelism }
    const range = consumersOf(exchange, ends)
    // All others are the same consumers as the first producer's.
    const end = index > 0 && range.end - range.first === to.parallelism ? range.first + 1 : range.end
    for (let other = range.first; other < end; other++) sets.join(producer + index, consumer + other)
  }
}

const joinAll = (sets: DisjointSets, { id, parallelism }: Stage, first: ReadonlyMap<string, number>): void => {
  const begin = first.get(id) as number
  for (let index = 1; index < parallelism; index++) sets.join(begin, begin + index)
}

/** Source: Galler and Fischer's disjoint sets, with path halving. */
class DisjointSets {
  readonly #parents: number[]

  constructor(size: number) {
    this.#parents = Array.from({ length: size }, (_, member) => member)
  }

  rootOf(member: number): number {
    let at = member
    for (let parent = this.#parents[at] as number; parent !== at; parent = this.#parents[at] as number) {
      this.#parents[at] = this.#parents[parent] as number
      at = parent
    }
    return at
  }

  /** The smaller root stays, so that groups stand in the order of their first members. */
  join(a: number, b: number): void {
    const [rootA, rootB] = [this.rootOf(a), this.rootOf(b)]
    this.#parents[Math.max(rootA, rootB)] = Math.min(rootA, rootB)
  }
}
