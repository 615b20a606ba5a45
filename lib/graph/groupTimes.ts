import * as t from 'io-ts'
import type { GroupWatermarks } from '../snapshot/redistribution/watermarks.ts'

/**
 * The watermarks of key groups that are above their operator's: after a restore at another parallelism, until the operator's
 * has reached the last of them. Before and afterwards nothing is held, and nothing asked a record.
 */
export class GroupTimes {
  /** By key group, -Infinity where the operator's holds; undefined: it holds for all. */
  timesMs: Float64Array | undefined
  #largestMs = Number.NEGATIVE_INFINITY

  constructor(keyGroups: number, restored: GroupWatermarks | undefined) {
    if (restored === undefined) return
    this.timesMs = new Float64Array(keyGroups).fill(Number.NEGATIVE_INFINITY)
    for (const [group, timeMs] of restored) {
      this.timesMs[group] = timeMs
      if (timeMs > this.#largestMs) this.#largestMs = timeMs
    }
  }

  of(group: number, operatorMs: number): number {
    return this.timesMs === undefined ? operatorMs : Math.max(operatorMs, this.timesMs[group] as number)
  }

  /** The operator's watermark is this now. */
  reached(operatorMs: number): void {
    if (operatorMs >= this.#largestMs) this.timesMs = undefined
  }

  /** Those that are still above the operator's. */
  captured(operatorMs: number): GroupWatermarks | undefined {
    if (this.timesMs === undefined) return undefined
    const all = Array.from(this.timesMs, (timeMs, group) => [group, timeMs] as const)
    return all.filter(([, timeMs]) => timeMs > operatorMs)
  }
}

export const groupTimesType: t.Type<GroupWatermarks, any> = t.readonlyArray(t.tuple([t.number, t.number])) as any
