import { stopwatch } from './stopwatch.ts'

/** Something that is measured: does its work once, and gives how many records (or the like) it has handled. */
export type Side = () => number | Promise<number>

/** Nanoseconds a record, one figure a round. */
export type Rounds<N extends string> = Readonly<Record<N, readonly number[]>>

/**
 * Runs the sides in turns, A B C A B C ..., after `warmUps` rounds that do not count, so that what disturbs the machine
 * for a while disturbs them alike. Garbage is collected before each, so that none pays for another's.
 */
export const interleaved = async <N extends string>(
  sides: Readonly<Record<N, Side>>,
  { rounds, warmUps }: { rounds: number; warmUps: number },
): Promise<Rounds<N>> => {
  const names = Object.keys(sides) as N[]
  let expected: number | undefined
  const nsPerRecord = Object.fromEntries(names.map(name => [name, []])) as unknown as Record<N, number[]>
  for (let round = -warmUps; round < rounds; round++) {
    for (const name of names) {
      collectGarbage()
      const elapsedMs = stopwatch()
      const records = await sides[name]()
      const ns = (elapsedMs() * 1e6) / records
      expected ??= records
      if (records !== expected) throw new Error(`${name} handled ${records} records, and another side ${expected}`)
      if (round >= 0) nsPerRecord[name].push(ns)
    }
  }
  return nsPerRecord
}

/** The median over the pairs of one round each: how many times `of` is what `to` is. */
export const ratio = ({ of, to }: { of: readonly number[]; to: readonly number[] }): number =>
  median(of.map((value, round) => value / (to[round] as number)))

export const median = (values: readonly number[]): number => quantile(values, 0.5)

/** The smallest of the values that at least a share `q` of them does not exceed. */
export const quantile = (values: readonly number[], q: number): number => {
  const ascending = [...values].sort((a, b) => a - b)
  return ascending[Math.max(0, Math.ceil(q * ascending.length) - 1)] as number
}

/** "median (smallest to largest)". */
export const spread = (values: readonly number[], digits = 0): string =>
  `${median(values).toFixed(digits)} (${Math.min(...values).toFixed(digits)} to ${Math.max(...values).toFixed(digits)})`

/** As many digits as a figure deserves that noise of some percent is in. */
export const rounded = (value: number): number => Number(value.toPrecision(4))

/** Node is started with --expose-gc. */
export const collectGarbage = (): void => {
  if (globalThis.gc === undefined) throw new Error('no --expose-gc: start it by npm run bench')
  globalThis.gc()
}
