/** A text that is the same for values of the same content, whatever the order of keys in objects, Maps and Sets. */
export const canonical = (value: unknown): string => {
  if (typeof value === 'bigint') return `${value}n`
  if (typeof value === 'number') return Object.is(value, -0) ? '0' : String(value)
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? String(value)
  if (value instanceof Date) return `Date(${value.getTime()})`
  if (value instanceof Map) return `Map{${sorted([...value], ([key, of]) => `${canonical(key)}=>${canonical(of)}`)}}`
  if (value instanceof Set) return `Set{${sorted([...value], canonical)}}`
  if (Array.isArray(value) || ArrayBuffer.isView(value)) {
    return `[${Array.from(value as ArrayLike<unknown>, canonical).join(',')}]`
  }
  return `{${sorted(Object.entries(value), ([key, of]) => `${JSON.stringify(key)}:${canonical(of)}`)}}`
}

const sorted = <A>(parts: readonly A[], text: (part: A) => string): string => parts.map(text).sort().join(',')
