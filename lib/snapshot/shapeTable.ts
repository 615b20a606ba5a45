/** The keys of a record, in order; written once under an id and then named by it. */
export interface Shape {
  readonly keys: readonly string[]
  /** A key in it cannot be written as a record's key. */
  readonly escaped: boolean
  /** Absent until it is defined, and again once its id has gone to another. */
  id: number | undefined
}

/**
 * The shapes of the records in one encoding, found by a trie over their keys in order.
 *
 * At most 64 have an id at a time, the oldest gives its own up; the trie starts anew when it has grown by `nodesMax`, which only
 * objects used as dictionaries make it do.
 */
export function shapeTable(isEscapedKey: (key: string) => boolean) {
  let root = node()
  let nodeCount = 0
  let defined = 0
  const owners: (Shape | undefined)[] = []

  return {
    of(record: object): Shape {
      if (nodeCount > nodesMax) {
        root = node()
        nodeCount = 0
      }
      let at = root
      for (const key in record) at = at.key === key ? at.next! : step(at, key)
      if (at.shape === undefined) {
        const keys: string[] = []
        for (const key in record) keys.push(key)
        at.shape = { keys, escaped: keys.some(isEscapedKey), id: undefined }
      }
      return at.shape
    },

    define(shape: Shape): number {
      const slot = defined++ % idCount
      const owner = owners[slot]
      if (owner !== undefined) owner.id = undefined
      owners[slot] = shape
      shape.id = firstId + slot
      return shape.id
    },
  }

  function step(from: Node, key: string): Node {
    if (from.key === undefined) {
      nodeCount++
      from.key = key
      from.next = node()
      return from.next
    }
    from.others ??= new Map()
    let next = from.others.get(key)
    if (next === undefined) {
      nodeCount++
      next = node()
      from.others.set(key, next)
    }
    return next
  }
}

/** The first key that came after a node has its successor beside it: most records of a batch are alike. */
interface Node {
  key: string | undefined
  next: Node | undefined
  others: Map<string, Node> | undefined
  shape: Shape | undefined
}

const node = (): Node => ({ key: undefined, next: undefined, others: undefined, shape: undefined })

const firstId = 0x40
const idCount = 64
const nodesMax = 10_000
