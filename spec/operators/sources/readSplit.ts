import { firstValueFrom, from as fromInput } from 'rxjs'
import type { Source, SplitReader } from '../../../lib/graph/source.ts'

export interface Read<T, P> {
  readonly records: readonly T[]
  /** The position behind each batch, and how many records had been read there. */
  readonly positions: readonly { readonly count: number; readonly position: P }[]
  readonly sides: readonly unknown[]
}

/** Reads a split from a position to its end, as a task would, and closes it. */
export async function readSplit<T, P>(
  source: Source<T, P, any>,
  split: string,
  { from, recordsMax = 2 }: { from?: P | undefined; recordsMax?: number } = {},
): Promise<Read<T, P>> {
  const reader = source.open(split, from)
  const records: T[] = []
  const sides: unknown[] = []
  const positions: { count: number; position: P }[] = []
  try {
    for (;;) {
      const next = reader.next(recordsMax)
      if (next === 'end') return { records, positions, sides }
      if (next === 'wait') await ready(reader)
      else {
        records.push(...next)
        for (const more of reader.takeSides?.()?.values() ?? []) sides.push(...more)
        positions.push({ count: records.length, position: reader.position() })
      }
    }
  } finally {
    reader.close()
  }
}

export const splitsOf = (source: Source<unknown, any, any>): Promise<readonly string[]> =>
  firstValueFrom(fromInput(source.splits()))

const ready = <T, P>(reader: SplitReader<T, P>): Promise<unknown> => firstValueFrom(reader.ready$)
