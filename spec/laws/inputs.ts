import { active, type Buffer, buffer, idle, type StreamElement, watermark } from 'spillway'

export interface Sample {
  readonly key: string
  readonly n: number
}

/** Samples with these times, three keys, and a note where one is given. */
export const timed = (
  ...times: readonly (number | { readonly timeMs: number; readonly noteMs: number })[]
): Buffer<Sample> => {
  const all = times.map(time => (typeof time === 'number' ? { timeMs: time, noteMs: Number.NEGATIVE_INFINITY } : time))
  return buffer(
    all.map(({ timeMs }) => ({ key: `k${timeMs % 3}`, n: timeMs })),
    {
      times: Float64Array.from(all, ({ timeMs }) => timeMs),
      notes: all.some(({ noteMs }) => noteMs > Number.NEGATIVE_INFINITY)
        ? Float64Array.from(all, ({ noteMs }) => noteMs)
        : undefined,
    },
  )
}

/** Records with and without notes, some behind the watermark; idleness; watermarks; buffers next to each other. */
export const samples: readonly StreamElement<Sample>[] = [
  timed(1, 5, 2),
  timed(12),
  watermark(10),
  timed(11, 4, { timeMs: 13, noteMs: 25 }),
  idle,
  active,
  timed(21, 22, 23, 24),
  watermark(20),
  watermark(30),
  timed(31),
]
