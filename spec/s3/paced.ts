import { timer } from 'rxjs'
import type { Source } from 'spillway'

/** Waits after each hundred records. */
export const paced = (source: Source<number>, pauseMs: number): Source<number> => ({
  ...source,
  open: (split, from) => {
    const reader = source.open(split, from)
    let isDue = true
    return {
      ...reader,
      next: () => {
        isDue = !isDue
        return isDue ? reader.next(100) : 'wait'
      },
      ready$: timer(pauseMs),
    }
  },
})
