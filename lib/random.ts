/** A number of at least 0 and below 1, and the state that gives the next one; any whole number is a seed. Source: Mulberry32, by Tommy Ettinger. */
export const drawn = (seed: number): readonly [number, number] => {
  const next = (seed + 0x6d2b79f5) | 0
  let x = Math.imul(next ^ (next >>> 15), 1 | next)
  x = (x + Math.imul(x ^ (x >>> 7), 61 | x)) ^ x
  return [((x ^ (x >>> 14)) >>> 0) / 2 ** 32, next]
}
