import * as t from 'io-ts'
import type { Aggregate } from '../lib/index.ts'

export type { Aggregate }

/** The number of records. */
export const count = (): Aggregate<unknown, number, number> => ({
  initial: 0,
  add: accumulator => accumulator + 1,
  result: accumulator => accumulator,
  type: t.number,
})

export const sum = <T>(of: (record: T) => number): Aggregate<T, number, number> => ({
  initial: 0,
  add: (accumulator, record) => accumulator + of(record),
  result: accumulator => accumulator,
  type: t.number,
})

export const min = <T>(of: (record: T) => number): Aggregate<T, number, number> => ({
  initial: Number.POSITIVE_INFINITY,
  add: (accumulator, record) => Math.min(accumulator, of(record)),
  result: accumulator => accumulator,
  type: t.number,
})

export const max = <T>(of: (record: T) => number): Aggregate<T, number, number> => ({
  initial: Number.NEGATIVE_INFINITY,
  add: (accumulator, record) => Math.max(accumulator, of(record)),
  result: accumulator => accumulator,
  type: t.number,
})

/** The arithmetic mean. */
export const mean = <T>(of: (record: T) => number): Aggregate<T, readonly [sum: number, count: number], number> => ({
  initial: [0, 0],
  add: ([total, records], record) => [total + of(record), records + 1],
  result: ([total, records]) => total / records,
  type: t.tuple([t.number, t.number]) as unknown as t.Type<readonly [number, number]>,
})

/** Several aggregates of the same records, by name. */
export const aggregates = <T, R extends Record<string, unknown>>(
  of: {
    readonly [N in keyof R]: Aggregate<T, any, R[N]>
  },
): Aggregate<T, readonly unknown[], R> => {
  const names = Object.keys(of) as (keyof R & string)[]
  const parts = names.map(name => of[name])
  return {
    initial: parts.map(part => part.initial),
    add: (accumulators, record) => parts.map((part, i) => part.add(accumulators[i], record)),
    result: accumulators => Object.fromEntries(parts.map((part, i) => [names[i], part.result(accumulators[i])])) as R,
    type: t.tuple(parts.map(part => part.type) as [t.Mixed, t.Mixed]) as unknown as t.Type<readonly unknown[]>,
  }
}
