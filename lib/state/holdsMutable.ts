/**
 * Whether a value has a part that cannot be frozen: a Map, Set, Date, typed array or the like. Looks at so many parts at the most, so
 * that it takes microseconds whatever the value.
 */
export const holdsMutable = (value: unknown, partsMax = 100): boolean => {
  const open: unknown[] = [value]
  for (let seen = 0; seen < partsMax; seen++) {
    if (open.length === 0) return false
    const part = open.pop()
    if (typeof part !== 'object' || part === null) continue
    if (isMutable(part)) return true
    for (const key in part) {
      if (open.length + seen >= partsMax) break
      open.push((part as Readonly<Record<string, unknown>>)[key])
    }
  }
  return false
}

const isMutable = (part: object): boolean =>
  part instanceof Map ||
  part instanceof Set ||
  part instanceof Date ||
  part instanceof ArrayBuffer ||
  ArrayBuffer.isView(part)
