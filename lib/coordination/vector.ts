/**
 * An immutable array of a fixed length, of which ten thousand members may be set one by one: a tree of small nodes, and before
 * it the last few changes, which are carried over into the tree together.
 */
export interface Vector<out A> {
  readonly length: number
  /** Nodes from the root to a member's. */
  readonly depth: number
  readonly root: Node<A>
  /** Newest first. */
  readonly changes: Change<A> | undefined
}

type Node<A> = readonly A[] | readonly Node<A>[]

interface Change<out A> {
  readonly i: number
  readonly member: A
  readonly before: Change<A> | undefined
  /** With those before it. */
  readonly count: number
}

export const vectorOf = <A>(length: number, member: (i: number) => A): Vector<A> => {
  let depth = 1
  let nodes: readonly unknown[] = Array.from({ length }, (_, i) => member(i))
  for (; nodes.length > nodeSize; depth++) nodes = inNodes(nodes)
  return { length, depth, root: nodes as Node<A>, changes: undefined }
}

/** A member that is there. */
export const memberOf = <A>({ root, depth, changes }: Vector<A>, i: number): A => {
  for (let change = changes; change !== undefined; change = change.before) if (change.i === i) return change.member
  let node = root
  for (let level = depth - 1; level > 0; level--) node = node[placeOf(i, level)] as Node<A>
  return node[placeOf(i, 0)] as A
}

export const withMember = <A>({ length, depth, root, changes: before }: Vector<A>, i: number, member: A): Vector<A> => {
  const changes = { i, member, before, count: (before?.count ?? 0) + 1 }
  if (changes.count < changesMax) return { length, depth, root, changes }
  return { length, depth, root: changedRoot({ root, depth, changes }), changes: undefined }
}

export const membersOf = <A>(vector: Vector<A>): readonly A[] => {
  const all: A[] = []
  addMembers(changedRoot(vector), vector.depth - 1, all)
  return all
}

/** By hand, as `flat` takes ten times as long. */
const addMembers = <A>(node: Node<A>, level: number, all: A[]): void => {
  if (level === 0) for (const member of node as readonly A[]) all.push(member)
  else for (const below of node as readonly Node<A>[]) addMembers(below, level - 1, all)
}

/** Copies each node that has a change below it, once. */
const changedRoot = <A>({ root, depth, changes }: Pick<Vector<A>, 'root' | 'depth' | 'changes'>): Node<A> => {
  if (changes === undefined) return root
  const copied = new Set<unknown>()
  const copy = (node: Node<A>): unknown[] => {
    if (copied.has(node)) return node as unknown[]
    const own = [...node]
    copied.add(own)
    return own
  }
  const changed = copy(root)
  for (const { i, member } of oldestFirst(changes)) {
    let node = changed
    for (let level = depth - 1; level > 0; level--) {
      const below = copy(node[placeOf(i, level)] as Node<A>)
      node[placeOf(i, level)] = below
      node = below
    }
    node[placeOf(i, 0)] = member
  }
  return changed as Node<A>
}

const oldestFirst = <A>(newest: Change<A>): readonly Change<A>[] => {
  const all = new Array<Change<A>>(newest.count)
  for (let change: Change<A> | undefined = newest; change !== undefined; change = change.before) {
    all[change.count - 1] = change
  }
  return all
}

const inNodes = (members: readonly unknown[]): readonly (readonly unknown[])[] =>
  Array.from({ length: Math.ceil(members.length / nodeSize) }, (_, node) =>
    members.slice(node * nodeSize, (node + 1) * nodeSize),
  )

const placeOf = (i: number, level: number): number => (i >> (nodeBits * level)) & (nodeSize - 1)

const nodeBits = 4
const nodeSize = 1 << nodeBits
const changesMax = 32
