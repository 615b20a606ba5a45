/**
 * An immutable array of a fixed length, as a tree of small nodes. To set a member copies the nodes above it, some tens of
 * members, however long it is, so that ten thousand acknowledgements cost what they should.
 */
export interface Vector<out A> {
  readonly length: number
  /** Nodes from the root to a member's. */
  readonly depth: number
  readonly root: Node<A>
}

type Node<A> = readonly A[] | readonly Node<A>[]

export const vectorOf = <A>(length: number, member: (i: number) => A): Vector<A> => {
  let depth = 1
  while (nodeSize ** depth < length) depth++
  return { length, depth, root: nodeOf({ first: 0, length, depth }, member) }
}

/** A member that is there. */
export const memberOf = <A>({ root, depth }: Vector<A>, i: number): A => {
  let node = root
  for (let level = depth - 1; level > 0; level--) node = node[placeOf(i, level)] as Node<A>
  return node[placeOf(i, 0)] as A
}

export const withMember = <A>({ length, depth, root }: Vector<A>, i: number, member: A): Vector<A> => ({
  length,
  depth,
  root: withPlace(root, { i, level: depth - 1 }, member),
})

export const membersOf = <A>({ root, depth }: Vector<A>): readonly A[] => {
  let nodes: readonly unknown[] = [root]
  for (let level = 0; level < depth; level++) nodes = (nodes as (readonly unknown[])[]).flat()
  return nodes as readonly A[]
}

const nodeOf = <A>(of: { first: number; length: number; depth: number }, member: (i: number) => A): Node<A> => {
  const { first, length, depth } = of
  const step = nodeSize ** (depth - 1)
  const places = Math.max(0, Math.min(nodeSize, Math.ceil((length - first) / step)))
  if (depth === 1) return Array.from({ length: places }, (_, i) => member(first + i))
  return Array.from({ length: places }, (_, i) => nodeOf({ first: first + i * step, length, depth: depth - 1 }, member))
}

const withPlace = <A>(node: Node<A>, at: { i: number; level: number }, member: A): Node<A> => {
  const place = placeOf(at.i, at.level)
  const copy = node.slice() as unknown[]
  copy[place] = at.level === 0 ? member : withPlace(node[place] as Node<A>, { i: at.i, level: at.level - 1 }, member)
  return copy as Node<A>
}

const placeOf = (i: number, level: number): number => (i >> (nodeBits * level)) & (nodeSize - 1)

const nodeBits = 4
const nodeSize = 1 << nodeBits
