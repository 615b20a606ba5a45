import { timer } from 'rxjs'
import type { Source } from 'spillway'

/** Waits after each batch of so many records. */
export const paced = (
  source: Source<number>,
  {
    records,
    pauseMs,
    onBatch = () => {},
  }: { readonly records: number; readonly pauseMs: number; readonly onBatch?: () => void },
): Source<number> => ({
  ...source,
  open: (split, from) => {
    const reader = source.open(split, from)
    let isDue = true
    return {
      ...reader,
      next: () => {
        isDue = !isDue
        if (!isDue) return 'wait'
        onBatch()
        return reader.next(records)
      },
      ready$: timer(pauseMs),
    }
  },
})
