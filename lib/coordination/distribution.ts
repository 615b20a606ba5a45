/** How values are distributed: percentiles are values that occur, the nearest above (nearest rank). */
export interface Distribution {
  readonly min: number
  readonly avg: number
  readonly p50: number
  readonly p95: number
  readonly p99: number
  readonly max: number
}

/** Of no values all is 0. */
export const distribution = (values: readonly number[]): Distribution => {
  const sorted = Float64Array.from(values).sort()
  const { length } = sorted
  const at = (share: number): number => sorted[Math.max(0, Math.ceil(share * length) - 1)] ?? 0
  const sum = sorted.reduce((total, value) => total + value, 0)
  return {
    min: at(0),
    avg: length === 0 ? 0 : sum / length,
    p50: at(0.5),
    p95: at(0.95),
    p99: at(0.99),
    max: at(1),
  }
}
