/** The two values are equal by content: primitives, arrays, typed arrays, dates, maps, sets and objects of one class. */
export const equal = (a: unknown, b: unknown): boolean => {
  if (Object.is(a, b)) return true
  if (!isObject(a) || !isObject(b) || Object.getPrototypeOf(a) !== Object.getPrototypeOf(b)) return false
  if (a instanceof Date) return equal(a.getTime(), (b as unknown as Date).getTime())
  if (a instanceof Map || a instanceof Set) return sameMembers([...a], [...(b as typeof a)])
  if (ArrayBuffer.isView(a) || Array.isArray(a)) return sameMembers(Array.from(a as never), Array.from(b as never))
  const keys = Reflect.ownKeys(a)
  return keys.length === Reflect.ownKeys(b).length && keys.every(key => Object.hasOwn(b, key) && equal(a[key], b[key]))
}

const sameMembers = (a: readonly unknown[], b: readonly unknown[]): boolean =>
  a.length === b.length && a.every((member, i) => equal(member, b[i]))

const isObject = (value: unknown): value is Record<PropertyKey, unknown> => typeof value === 'object' && value !== null
